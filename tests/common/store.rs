//! A store in which a test has a hand: it sees every transaction, and may hold it back or let it fail.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use greentic_runner_host::Result;
use greentic_runner_host::clock::Timestamp;
use greentic_runner_host::id::Id;
use greentic_runner_host::store::{
    Accepted, Checkpoint, Claim, ClaimToken, Completion, Counts, DeadLetter, EventId, Failure, Lane, LaneFilter, Mark,
    NewEvent, NewReply, Outgoing, Replayed, ReplyRoute, RouteFilter, RunId, StateReader, StateScope, Store,
    StoredReply, StoredRun, Undelivered, VaultEntry,
};

/// What a test does about the transactions of a store.
#[async_trait]
pub(crate) trait Hand: Send + Sync + 'static {
    /// Before a transaction, which is about a lane or about none. An error is what becomes of it.
    async fn before(&self, transaction: &str, lane: Option<&Lane>) -> Result<()>;

    /// After a transaction.
    fn after(&self, _transaction: &str) {}
}

/// A store with a hand in it.
pub(crate) struct Handled<H> {
    real: Arc<dyn Store>,
    pub(crate) hand: H,
}

impl<H> Handled<H> {
    pub(crate) fn new(real: Arc<dyn Store>, hand: H) -> Arc<Self> {
        Arc::new(Self { real, hand })
    }
}

#[async_trait]
impl<H: Hand> StateReader for Handled<H> {
    async fn state_get(&self, scope: &StateScope, key: &str) -> Result<Option<Bytes>> {
        self.real.state_get(scope, key).await
    }
}

macro_rules! handled {
    ($($name:ident($($arg:ident: $type:ty),*) -> $result:ty $([$lane:expr])?;)*) => {
        #[async_trait]
        impl<H: Hand> Store for Handled<H> {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$result> {
                self.hand.before(stringify!($name), None$(.or(Some(&$lane)))?).await?;
                let result = self.real.$name($($arg),*).await;
                self.hand.after(stringify!($name));
                result
            })*
        }
    };
}

handled! {
    accept(event: NewEvent) -> Accepted [event.lane];
    claim(lane: &Lane, now: Timestamp, lease: Duration) -> Option<Claim> [*lane];
    idle_lanes(now: Timestamp, lease: Duration, limit: usize, wanted: &LaneFilter<'_>) -> Vec<Lane>;
    load_wait(claim: &ClaimToken, run: RunId) -> Option<StoredRun>;
    checkpoint(claim: &ClaimToken, checkpoint: Checkpoint) -> ();
    complete(claim: &ClaimToken, completion: Completion) -> bool;
    fail(claim: &ClaimToken, failure: Failure, ends: Option<RunId>, replies: Vec<NewReply>) -> bool;
    release(claim: &ClaimToken) -> ();
    replies(route: &ReplyRoute, after: u64, limit: usize) -> Vec<StoredReply>;
    unsent_routes(limit: usize, wanted: &RouteFilter<'_>) -> Vec<ReplyRoute>;
    next_reply(route: &ReplyRoute) -> Option<Outgoing>;
    begin_part(route: &ReplyRoute, seq: u64, part: u32) -> ();
    clear_part(route: &ReplyRoute, seq: u64, part: u32) -> ();
    sent(route: &ReplyRoute, seq: u64) -> bool;
    undelivered(route: &ReplyRoute, seq: u64, failure: Failure) -> bool;
    undelivered_replies(tenant: Option<&Id>, limit: usize) -> Vec<Undelivered>;
    resend(id: u64, now: Timestamp) -> Option<ReplyRoute>;
    purge_undelivered(id: u64) -> bool;
    dead_letters(tenant: Option<&Id>, limit: usize) -> Vec<DeadLetter>;
    dead_letter(event: EventId) -> Option<DeadLetter>;
    replay(event: EventId, deadline: Timestamp) -> Option<Replayed>;
    purge_dead(event: EventId) -> bool;
    mark(mark: Mark) -> Option<Bytes>;
    vault_put(entry: VaultEntry) -> ();
    vault_get(key: &str, now: Timestamp) -> Option<Bytes>;
    vault_take(key: &str, now: Timestamp) -> Option<Bytes>;
    is_pending(event: EventId) -> bool;
    sweep(now: Timestamp, keep: Duration) -> u64;
    counts() -> Counts;
}
