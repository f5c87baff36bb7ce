//! What the server needs of the host behind it, and the host as that.
//!
//! The border is a trait so that the server's own behaviour (overload, drain, streams) can be tested without a flow
//! that has to be slow or broken at the right moment.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::broadcast;

use crate::config::HostConfig;
use crate::error::Result;
use crate::flow::pick::Pick;
use crate::host::{Health, RunnerHost};
use crate::id::Id;
use crate::ingress::Channels;
use crate::run::event::{Event, FlowChoice};
use crate::run::outcome::Outcome;
use crate::run::trace::{TraceEvent, TraceFeed};
use crate::run::watch::RouteWatch;
use crate::store::{EventId, ReplyRoute, StoredReply};

/// A host as the server sees it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Accepts an event: it is stored, or known to be a repetition, when this returns.
    async fn submit(&self, event: Event) -> Result<Submitted>;

    /// Replies of `route` after `after`, oldest first, at most `limit`.
    async fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>>;

    /// Is told when `route` gets replies.
    fn watch(&self, route: &ReplyRoute) -> RouteWatch;

    /// What happens in runs from now on.
    fn trace(&self) -> broadcast::Receiver<Arc<TraceEvent>>;

    /// The tenants that are served.
    fn tenants(&self) -> Vec<Id>;

    /// The ways into a tenant; none if it is not served.
    fn channels(&self, tenant: &str) -> Option<Arc<Channels>>;

    /// How the host is.
    fn health(&self) -> Health;
}

/// An event that was accepted.
pub struct Submitted {
    /// The event; for a repetition the one that it repeats.
    pub event: EventId,
    /// Whether it repeats an event that was accepted before.
    pub duplicate: bool,
    /// Resolves when the event has been worked on. For a repetition of an event whose outcome nobody knows (any more)
    /// it fails with `DuplicateEvent`. It may be dropped: the event is worked on anyway.
    pub outcome: BoxFuture<'static, Result<Outcome>>,
}

impl fmt::Debug for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitted").field("event", &self.event).field("duplicate", &self.duplicate).finish()
    }
}

/// A host with the ways into its tenants.
#[derive(Debug)]
pub struct HostBackend {
    host: Arc<RunnerHost>,
    feed: TraceFeed,
    channels: HashMap<Id, Arc<Channels>>,
    tenants: Vec<Id>,
}

impl HostBackend {
    /// `host` with the ways that each tenant's bindings open. `feed` is the observer that the host was built with.
    pub fn new(host: Arc<RunnerHost>, feed: TraceFeed) -> Self {
        Self::with(host, feed, Channels::of_bindings)
    }

    /// `host` with every way open, for a server that only this machine reaches.
    pub fn loopback(host: Arc<RunnerHost>, feed: TraceFeed) -> Self {
        Self::with(host, feed, |_| Channels::loopback())
    }

    fn with(host: Arc<RunnerHost>, feed: TraceFeed, open: impl Fn(&HostConfig) -> Channels) -> Self {
        let configs = host.tenant_configs();
        let tenants = configs.iter().map(|config| config.tenant().clone()).collect();
        let channels = configs.iter().map(|config| (config.tenant().clone(), Arc::new(open(config)))).collect();
        Self { host, feed, channels, tenants }
    }
}

#[async_trait]
impl Backend for HostBackend {
    async fn submit(&self, event: Event) -> Result<Submitted> {
        // Anybody can name a flow in a path: what cannot run is refused before it is stored.
        if let (FlowChoice::Id(flow), Some(tenant)) = (&event.flow, self.host.tenant(&event.tenant)) {
            tenant.pack().flows.pick(Pick::Id(flow))?;
        }
        let submitted = self.host.submit(event).await?;
        let (event, duplicate) = (submitted.event, submitted.duplicate);
        Ok(Submitted { event, duplicate, outcome: submitted.outcome().boxed() })
    }

    async fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>> {
        self.host.replies(route, after, limit).await
    }

    fn watch(&self, route: &ReplyRoute) -> RouteWatch {
        self.host.watch(route)
    }

    fn trace(&self) -> broadcast::Receiver<Arc<TraceEvent>> {
        self.feed.subscribe()
    }

    fn tenants(&self) -> Vec<Id> {
        self.tenants.clone()
    }

    fn channels(&self, tenant: &str) -> Option<Arc<Channels>> {
        self.channels.get(tenant).cloned()
    }

    fn health(&self) -> Health {
        self.host.health_state()
    }
}
