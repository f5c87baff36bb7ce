//! What the server needs of the host behind it, and the host as that.
//!
//! The border is a trait so that the server's own behaviour (overload, drain, streams) can be tested without a flow
//! that has to be slow or broken at the right moment.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::broadcast;

use crate::config::HostConfig;
use crate::error::{Code, Error, Result};
use crate::flow::pick::Pick;
use crate::host::grants::GrantsStatus;
use crate::host::providers::health::ProvidersHealth;
use crate::host::providers::status::{ProviderStatus, ProvidersStatus};
use crate::host::{Health, RunnerHost};
use crate::id::Id;
use crate::oauth::Landing;
use crate::reload::status::{PacksStatus, ReloadReport};
use crate::reload::{Readiness, ReloadCounts, Reloads};
use crate::run::completion::Completer;
use crate::run::event::{Event, FlowChoice};
pub use crate::run::lanes::{Fits, Repeats, Waiter};
use crate::run::outcome::Outcome;
use crate::run::trace::{TraceEvent, TraceFeed};
use crate::run::watch::{ReplyWatch, RouteWatch};
use crate::secrets::SecretsManager;
use crate::store::{DeadLetter, EventId, Once, ReplyRoute, Store, StoredReply, Undelivered};
use crate::telemetry::Metrics;
use crate::tenant::Instance;
use crate::timers::{Timers, TimersStatus};

/// How long who asks what runs waits for stores of secrets.
const MOMENT: Duration = Duration::from_secs(2);

