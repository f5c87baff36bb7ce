//! The host: what an embedder builds, starts, gives packs and events, and stops.
//!
//! In: configurations, packs, [`Activity`]s and [`Event`]s. Out: replies. This is the public door to everything
//! below it; it holds no rule of its own beyond how the parts are put together.

pub(crate) mod activity;
mod builder;
mod failed;
pub mod grants;
mod housekeeping;
mod packs;
pub mod providers;
mod readings;
mod secrets;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinHandle;

pub use builder::HostBuilder;
pub use packs::Work;
pub use secrets::Lacking;

use crate::abi::Registry;
use crate::activity::Activity;
use crate::capabilities::tools::Tools;
use crate::clock::{Clock, Timestamp};
use crate::config::HostConfig;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::oauth::Landing;
use crate::pack::model::Digest;
use crate::run::completion::Completer;
use crate::run::event::Event;
use crate::run::lanes::{Fits, Lanes, Load, Submitted};
use crate::run::watch::{ReplyWatch, RouteWatch};
use crate::secrets::SecretsManager;
use crate::store::{Counts, Once, ReplyRoute, Store, StoredReply};
use crate::telemetry::{Exporting, Metrics};
use crate::tenant::{Loaded, Sourced, Tenants};
use crate::trust::TrustPolicy;
use readings::Readings;

/// How long [`RunnerHost::stop`] waits for the work that has begun.
const DRAIN: Duration = Duration::from_secs(20);

/// How long it waits for telemetry to be sent.
const FLUSH: Duration = Duration::from_secs(5);

/// A host of packs for one or more tenants. Made by [`HostBuilder`].
pub struct RunnerHost {
    tenants: Arc<Tenants>,
    registry: Arc<Registry>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// When it was built.
    built: Timestamp,
    lanes: Arc<Lanes>,
    watch: Arc<ReplyWatch>,
    env: Id,
    secrets: Arc<dyn SecretsManager>,
    secrets_watch: Arc<secrets::SecretsWatch>,
    trust: TrustPolicy,
    health: Mutex<Health>,
    /// How many packs were prepared.
    prepared: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
    readings: Arc<Readings>,
    exporting: Exporting,
    housekeeping: Mutex<Option<JoinHandle<()>>>,
}

/// How the host is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// Whether it takes events.
    pub started: bool,
    /// How many tenants have a pack.
    pub active_packs: usize,
    /// When a pack was loaded last.
    pub last_load: Option<Timestamp>,
    /// Why the last load failed, if it did.
    pub last_error: Option<String>,
}

impl RunnerHost {
    /// Begins to take events, and takes up what an earlier process left undone.
    ///
    /// Use tokio's multi-thread runtime. On a current-thread one a component that computes takes turns with the
    /// caller's own future, which may then wait for some hundred milliseconds.
    pub async fn start(&self) -> Result<()> {
        self.lanes.open();
        let woken = self.lanes.recover().await?;
        if woken > 0 {
            tracing::info!(sessions = woken, "going on with what was accepted before");
        }
        let oauth = self.tenants.iter().filter_map(|(id, tenant)| Some((id, tenant.services().oauth.as_ref()?)));
        let starts = oauth.map(|(tenant, oauth)| async move {
            if let Err(error) = oauth.start().await {
                tracing::error!(%tenant, %error, "components will not get the tokens of other services");
            }
        });
        futures::future::join_all(starts).await;
        let task = housekeeping::spawn(&self.store, Arc::clone(&self.clock), &self.lanes, &self.readings);
        if let Some(old) = self.housekeeping.lock().replace(task) {
            old.abort();
        }
        Ok(())
    }

    /// Takes no further events, waits for what has begun, and unloads the packs. What does not end within 20 s is
    /// stored and goes on at the next start. Then the components are told, for 2 s at most; what was begun with a code or
    /// a refresh token is waited for, for 15 s at most, and meanwhile the MCP servers, for 10 s at most; at last telemetry
    /// is sent, for 5 s at most. So all of it takes about 42 s at the longest, besides what the store takes.
    pub async fn stop(&self) -> Result<()> {
        let housekeeping = self.housekeeping.lock().take();
        if let Some(task) = housekeeping {
            task.abort();
            // Ends as it was told to; what it held is free then.
            let _ = task.await;
        }
        if !self.lanes.close(DRAIN).await {
            tracing::warn!("some events were not done in time; they go on at the next start");
        }
        let unloaded: Vec<_> = self.tenants.iter().filter_map(|(_, tenant)| tenant.swap(None)).collect();
        futures::future::join_all(unloaded.iter().map(|old| old.farewell("the host stops", None))).await;
        futures::future::join_all(self.tenants.iter().map(|(_, tenant)| tenant.stop())).await;
        self.flush().await;
        Ok(())
    }

