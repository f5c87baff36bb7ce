//! What observers see of a run while it happens: the chat page, `run` on a terminal, tests.

use serde::Serialize;

use crate::abi::call::HostCall;
use crate::clock::Timestamp;
use crate::id::Id;
use crate::store::{EventId, RunId};

/// Something that happened in a run.
#[derive(Clone, Debug, Serialize)]
pub struct TraceEvent {
    /// The tenant.
    pub tenant: Id,
    /// The session key as it is shown.
    pub session: Id,
    /// The event that is worked on.
    pub event: EventId,
    /// The run.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A run began.
    Started {
        /// Its flow.
        flow: Id,
    },
    /// A waiting run went on.
    Resumed {
        /// Its flow.
        flow: Id,
        /// The node at which it goes on.
        node: Id,
    },
    /// A node was executed.
    Node {
        /// The flow.
        flow: Id,
        /// The node.
        node: Id,
        /// What it does: `provider.invoke echo/say`, `session.wait`, `emit.response`, …
        action: String,
        /// Whether it went well.
        ok: bool,
        /// Which attempt, from 1 on.
        attempt: u32,
        /// How long it took.
        micros: u64,
        /// What its component asked of the host.
        host_calls: Vec<HostCall>,
        /// The error's code and message, if it failed.
        error: Option<String>,
    },
    /// A node was left out, because its condition does not hold.
    Skipped {
        /// The flow.
        flow: Id,
        /// The node.
        node: Id,
    },
    /// A component made the run go on in another flow.
    Jumped {
        /// The flow in which it goes on.
        flow: Id,
        /// The node at which it goes on.
        node: Id,
        /// Why, where the component says so.
        reason: Option<String>,
    },
    /// The run's progress was stored.
    Checkpoint {
        /// How many steps it has taken so far.
        steps: u32,
    },
    /// The run waits for the next event of its session.
    Waiting {
        /// The node at which it will go on.
        node: Id,
        /// Why it waits.
        reason: Option<String>,
    },
    /// The run is over.
    Finished {
        /// How many steps it took.
        steps: u32,
        /// How long the event took from acceptance on.
        micros: u64,
    },
    /// The run failed.
    Failed {
        /// The error's code.
        code: String,
        /// The error's message.
        message: String,
    },
}

/// Sees what happens in runs. Must return at once.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, event: &TraceEvent);

    /// Whether anybody looks now. While nobody does, nothing is recorded for observers.
    fn is_watching(&self) -> bool {
        true
    }
}

/// An observer that passes everything on to whoever listens; who is too slow misses the oldest.
#[derive(Clone, Debug)]
pub struct TraceFeed(tokio::sync::broadcast::Sender<std::sync::Arc<TraceEvent>>);

impl TraceFeed {
    /// A feed that keeps `capacity` events for slow listeners.
    pub fn new(capacity: usize) -> Self {
        Self(tokio::sync::broadcast::Sender::new(capacity))
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> tokio::sync::broadcast::Receiver<std::sync::Arc<TraceEvent>> {
        self.0.subscribe()
    }
}

impl Observer for TraceFeed {
    fn observe(&self, event: &TraceEvent) {
        // Fails only if the last listener has just gone.
        let _ = self.0.send(std::sync::Arc::new(event.clone()));
    }

    fn is_watching(&self) -> bool {
        self.0.receiver_count() > 0
    }
}