/// A host as the server sees it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Accepts an event: it is stored, or known to be a repetition, when this returns.
    async fn submit(&self, event: Event) -> Result<Submitted>;

    /// The same for a caller that waits for the replies first, where they are for it first: it gets replies that fit,
    /// others go to the event's route.
    async fn submit_for(&self, event: Event, fits: Fits) -> Result<Submitted>;

    /// The same for an event that acts once: its repetitions get what it ended with.
    async fn submit_once(&self, event: Event, once: Once) -> Result<Submitted>;

    /// Replies of `route` after `after`, oldest first, at most `limit`.
    async fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>>;

    /// Is told when `route` gets replies.
    fn watch(&self, route: &ReplyRoute) -> RouteWatch;

    /// Where replies wait to be sent, and what tells that they came.
    fn outbox(&self) -> Outbox;

    /// What happens in runs from now on.
    fn trace(&self) -> broadcast::Receiver<Arc<TraceEvent>>;

    /// The tenants that are served.
    fn tenants(&self) -> Vec<Id>;

    /// A tenant's configuration; none if it is not served.
    fn config(&self, tenant: &str) -> Option<Arc<HostConfig>>;

    /// The deployment environment.
    fn env(&self) -> Id;

    /// Where secrets are read.
    fn secrets(&self) -> Arc<dyn SecretsManager>;

    /// Whether the web chat and every webhook is open whatever the bindings say, because only this machine reaches the
    /// server.
    fn is_loopback(&self) -> bool;

    /// Lets events of which only ids are known be asked for by `completer`.
    async fn complete_with(&self, completer: Arc<dyn Completer>) -> Result<()>;

    /// Takes a browser that came back from a provider of OAuth, until `end` at the latest.
    async fn land(&self, tenant: &str, landing: Landing, end: Instant) -> Result<()>;

    /// How the host is.
    fn health(&self) -> Health;

    /// Whether events can be served, and why not.
    fn readiness(&self) -> Readiness;

    /// What runs.
    fn packs_status(&self) -> PacksStatus;

    /// Looks for the secrets that packs need, for a moment: who asks what runs should not wait for a store that hangs.
    async fn look_for_secrets(&self) {}

    /// Asks for a reload on behalf of `by` and returns its id; further requests may share it until it begins.
    fn request_reload(&self, by: &str) -> Result<String>;

    /// What became of a reload.
    fn reload(&self, id: &str) -> Option<ReloadReport>;

    /// Dead letters, newest first, at most `limit`.
    async fn dead_letters(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<DeadLetter>>;

    /// Makes a dead letter an event again, and returns as which.
    async fn replay(&self, event: EventId) -> Result<EventId>;

    /// Forgets a dead letter.
    async fn purge_dead(&self, event: EventId) -> Result<()>;

    /// Replies that could not be delivered, newest first, at most `limit`.
    async fn undelivered(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<Undelivered>>;

    /// Puts a reply that could not be delivered at the end of its route again.
    async fn resend(&self, id: u64) -> Result<()>;

    /// Forgets a reply that could not be delivered.
    async fn purge_undelivered(&self, id: u64) -> Result<()>;

    /// What it counts and measures; none if it does neither.
    fn metrics(&self) -> Option<Arc<Metrics>> {
        None
    }

    /// Brings metrics up to date that are only read now and then.
    async fn refresh_metrics(&self) -> Result<()> {
        Ok(())
    }

    /// Whether telemetry that is to be sent somewhere arrives there.
    fn is_telemetry_ready(&self) -> bool {
        true
    }

    /// How many reloads went well, and how many did not.
    fn reload_counts(&self) -> ReloadCounts {
        ReloadCounts::default()
    }

    /// What every tenant, or one, was granted and used; nothing unless it counts.
    fn grants(&self, _tenant: Option<&Id>) -> Result<GrantsStatus> {
        Ok(GrantsStatus::default())
    }

    /// The providers of every tenant, or of one.
    async fn providers(&self, _tenant: Option<&Id>) -> Result<ProvidersStatus> {
        Ok(ProvidersStatus::default())
    }

    /// How the providers of every tenant, or of one, say that they are.
    async fn provider_health(&self, _tenant: Option<&Id>) -> Result<ProvidersHealth> {
        Ok(ProvidersHealth::default())
    }

    /// Stores a provider; unless it can, no tenant is known.
    async fn put_provider(&self, tenant: &str, _instance: Instance) -> Result<ProviderStatus> {
        Err(no_tenant(tenant))
    }

    /// Enables or disables a stored provider.
    async fn enable_provider(&self, tenant: &str, _id: &str, _enabled: bool) -> Result<ProviderStatus> {
        Err(no_tenant(tenant))
    }

    /// Forgets a stored provider.
    async fn forget_provider(&self, tenant: &str, _id: &str) -> Result<()> {
        Err(no_tenant(tenant))
    }

    /// The timers that run; none unless it has any.
    fn timers(&self) -> TimersStatus {
        TimersStatus::default()
    }
}

fn no_tenant(tenant: &str) -> Error {
    Error::new(Code::TenantUnknown, format!("tenant {:?} stores no providers", crate::id::clip(tenant)))
}

/// Where replies wait to be sent.
pub struct Outbox {
    /// Where they are stored.
    pub store: Arc<dyn Store>,
    /// Tells that they came.
    pub watch: Arc<ReplyWatch>,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

/// An event that was accepted.
pub struct Submitted {
    /// The event; for a repetition the one that it repeats.
    pub event: EventId,
    /// Whether it repeats an event that was accepted before.
    pub duplicate: bool,
    /// What it repeats, where it was submitted to act once.
    pub repeats: Option<Repeats>,
    /// Resolves when the event has been worked on. For a repetition of an event whose outcome nobody knows (any more)
    /// it fails with `DuplicateEvent`. It may be dropped: the event is worked on anyway.
    pub outcome: BoxFuture<'static, Result<Outcome>>,
    /// Waits for the replies of an event whose replies are for its caller first, until it is dropped.
    pub waiter: Waiter,
}

impl From<crate::run::lanes::Submitted> for Submitted {
    fn from(mut submitted: crate::run::lanes::Submitted) -> Self {
        let (event, duplicate, repeats) = (submitted.event, submitted.duplicate, submitted.repeats);
        let waiter = submitted.take_waiter();
        Self { event, duplicate, repeats, outcome: submitted.outcome().boxed(), waiter }
    }
}

impl fmt::Debug for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitted").field("event", &self.event).field("duplicate", &self.duplicate).finish()
    }
}