    /// Sends the telemetry that waits, for a while.
    async fn flush(&self) {
        if !self.exporting.sends() {
            return;
        }
        let (metrics, exporting) = (Arc::clone(&self.metrics), self.exporting.clone());
        let (done, sent) = tokio::sync::oneshot::channel();
        // On a thread of its own: a runtime that ends would wait for one of its own, however long a collector hangs.
        let sending = std::thread::Builder::new().name("telemetry-flush".to_owned()).spawn(move || {
            metrics.flush();
            exporting.flush(FLUSH);
            // Nobody has to wait any more.
            let _ = done.send(());
        });
        if sending.is_ok() {
            drop(tokio::time::timeout(FLUSH, sent).await);
        }
    }

    /// What is counted, and measured.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Looks how much is stored, for the metrics that say so.
    pub async fn read_store(&self) -> Result<()> {
        self.readings.read_store(&*self.store).await
    }

    /// Whether telemetry that is to be sent somewhere arrives there; where none is, that is so.
    pub fn is_telemetry_ready(&self) -> bool {
        self.exporting.is_ready()
    }

    /// Runs the flow that serves `activity` until it ends or waits, and returns its replies.
    ///
    /// Two activities of one session are handled one after the other. Dropping the future does not stop the flow.
    pub async fn handle_activity(&self, tenant: &str, activity: Activity) -> Result<Vec<Activity>> {
        let event = activity::event_of(self.tenants.get(tenant)?.config().tenant(), &activity)?;
        let outcome = self.submit(event).await?.outcome().await?;
        Ok(outcome.replies.into_iter().map(|payload| activity.reply(payload)).collect())
    }

    /// How often requests of the tenant's guests were answered since the host was built, and how often not and why.
    ///
    /// # Errors
    ///
    /// `TenantUnknown`.
    pub fn outbound_counts(&self, tenant: &str) -> Result<crate::outbound::Counts> {
        Ok(self.tenants.get(tenant)?.services().http.tally().counts())
    }

    /// Takes a browser that came back from a provider of the tenant's, until `end` at the latest.
    ///
    /// # Errors
    ///
    /// `TenantUnknown`; `RouteOff` if the tenant's bindings have no `oauth` block; what [`crate::oauth::OAuth::land`] says.
    pub async fn land(&self, tenant: &str, landing: Landing, end: Instant) -> Result<()> {
        match &self.tenants.get(tenant)?.services().oauth {
            Some(oauth) => oauth.land(landing, end).await,
            None => Err(Error::new(Code::RouteOff, "the tenant's bindings have no `oauth` block")),
        }
    }

    /// Accepts an event. When this returns, the event is stored and will be worked on.
    pub async fn submit(&self, event: Event) -> Result<Submitted> {
        self.tenants.get(&event.tenant)?;
        self.lanes.submit(event).await
    }

    /// The same for a caller that waits for the replies. Where they are for the caller first
    /// ([`crate::ReplyTo::CallerFirst`]), it gets them if they fit and it still waits, and else the event's route does.
    pub async fn submit_for(&self, event: Event, fits: Fits) -> Result<Submitted> {
        self.tenants.get(&event.tenant)?;
        self.lanes.submit_for(event, fits).await
    }

    /// The same for an event with dedupe keys that acts once: as long as the keys are remembered, its repetitions get what
    /// it ended with, well or badly.
    pub async fn submit_once(&self, event: Event, once: Once) -> Result<Submitted> {
        self.tenants.get(&event.tenant)?;
        self.lanes.submit_once(event, once).await
    }

    /// Replies of a route after `seq`, oldest first, at most `limit`.
    pub async fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>> {
        self.store.replies(route, after, limit).await
    }

    /// Tells that replies came, whichever route they are for.
    pub fn reply_watch(&self) -> &Arc<ReplyWatch> {
        &self.watch
    }

    /// Is told when a route gets replies.
    pub fn watch(&self, route: &ReplyRoute) -> RouteWatch {
        self.watch.subscribe(route)
    }

