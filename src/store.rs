//! The store: everything the host remembers, cut as the transactions that keep the promise "accepted is never
//! lost, stored effects happen once".
//!
//! In: events, checkpoints and outcomes from `run`. Out: what is to be done next. The room knows nothing of
//! flows, components or HTTP: payloads, run heads and journal entries are bytes to it. Each method of [`Store`]
//! is one transaction: all of it is stored when it returns `Ok`, nothing of it otherwise.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::id::Id;

pub mod memory;
pub mod redb;
#[cfg(test)]
mod suite;

pub use memory::MemoryStore;
pub use redb::RedbStore;

/// The most things that one call of [`Store::sweep`] forgets.
pub const SWEEP_BATCH: usize = 512;

/// The order of acceptance of an event, unique in a store and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId(pub u64);

/// A run of a flow, possibly over several events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub uuid::Uuid);

/// One session's queue. Events of a lane are worked on one after another in the order of their acceptance;
/// different lanes in parallel. The text is the session key in its injective stored form, with the tenant in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lane(pub Id);

/// Chooses lanes.
pub type LaneFilter<'a> = dyn Fn(&Lane) -> bool + Send + Sync + 'a;

/// An event to accept.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The tenant it belongs to.
    pub tenant: Id,
    /// The session's queue it goes to.
    pub lane: Lane,
    /// An event with one of the same keys that was accepted less than its `dedupe_ttl` ago makes this one a duplicate of
    /// it: platforms send one message under several ids. The caller scopes them by tenant and provider.
    pub dedupe: Vec<String>,
    /// How long the dedupe keys are remembered, from acceptance on.
    pub dedupe_ttl: Duration,
    /// The event itself.
    pub payload: Bytes,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When its caller stops waiting.
    pub deadline: Timestamp,
}

/// What became of an event that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored and will be worked on.
    New(EventId),
    /// The same event was accepted before, under this id.
    Duplicate(EventId),
}

/// The right to work on one event. Every later transaction on the event names it; a claim that was taken over by
/// another worker is refused with `ClaimLost`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimToken {
    /// The event.
    pub event: EventId,
    /// Its lane.
    pub lane: Lane,
    /// Grows with every claim of the event.
    pub fence: u64,
}

/// An event to work on.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The right to work on it.
    pub token: ClaimToken,
    /// Its tenant.
    pub tenant: Id,
    /// The event itself.
    pub payload: Bytes,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When its caller stops waiting.
    pub deadline: Timestamp,
    /// How often it was claimed, this time included. Where a process died, a claim that it may have made counts.
    pub attempts: u32,
    /// The run that an earlier claim of this event had begun, with its last checkpoint.
    pub run: Option<StoredRun>,
    /// The runs of this lane that wait for an event and have not expired, oldest first.
    pub waits: Vec<Wait>,
}

/// A run's last checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRun {
    /// The run.
    pub id: RunId,
    /// Where it stands; replaced at each checkpoint.
    pub head: Bytes,
    /// What it did; each checkpoint adds entries and changes none.
    pub journal: Vec<Bytes>,
}

/// A run that waits for the next event of its lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The run.
    pub run: RunId,
    /// The flow in which it waits, so that the caller can choose without loading the run.
    pub flow: Id,
    /// When the wait is given up.
    pub expires_at: Option<Timestamp>,
}

impl Wait {
    /// Whether it is given up at `now`.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// Whose data a state key belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StateScope {
    /// One session of one pack.
    Session {
        /// The tenant.
        tenant: Id,
        /// The pack.
        pack: Id,
        /// The session's lane.
        lane: Lane,
    },
    /// A pack's own namespace, shared by the tenant's sessions (`kv`).
    Pack {
        /// The tenant.
        tenant: Id,
        /// The pack.
        pack: Id,
        /// The guest's namespace.
        namespace: Id,
    },
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateWrite {
    /// Whose key.
    pub scope: StateScope,
    /// The key.
    pub key: String,
    /// The new value; none deletes it.
    pub value: Option<Bytes>,
}

/// Where replies wait to be fetched or sent: a conversation of a provider, in injective form with the tenant in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReplyRoute(pub Id);

/// A reply to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReply {
    /// Where it goes.
    pub route: ReplyRoute,
    /// The reply itself.
    pub payload: Bytes,
    /// When it was made.
    pub at: Timestamp,
}

/// A stored reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredReply {
    /// Its place in its route: one more than the reply before it. A route begins at 1, or, once [`Store::sweep`] has
    /// forgotten whole routes, after the highest place of those, so that a place is never used twice in a route.
    pub seq: u64,
    /// The reply itself.
    pub payload: Bytes,
    /// When it was made.
    pub at: Timestamp,
}

/// A run's progress within one event.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The run. The first checkpoint of a resumed run names the waiting run and thereby ends its wait.
    pub run: RunId,
    /// Where it stands now.
    pub head: Bytes,
    /// New journal entries.
    pub journal: Vec<Bytes>,
    /// State changes since the last checkpoint.
    pub state: Vec<StateWrite>,
    /// Replies since the last checkpoint.
    pub replies: Vec<NewReply>,
}

/// The end of an event that went well.
#[derive(Clone, Debug)]
pub struct Completion {
    /// State changes since the last checkpoint.
    pub state: Vec<StateWrite>,
    /// Replies since the last checkpoint.
    pub replies: Vec<NewReply>,
    /// What becomes of the run.
    pub end: End,
}