/// A host with the ways into its tenants.
pub struct HostBackend {
    host: Arc<RunnerHost>,
    feed: TraceFeed,
    reloads: Option<Arc<dyn Reloads>>,
    timers: Option<Arc<Timers>>,
    configs: HashMap<Id, Arc<HostConfig>>,
    tenants: Vec<Id>,
    loopback: bool,
}

impl HostBackend {
    /// `host` with the ways that each tenant's bindings open. `feed` is the observer that the host was built with.
    pub fn new(host: Arc<RunnerHost>, feed: TraceFeed) -> Self {
        Self::with(host, feed, false)
    }

    /// `host` with every way open, for a server that only this machine reaches.
    pub fn loopback(host: Arc<RunnerHost>, feed: TraceFeed) -> Self {
        Self::with(host, feed, true)
    }

    fn with(host: Arc<RunnerHost>, feed: TraceFeed, loopback: bool) -> Self {
        let configs = host.tenant_configs();
        let tenants = configs.iter().map(|config| config.tenant().clone()).collect();
        let configs = configs.into_iter().map(|config| (config.tenant().clone(), config)).collect();
        Self { host, feed, reloads: None, timers: None, configs, tenants, loopback }
    }

    /// Anybody can name a flow in a path: what cannot run is refused before it is stored.
    fn check(&self, event: &Event) -> Result<()> {
        match (&event.flow, self.host.tenant(&event.tenant)) {
            (FlowChoice::Id(flow), Some(tenant)) => tenant.pack().flows.pick(Pick::Id(flow)).map(drop),
            _ => Ok(()),
        }
    }

    /// The same, with what reloads the host's packs.
    #[must_use]
    pub fn with_reloads(mut self, reloads: Arc<dyn Reloads>) -> Self {
        self.reloads = Some(reloads);
        self
    }

    /// The same, with the host's timers.
    #[must_use]
    pub fn with_timers(mut self, timers: Arc<Timers>) -> Self {
        self.timers = Some(timers);
        self
    }
}

#[async_trait]
impl Backend for HostBackend {
    async fn submit(&self, event: Event) -> Result<Submitted> {
        self.check(&event)?;
        self.host.submit(event).await.map(Submitted::from)
    }

    async fn submit_for(&self, event: Event, fits: Fits) -> Result<Submitted> {
        self.check(&event)?;
        self.host.submit_for(event, fits).await.map(Submitted::from)
    }

    async fn submit_once(&self, event: Event, once: Once) -> Result<Submitted> {
        self.check(&event)?;
        self.host.submit_once(event, once).await.map(Submitted::from)
    }

    async fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>> {
        self.host.replies(route, after, limit).await
    }

    fn watch(&self, route: &ReplyRoute) -> RouteWatch {
        self.host.watch(route)
    }

    fn outbox(&self) -> Outbox {
        Outbox { store: Arc::clone(self.host.store()), watch: Arc::clone(self.host.reply_watch()) }
    }

    fn trace(&self) -> broadcast::Receiver<Arc<TraceEvent>> {
        self.feed.subscribe()
    }

    fn tenants(&self) -> Vec<Id> {
        self.tenants.clone()
    }

    fn config(&self, tenant: &str) -> Option<Arc<HostConfig>> {
        self.configs.get(tenant).cloned()
    }

    fn env(&self) -> Id {
        self.host.env().clone()
    }

    fn secrets(&self) -> Arc<dyn SecretsManager> {
        Arc::clone(self.host.secrets_manager())
    }

    fn is_loopback(&self) -> bool {
        self.loopback
    }

    async fn complete_with(&self, completer: Arc<dyn Completer>) -> Result<()> {
        self.host.complete_with(completer).await
    }

