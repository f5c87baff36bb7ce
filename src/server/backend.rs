//! What the server needs of the host behind it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{broadcast, watch};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::Id;
use crate::ingress::Channels;
use crate::run::event::Event;
use crate::run::trace::TraceEvent;
use crate::store::{EventId, ReplyRoute, StoredReply};

/// A host as the server sees it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Accepts an event: it is stored, or known to be a repetition, when this returns.
    async fn submit(&self, event: Event) -> Result<Submitted>;

    /// Replies of `route` after `after`, oldest first, at most `limit`.
    async fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>>;

    /// Changes whenever `route` may have got new replies.
    fn watch(&self, route: &ReplyRoute) -> watch::Receiver<u64>;

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
    /// Resolves when the event has been worked on. For a repetition of an event whose outcome nobody knows any more it
    /// fails with `DuplicateEvent`. It may be dropped: the event is worked on anyway.
    pub outcome: BoxFuture<'static, Result<Outcome>>,
}

impl fmt::Debug for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitted").field("event", &self.event).field("duplicate", &self.duplicate).finish()
    }
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How its run stands.
    pub status: OutcomeStatus,
    /// The replies that it made.
    pub replies: Vec<Value>,
}

/// How a run stands after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeStatus {
    /// It is over.
    Completed,
    /// It waits for the next event of its session.
    Waiting,
}

/// How a host is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether telemetry can be sent, or is not wanted.
    pub telemetry_ready: bool,
    /// Whether secrets can be read, or are not wanted.
    pub secrets_ready: bool,
    /// How many packs are loaded.
    pub active_packs: usize,
    /// When packs were last loaded.
    pub last_reload: Option<Timestamp>,
    /// What went wrong last, fit to be shown to anybody.
    pub last_error: Option<String>,
}
