//! What the host counts anyway, as metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use opentelemetry::KeyValue;
use parking_lot::Mutex;

use crate::abi::Registry;
use crate::error::Result;
use crate::run::lanes::Lanes;
use crate::store::{Counts, Store};
use crate::telemetry::metrics::{ok_or_error, tenant_is};
use crate::telemetry::{Observed, Source};
use crate::tenant::Tenants;

/// Reads a host's counts. It keeps nothing of the host alive.
pub(super) struct Readings {
    tenants: Weak<Tenants>,
    lanes: Weak<Lanes>,
    registry: Weak<Registry>,
    prepared: Arc<AtomicU64>,
    /// What the store held when that was looked at last; none before.
    stored: Mutex<Option<Counts>>,
}

impl Readings {
    pub(super) fn new(
        tenants: &Arc<Tenants>,
        lanes: &Arc<Lanes>,
        registry: &Arc<Registry>,
        prepared: Arc<AtomicU64>,
    ) -> Arc<Self> {
        Arc::new(Self {
            tenants: Arc::downgrade(tenants),
            lanes: Arc::downgrade(lanes),
            registry: Arc::downgrade(registry),
            prepared,
            stored: Mutex::default(),
        })
    }

    pub(super) async fn read_store(&self, store: &dyn Store) -> Result<()> {
        let counts = store.counts().await?;
        *self.stored.lock() = Some(counts);
        Ok(())
    }

    fn read_tenants(&self, metric: Observed, tell: &mut dyn FnMut(u64, &[KeyValue])) {
        let Some(tenants) = self.tenants.upgrade() else { return };
        for (id, tenant) in tenants.iter() {
            let services = tenant.services();
            match metric {
                Observed::OutboundRequests => {
                    let counts = services.http.tally().counts();
                    let failed = counts.failed.iter().map(|(reason, count)| (reason.name(), *count));
                    for (reason, count) in failed.chain([("answered", counts.answered)]) {
                        tell(count, &[tenant_is(id), KeyValue::new("reason", reason)]);
                    }
                }
                Observed::HostCalls => {
                    for (interface, ok, count) in services.calls.iter().flat_map(|calls| calls.counts()) {
                        let interface = KeyValue::new("interface", interface);
                        tell(count, &[tenant_is(id), interface, KeyValue::new("outcome", ok_or_error(ok))]);
                    }
                }
                _ => {}
            }
        }
    }

    fn read_stored(&self, tell: &mut dyn FnMut(u64, &[KeyValue])) {
        let Some(counts) = *self.stored.lock() else { return };
        let Counts { events, runs, waits, state, replies, dead, undelivered, .. } = counts;
        let kinds = [
            ("events", events),
            ("runs", runs),
            ("waits", waits),
            ("state", state),
            ("replies", replies),
            ("dead_letters", dead),
            ("undelivered", undelivered),
        ];
        kinds.into_iter().for_each(|(kind, count)| tell(count, &[KeyValue::new("kind", kind)]));
    }
}

impl Source for Readings {
    fn read(&self, metric: Observed, tell: &mut dyn FnMut(u64, &[KeyValue])) {
        match metric {
            Observed::OutboundRequests | Observed::HostCalls => self.read_tenants(metric, tell),
            Observed::QueueEvents => {
                for (tenant, count) in self.lanes.upgrade().iter().flat_map(|lanes| lanes.queued()) {
                    tell(number(count), &[tenant_is(&tenant)]);
                }
            }
            Observed::QueueSessions => {
                self.lanes.upgrade().iter().for_each(|lanes| tell(number(lanes.load().lanes), &[]));
            }
            Observed::Stored => self.read_stored(tell),
            Observed::ActivePacks => {
                let loaded = |tenants: &Tenants| tenants.iter().filter(|(_, tenant)| tenant.loaded().is_some()).count();
                self.tenants.upgrade().iter().for_each(|tenants| tell(number(loaded(tenants)), &[]));
            }
            Observed::PacksPrepared => tell(self.prepared.load(Ordering::Relaxed), &[]),
            Observed::ComponentCache => {
                let Some(registry) = self.registry.upgrade() else { return };
                let (asked, made) = (registry.asked(), registry.made());
                tell(asked.saturating_sub(made), &[KeyValue::new("outcome", "hit")]);
                tell(made, &[KeyValue::new("outcome", "miss")]);
            }
            // Those of whoever stands above the host.
            Observed::PackCache | Observed::Reloads | Observed::Timers | Observed::Dropped | Observed::Replies => {}
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