/// What becomes of a run when its event is done.
#[derive(Clone, Debug)]
pub enum End {
    /// The run is over and forgotten. `run` names it if it was ever checkpointed or waiting.
    Finished {
        /// The run, if the store knows it.
        run: Option<RunId>,
    },
    /// The run waits for the next event of its lane.
    Waiting {
        /// The run as at a checkpoint.
        run: RunId,
        /// Where it stands.
        head: Bytes,
        /// New journal entries.
        journal: Vec<Bytes>,
        /// Whether `journal` takes the place of what is stored, so that a run that waits again and again does not grow.
        replaces: bool,
        /// The flow in which it waits.
        flow: Id,
        /// When the wait is given up.
        expires_at: Option<Timestamp>,
    },
}

/// An event that failed for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The error's code, as `GRH-0503`.
    pub code: String,
    /// The error's message.
    pub message: String,
    /// When it failed.
    pub at: Timestamp,
}

/// A failed event, kept with its run's last checkpoint until it is replayed or purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event.
    pub event: EventId,
    /// Its tenant.
    pub tenant: Id,
    /// Its lane.
    pub lane: Lane,
    /// The event itself.
    pub payload: Bytes,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Why it failed.
    pub failure: Failure,
}

/// How much is in a store, for health, metrics and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Events accepted and not done.
    pub events: u64,
    /// Runs kept: begun, waiting, or of a dead letter.
    pub runs: u64,
    /// Runs that wait.
    pub waits: u64,
    /// Journal entries kept.
    pub journal: u64,
    /// State keys.
    pub state: u64,
    /// Replies not fetched or sent.
    pub replies: u64,
    /// Dedupe keys remembered.
    pub dedupe: u64,
    /// Dead letters.
    pub dead: u64,
}

/// Reads of the state of guests.
#[async_trait]
pub trait StateReader: Send + Sync + 'static {
    /// The committed value of a key.
    async fn state_get(&self, scope: &StateScope, key: &str) -> Result<Option<Bytes>>;
}

/// The transactions of the host. See the module.
#[async_trait]
pub trait Store: StateReader {
    /// Stores an event unless its dedupe key is known.
    async fn accept(&self, event: NewEvent) -> Result<Accepted>;

    /// Takes the oldest event of `lane`. None if the lane is empty, or if its oldest event is claimed by a live
    /// worker: a claim is taken over when it is as old as `lease`, or when the process that held it is gone (which
    /// an embedded store knows when it opens). The taken-over worker is told so by `ClaimLost`.
    async fn claim(&self, lane: &Lane, now: Timestamp, lease: Duration) -> Result<Option<Claim>>;

    /// Lanes with events that nobody works on and that are `wanted`, the one that waits longest first, at most
    /// `limit`, for start-up and take-over.
    async fn idle_lanes(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: usize,
        wanted: &LaneFilter<'_>,
    ) -> Result<Vec<Lane>>;

    /// A waiting run of the claim's lane, to resume. None if it is gone, or had expired when the event was claimed.
    async fn load_wait(&self, claim: &ClaimToken, run: RunId) -> Result<Option<StoredRun>>;

    /// Stores a run's progress.
    async fn checkpoint(&self, claim: &ClaimToken, checkpoint: Checkpoint) -> Result<()>;

    /// Ends an event and what belongs to it. True if the lane holds a further event.
    async fn complete(&self, claim: &ClaimToken, completion: Completion) -> Result<bool>;

    /// Ends an event as a dead letter. What was not checkpointed is discarded. A wait that the event was about to
    /// resume, but never checkpointed, stays a wait, unless `ends` names its run: then the run goes with the dead
    /// letter. `replies` say so to whoever the event's replies go to. True if the lane holds a further event.
    async fn fail(
        &self,
        claim: &ClaimToken,
        failure: Failure,
        ends: Option<RunId>,
        replies: Vec<NewReply>,
    ) -> Result<bool>;

    /// Gives a claim back, so that the event can be claimed again at once. What was checkpointed stays.
    async fn release(&self, claim: &ClaimToken) -> Result<()>;

    /// Replies of `route` after `seq`, oldest first, at most `limit`.
    async fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>>;

    /// Dead letters, newest first, at most `limit`.
    async fn dead_letters(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<DeadLetter>>;

    /// Forgets expired waits, dedupe keys past their time, and replies and dead letters older than `keep`. A wait is
    /// spared while an event of its lane is claimed, which may be resuming it. Forgets at most [`SWEEP_BATCH`] things
    /// and returns how many, so that the caller goes on while it is not 0.
    async fn sweep(&self, now: Timestamp, keep: Duration) -> Result<u64>;

    /// What is in the store.
    async fn counts(&self) -> Result<Counts>;
}

/// The refusal of a claim that another worker took over, or whose event is done.
fn claim_lost(claim: &ClaimToken) -> Error {
    Error::new(Code::ClaimLost, format!("the claim on event {} is no longer valid", claim.event.0))
        .hint("the event was taken over or is done; drop what was computed for it")
}

/// The refusal of a run that does not belong to the claimed event.
fn foreign_run(claim: &ClaimToken, run: RunId) -> Error {
    Error::new(Code::Internal, format!("run {} does not belong to event {}", run.0, claim.event.0))
}
