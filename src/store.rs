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
use crate::telemetry::TraceContext;

mod marks;
pub mod memory;
mod once;
mod outgoing;
pub mod redb;
#[cfg(test)]
mod suite;
mod vault;

pub use marks::Mark;
pub use memory::MemoryStore;
pub use once::{Kept, MAX_RESULT, Once, Repeated};
pub use outgoing::{Begun, Outgoing, RouteFilter, Undelivered};
pub use redb::RedbStore;
pub use vault::VaultEntry;

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
    /// Makes its repetitions answerable as long as its dedupe keys are remembered.
    pub once: Option<Once>,
    /// The event itself.
    pub payload: Bytes,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When its caller stops waiting.
    pub deadline: Timestamp,
}

/// What became of an event that was offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored and will be worked on.
    New(EventId),
    /// It was accepted before.
    Duplicate(Repeated),
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
    /// The event as which it was accepted; another one if it was replayed since.
    pub origin: EventId,
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
    /// Whether that run still waits for this event: it went with the event when that became a dead letter, and there was
    /// no checkpoint since.
    pub resumes: bool,
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

impl ReplyRoute {
    /// The tenant, with which the text begins.
    pub fn tenant(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }
}

/// A reply to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReply {
    /// Where it goes.
    pub route: ReplyRoute,
    /// The reply itself.
    pub payload: Bytes,
    /// When it was made.
    pub at: Timestamp,
    /// The span in which it was made, of which its sending is a part.
    pub trace: Option<TraceContext>,
}

/// A stored reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredReply {
    /// Its place in its route: one more than the reply before it. A route begins at 1, or, once routes were forgotten
    /// whose last reply was sent or swept, after the highest place of those, so that a place is never used twice in a
    /// route.
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
    /// What repetitions of an event with [`NewEvent::once`] learn; not kept beyond [`MAX_RESULT`] bytes.
    pub result: Option<Bytes>,
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
    /// The event as which it was accepted; another one if it was replayed since, and failed again.
    pub origin: EventId,
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

/// A dead letter that is an event again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The event that it is now.
    pub event: EventId,
    /// Its lane.
    pub lane: Lane,
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
    /// Events whose repetitions are answered.
    pub once: u64,
    /// Dead letters.
    pub dead: u64,
    /// Replies that could not be delivered.
    pub undelivered: u64,
}

/// Reads of the state of guests.
#[async_trait]
pub trait StateReader: Send + Sync + 'static {
    /// The committed value of a key.
    async fn state_get(&self, scope: &StateScope, key: &str) -> Result<Option<Bytes>>;
}

/// The transactions of the host. See the module.
///
/// Anybody may call them, also at the same time, but for those that send replies: [`Store::next_reply`] to
/// [`Store::undelivered`] are one courier's per store, which sends a route's replies one after another. Two of them
/// would send the same reply twice. What nobody sends (of a client that fetches by place) no courier touches.
#[async_trait]
pub trait Store: StateReader {
    /// Stores an event unless one of its dedupe keys is known, or only by the event that it supersedes.
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

    /// Routes that hold replies and are `wanted`, at most `limit`, the one whose oldest reply waits longest first: for
    /// start-up, as it looks at all of them.
    async fn unsent_routes(&self, limit: usize, wanted: &RouteFilter<'_>) -> Result<Vec<ReplyRoute>>;

    /// The oldest reply of `route`, and how far its sending is.
    async fn next_reply(&self, route: &ReplyRoute) -> Result<Option<Outgoing>>;

    /// Notes that the parts of a reply before `part` are done, and that `part` is about to be sent. Until more is known
    /// of that, [`Outgoing::begun`] says so. Like everything about the sending of a reply, it is refused with
    /// `ReplyGone` unless `seq` is the oldest reply of `route`.
    async fn begin_part(&self, route: &ReplyRoute, seq: u64, part: u32) -> Result<()>;

    /// Notes that the parts of a reply before `part` are done, and that `part` was certainly not taken, was not tried, or
    /// is where to begin if the reply is sent again.
    async fn clear_part(&self, route: &ReplyRoute, seq: u64, part: u32) -> Result<()>;

    /// Forgets a reply that was delivered. True if its route holds a further one.
    async fn sent(&self, route: &ReplyRoute, seq: u64) -> Result<bool>;

    /// Takes a reply off its route and keeps it among those that could not be delivered. True if its route holds a
    /// further one.
    async fn undelivered(&self, route: &ReplyRoute, seq: u64, failure: Failure) -> Result<bool>;

    /// Replies that could not be delivered, those that failed last first, at most `limit`.
    async fn undelivered_replies(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<Undelivered>>;

    /// Puts a reply that could not be delivered at the end of its route, to be sent from its first part on that is not
    /// known to be done; what was begun and may have arrived is sent again. Returns the route; none if there is no such
    /// reply.
    async fn resend(&self, id: u64, now: Timestamp) -> Result<Option<ReplyRoute>>;

    /// Forgets a reply that could not be delivered. False if there is no such reply.
    async fn purge_undelivered(&self, id: u64) -> Result<bool>;

    /// Dead letters, newest first, at most `limit`.
    async fn dead_letters(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<DeadLetter>>;

    /// A dead letter.
    async fn dead_letter(&self, event: EventId) -> Result<Option<DeadLetter>>;

    /// Makes a dead letter an event of its lane again, under a new id and behind those that are there; it was accepted
    /// when it was. It goes on at its run's last checkpoint, and with the wait that it took along ([`Claim::resumes`]).
    /// Its claims are counted anew. Its dedupe keys stay those of the event as which it was accepted: repetitions of
    /// that are repetitions still. None if there is no such dead letter.
    async fn replay(&self, event: EventId, deadline: Timestamp) -> Result<Option<Replayed>>;

    /// Forgets a dead letter and its run. False if there is no such dead letter.
    async fn purge_dead(&self, event: EventId) -> Result<bool>;

    /// Keeps a mark for good, unless one is kept under its key that it does not replace. What was kept there before.
    async fn mark(&self, mark: Mark) -> Result<Option<Bytes>>;

    /// Keeps an entry of the vault, in place of what is kept under its key.
    async fn vault_put(&self, entry: VaultEntry) -> Result<()>;

    /// What is kept under a key of the vault.
    async fn vault_get(&self, key: &str, now: Timestamp) -> Result<Option<Bytes>>;

    /// Forgets what is kept under a key of the vault, and gives it to this caller and to no other.
    async fn vault_take(&self, key: &str, now: Timestamp) -> Result<Option<Bytes>>;

    /// Whether an event was accepted and is not done.
    async fn is_pending(&self, event: EventId) -> Result<bool>;

    /// Forgets expired waits, dedupe keys and entries of the vault past their time, and replies, undelivered ones and dead letters older than
    /// `keep`. A wait is spared while an event of its lane is claimed, which may be resuming it. Forgets at most
    /// [`SWEEP_BATCH`] things and returns how many, so that the caller goes on while it is not 0.
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

/// The refusal of an event that is no dead letter.
pub(crate) fn unknown_dead_letter(event: EventId) -> Error {
    Error::new(Code::DeadLetterUnknown, format!("event {} is no dead letter", event.0))
        .hint("list them with GET /admin/dead-letters")
}