    async fn land(&self, tenant: &str, landing: Landing, end: Instant) -> Result<()> {
        self.host.land(tenant, landing, end).await
    }

    fn health(&self) -> Health {
        self.host.health_state()
    }
    fn readiness(&self) -> Readiness {
        let health = self.host.health_state();
        match &self.reloads {
            _ if !health.started => Readiness::not_yet(Code::NotRunning),
            Some(reloads) => reloads.readiness(),
            // Packs were given once, and whoever gave them knows which tenants have none.
            None if health.active_packs == 0 => Readiness::not_yet(Code::PackNotLoaded),
            None => Readiness::unless(Vec::new()),
        }
    }

    fn packs_status(&self) -> PacksStatus {
        self.reloads.as_ref().map_or_else(|| PacksStatus::of_host(&self.host), |reloads| reloads.status())
    }

    async fn look_for_secrets(&self) {
        let host = Arc::clone(&self.host);
        // Goes on behind the answer if it takes longer, for the next one to know.
        let looking = tokio::spawn(async move { host.look_for_secrets().await });
        let _ = tokio::time::timeout(MOMENT, looking).await;
    }

    fn request_reload(&self, by: &str) -> Result<String> {
        match &self.reloads {
            Some(reloads) => reloads.request(by),
            None => Err(Error::new(Code::NoReloads, "this host loaded its packs once and does not reload them")),
        }
    }

    fn reload(&self, id: &str) -> Option<ReloadReport> {
        self.reloads.as_ref()?.report(id)
    }

    async fn dead_letters(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<DeadLetter>> {
        self.host.store().dead_letters(tenant, limit).await
    }

    async fn replay(&self, event: EventId) -> Result<EventId> {
        self.host.replay(event).await
    }

    async fn purge_dead(&self, event: EventId) -> Result<()> {
        self.host.purge_dead(event).await
    }

    async fn undelivered(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<Undelivered>> {
        self.host.store().undelivered_replies(tenant, limit).await
    }

    async fn resend(&self, id: u64) -> Result<()> {
        self.host.resend(id).await.map(drop)
    }

    async fn purge_undelivered(&self, id: u64) -> Result<()> {
        self.host.purge_undelivered(id).await
    }

    fn metrics(&self) -> Option<Arc<Metrics>> {
        Some(Arc::clone(self.host.metrics()))
    }

    async fn refresh_metrics(&self) -> Result<()> {
        self.host.read_store().await
    }

    fn is_telemetry_ready(&self) -> bool {
        self.host.is_telemetry_ready()
    }

    fn reload_counts(&self) -> ReloadCounts {
        self.reloads.as_ref().map(|reloads| reloads.counts()).unwrap_or_default()
    }

    fn grants(&self, tenant: Option<&Id>) -> Result<GrantsStatus> {
        self.host.grants(tenant)
    }

    async fn providers(&self, tenant: Option<&Id>) -> Result<ProvidersStatus> {
        self.host.providers(tenant).await
    }

    async fn provider_health(&self, tenant: Option<&Id>) -> Result<ProvidersHealth> {
        self.host.provider_health(tenant).await
    }

    async fn put_provider(&self, tenant: &str, instance: Instance) -> Result<ProviderStatus> {
        self.host.put_provider(tenant, instance).await
    }

    async fn enable_provider(&self, tenant: &str, id: &str, enabled: bool) -> Result<ProviderStatus> {
        self.host.enable_provider(tenant, id, enabled).await
    }

    async fn forget_provider(&self, tenant: &str, id: &str) -> Result<()> {
        self.host.forget_provider(tenant, id).await
    }

    fn timers(&self) -> TimersStatus {
        self.timers.as_ref().map(|timers| timers.status()).unwrap_or_default()
    }
}

impl fmt::Debug for HostBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBackend").field("host", &self.host).finish_non_exhaustive()
    }
}