    /// Lets events of which only ids are known be asked for by `completer`. Until then they stay where they are.
    pub async fn complete_with(&self, completer: Arc<dyn Completer>) -> Result<()> {
        self.lanes.complete_with(completer).await
    }

    /// The tenant's tools as they lie there now; none if its bindings have no `mcp` block, or this host calls no tools.
    ///
    /// # Errors
    ///
    /// `TenantUnknown`.
    pub fn tools(&self, tenant: &str) -> Result<Option<Arc<dyn Tools>>> {
        Ok(self.tenants.get(tenant)?.services_now(&self.registry, &self.secrets, &self.env, &self.metrics).mcp)
    }

    /// Where secrets are read; what was read is kept for a while.
    pub fn secrets_manager(&self) -> &Arc<dyn SecretsManager> {
        &self.secrets
    }

    /// The deployment environment.
    pub fn env(&self) -> &Id {
        &self.env
    }

    /// A tenant's packs and configuration.
    pub fn tenant(&self, tenant: &str) -> Option<TenantHandle> {
        let tenant = self.tenants.get(tenant).ok()?;
        Some(TenantHandle { config: Arc::clone(tenant.config()), loaded: tenant.loaded()? })
    }

    /// The configurations of all tenants, sorted by tenant.
    pub fn tenant_configs(&self) -> Vec<Arc<HostConfig>> {
        let mut configs: Vec<_> = self.tenants.iter().map(|(_, tenant)| Arc::clone(tenant.config())).collect();
        configs.sort_by(|a, b| a.tenant().cmp(b.tenant()));
        configs
    }

    /// The ids of all tenants, sorted.
    pub fn tenant_ids(&self) -> Vec<Id> {
        let mut ids: Vec<_> = self.tenants.iter().map(|(id, _)| id.clone()).collect();
        ids.sort_unstable();
        ids
    }

    /// The tenants that have a pack, with it, sorted by tenant.
    pub fn active_packs(&self) -> Vec<(Id, Arc<Loaded>)> {
        let mut packs: Vec<_> =
            self.tenants.iter().filter_map(|(id, tenant)| Some((id.clone(), tenant.loaded()?))).collect();
        packs.sort_by(|a, b| a.0.cmp(&b.0));
        packs
    }

    /// Which packs it accepts.
    pub fn trust(&self) -> &TrustPolicy {
        &self.trust
    }

    /// How the host is.
    pub fn health_state(&self) -> Health {
        let mut health = self.health.lock().clone();
        health.started = self.lanes.is_open();
        health.active_packs = self.active_packs().len();
        health
    }

    /// What is under way in this process.
    pub fn under_way(&self) -> Load {
        self.lanes.load()
    }

    /// How much is stored.
    pub async fn counts(&self) -> Result<Counts> {
        self.store.counts().await
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Where it reads the time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What prepares components, for callers that invoke a component outside a flow.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }
}

/// A tenant with loaded packs.
#[derive(Clone, Debug)]
pub struct TenantHandle {
    config: Arc<HostConfig>,
    loaded: Arc<Loaded>,
}

impl TenantHandle {
    /// Its configuration.
    pub fn config(&self) -> &HostConfig {
        &self.config
    }

    /// Its packs, as runs execute them.
    pub fn pack(&self) -> &crate::run::program::Program {
        &self.loaded.program
    }

    /// What is odd about its packs.
    pub fn notes(&self) -> &[Error] {
        &self.loaded.notes
    }

    /// Its main pack, and where it came from.
    pub fn main(&self) -> &Sourced {
        &self.loaded.set.main
    }

    /// The packs over its main pack, in their order.
    pub fn overlays(&self) -> &[Sourced] {
        &self.loaded.set.overlays
    }

    /// The digests of all its packs, the main pack first.
    pub fn digests(&self) -> Vec<Digest> {
        self.loaded.set.digests()
    }

    /// The digests of its overlays.
    pub fn overlay_digests(&self) -> Vec<Digest> {
        self.overlays().iter().map(|overlay| overlay.pack.digest).collect()
    }

    /// The secrets that its packs ask for, sorted.
    pub fn required_secrets(&self) -> Vec<String> {
        self.loaded.required_secrets()
    }
}

impl std::fmt::Debug for RunnerHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunnerHost").field("tenants", &self.tenants).finish_non_exhaustive()
    }
}
