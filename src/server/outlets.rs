//! The courier of a server: whom each tenant's replies can be sent to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Backend;
use crate::clock::Clock;
use crate::config::RateLimits;
use crate::egress::{Courier, Outlet, Rate};
use crate::error::Result;
use crate::id::Id;
use crate::ingress::Channels;

/// A courier for what the tenants' channels give out.
pub(super) fn courier(
    backend: &dyn Backend,
    channels: &HashMap<Id, Arc<Channels>>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Courier>> {
    let mut outlets = Vec::new();
    for (tenant, channels) in channels {
        let Some(config) = backend.config(tenant) else { continue };
        let rate = rate(config.rate_limits());
        for open in channels.iter() {
            let outlet = |sender| Outlet { tenant: tenant.clone(), provider: open.provider, sender, rate };
            outlets.extend(open.channel.sender().map(outlet));
        }
    }
    let outbox = backend.outbox();
    Courier::new(outbox.store, outbox.watch, outlets, Arc::clone(clock))
}

fn rate(limits: RateLimits) -> Rate {
    let every = Duration::from_secs(1) / limits.messaging_send_qps.max(1);
    Rate { every, burst: limits.messaging_burst.max(1) }
}
