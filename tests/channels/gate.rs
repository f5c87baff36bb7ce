//! A store that holds the work on some sessions back until a test lets it go: flows that hang, exactly as long as wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use greentic_runner_host::Result;
use greentic_runner_host::clock::Timestamp;
use greentic_runner_host::error::{Code, Error};
use greentic_runner_host::id::Id;
use greentic_runner_host::store::{
    Accepted, Checkpoint, Claim, ClaimToken, Completion, Counts, DeadLetter, EventId, Failure, Lane, LaneFilter, Mark,
    MemoryStore, NewEvent, NewReply, Outgoing, Replayed, ReplyRoute, RouteFilter, RunId, StateReader, StateScope,
    Store, StoredReply, StoredRun, Undelivered,
};
use tokio::sync::Semaphore;

/// Sessions with this word in them are held back.
pub(crate) const HELD: &str = "held";

/// The first event of a session with this word in it cannot be accepted at first.
pub(crate) const STUMBLING: &str = "stumbling";

/// What keeps what users say before it is their sessions' turn is neither held back nor does it stumble.
fn is_session(lane: &Lane, word: &str) -> bool {
    lane.0.contains(word) && !lane.0.ends_with(":relay")
}

pub(crate) struct Gate {
    store: MemoryStore,
    open: Arc<Semaphore>,
    stumbled: AtomicBool,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { store: MemoryStore::default(), open: Arc::new(Semaphore::new(0)), stumbled: AtomicBool::new(false) }
    }

    /// Lets everything go that is held or will be.
    pub(crate) fn open(&self) {
        self.open.close();
    }
}

#[async_trait]
impl StateReader for Gate {
    async fn state_get(&self, scope: &StateScope, key: &str) -> Result<Option<Bytes>> {
        self.store.state_get(scope, key).await
    }
}

#[async_trait]
impl Store for Gate {
    async fn accept(&self, event: NewEvent) -> Result<Accepted> {
        if is_session(&event.lane, STUMBLING) && !self.stumbled.swap(true, Ordering::SeqCst) {
            return Err(Error::new(Code::StoreFailed, "the disk is busy"));
        }
        self.store.accept(event).await
    }

    async fn claim(&self, lane: &Lane, now: Timestamp, lease: Duration) -> Result<Option<Claim>> {
        if is_session(lane, HELD) {
            drop(self.open.acquire().await);
        }
        self.store.claim(lane, now, lease).await
    }

    async fn idle_lanes(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: usize,
        wanted: &LaneFilter<'_>,
    ) -> Result<Vec<Lane>> {
        self.store.idle_lanes(now, lease, limit, wanted).await
    }

    async fn load_wait(&self, claim: &ClaimToken, run: RunId) -> Result<Option<StoredRun>> {
        self.store.load_wait(claim, run).await
    }

    async fn checkpoint(&self, claim: &ClaimToken, checkpoint: Checkpoint) -> Result<()> {
        self.store.checkpoint(claim, checkpoint).await
    }

    async fn complete(&self, claim: &ClaimToken, completion: Completion) -> Result<bool> {
        self.store.complete(claim, completion).await
    }

    async fn fail(
        &self,
        claim: &ClaimToken,
        failure: Failure,
        ends: Option<RunId>,
        replies: Vec<NewReply>,
    ) -> Result<bool> {
        self.store.fail(claim, failure, ends, replies).await
    }

    async fn release(&self, claim: &ClaimToken) -> Result<()> {
        self.store.release(claim).await
    }

    async fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>> {
        self.store.replies(route, after, limit).await
    }

    async fn unsent_routes(&self, limit: usize, wanted: &RouteFilter<'_>) -> Result<Vec<ReplyRoute>> {
        self.store.unsent_routes(limit, wanted).await
    }

    async fn next_reply(&self, route: &ReplyRoute) -> Result<Option<Outgoing>> {
        self.store.next_reply(route).await
    }

    async fn begin_part(&self, route: &ReplyRoute, seq: u64, part: u32) -> Result<()> {
        self.store.begin_part(route, seq, part).await
    }

    async fn clear_part(&self, route: &ReplyRoute, seq: u64, part: u32) -> Result<()> {
        self.store.clear_part(route, seq, part).await
    }

    async fn sent(&self, route: &ReplyRoute, seq: u64) -> Result<bool> {
        self.store.sent(route, seq).await
    }

    async fn undelivered(&self, route: &ReplyRoute, seq: u64, failure: Failure) -> Result<bool> {
        self.store.undelivered(route, seq, failure).await
    }

    async fn undelivered_replies(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<Undelivered>> {
        self.store.undelivered_replies(tenant, limit).await
    }

    async fn resend(&self, id: u64, now: Timestamp) -> Result<Option<ReplyRoute>> {
        self.store.resend(id, now).await
    }

    async fn purge_undelivered(&self, id: u64) -> Result<bool> {
        self.store.purge_undelivered(id).await
    }

    async fn dead_letters(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<DeadLetter>> {
        self.store.dead_letters(tenant, limit).await
    }

    async fn dead_letter(&self, event: EventId) -> Result<Option<DeadLetter>> {
        self.store.dead_letter(event).await
    }

    async fn replay(&self, event: EventId, deadline: Timestamp) -> Result<Option<Replayed>> {
        self.store.replay(event, deadline).await
    }

    async fn purge_dead(&self, event: EventId) -> Result<bool> {
        self.store.purge_dead(event).await
    }

    async fn mark(&self, mark: Mark) -> Result<Option<Bytes>> {
        self.store.mark(mark).await
    }

    async fn is_pending(&self, event: EventId) -> Result<bool> {
        self.store.is_pending(event).await
    }

    async fn sweep(&self, now: Timestamp, keep: Duration) -> Result<u64> {
        self.store.sweep(now, keep).await
    }

    async fn counts(&self) -> Result<Counts> {
        self.store.counts().await
    }
}
