//! The default store: one file in a private directory, held by one process.
//!
//! In: the transactions of [`Store`]. Out: `Ok` once they are on disk, so that a crash at any time loses nothing that
//! was answered. The file holds what is not finished, dedupe keys until their time, and replies and dead letters until
//! they are swept; whatever a process left claimed is free to claim when the next one opens the store.
//!
//! Writes of concurrent callers share a commit (see `writer`). Reads run beside them on what was committed last. After
//! an I/O error every call answers with an error until the file can be opened again; it is tried with every write. Of
//! the very write that met the error it is not known whether it reached the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;
use redb::{ReadTransaction, ReadableDatabase};

use super::{
    Accepted, Checkpoint, Claim, ClaimToken, Completion, Counts, DeadLetter, EventId, Failure, Lane, LaneFilter, Mark,
    NewEvent, NewReply, Outgoing, Replayed, ReplyRoute, RouteFilter, RunId, StateReader, StateScope, Store,
    StoredReply, StoredRun, Undelivered, VaultEntry,
};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use dir::Dir;
use fault::Fault;
use writer::{Opener, Shared, Writer};

mod dead;
mod dir;
mod fault;
mod marks;
mod once;
mod outgoing;
mod read;
mod record;
mod sweep;
mod tables;
#[cfg(test)]
mod tests;
mod vault;
mod write;
mod writer;

/// The store in a file. See the module. Dropping the last handle closes the file and frees the directory.
pub struct RedbStore {
    writer: Writer,
    database: Shared,
    dir: PathBuf,
    boot: u64,
}

impl RedbStore {
    /// Opens the store in `dir`, which is made, for this user alone, if it does not exist. Blocks while the file is
    /// opened and, after a crash, repaired.
    pub fn open(dir: &Path) -> Result<Arc<Self>> {
        Self::open_with(dir, Box::new(Dir::open))
    }

    fn open_with(path: &Path, opener: Opener) -> Result<Arc<Self>> {
        let dir = Dir::take(path)?;
        let database = opener(&dir)?;
        let boot = dir::boot(&database, path)?;
        let database = Arc::new(RwLock::new(Some(Arc::new(database))));
        let writer = Writer::start(dir, opener, database.clone(), boot)?;
        Ok(Arc::new(Self { writer, database, dir: path.to_owned(), boot }))
    }

    /// Runs a read on what was committed last.
    fn read<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T, Fault>) -> Result<T> {
        let database = self.database.read().clone();
        let Some(database) = database else {
            return Err(Error::new(Code::StoreFailed, format!("the store in {} is closed", self.dir.display()))
                .hint("an I/O error closed it; it is opened again with the next event"));
        };
        // Damaged pages may make the library panic.
        match catch_unwind(AssertUnwindSafe(|| read(&database.begin_read()?))) {
            Ok(result) => result.map_err(|fault| fault.into_error(&self.dir)),
            Err(_) => Err(fault::damaged(self.dir.display(), "a page cannot be read")),
        }
    }
}

impl std::fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbStore").field("dir", &self.dir).finish_non_exhaustive()
    }
}

#[async_trait]
impl StateReader for RedbStore {
    async fn state_get(&self, scope: &StateScope, key: &str) -> Result<Option<Bytes>> {
        self.read(|txn| read::state_get(txn, scope, key))
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn accept(&self, event: NewEvent) -> Result<Accepted> {
        self.writer.write(move |tables| tables.accept(&event)).await
    }

    async fn claim(&self, lane: &Lane, now: Timestamp, lease: Duration) -> Result<Option<Claim>> {
        let lane = lane.clone();
        self.writer.write(move |tables| tables.claim(&lane, now, lease)).await
    }

    async fn idle_lanes(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: usize,
        wanted: &LaneFilter<'_>,
    ) -> Result<Vec<Lane>> {
        self.read(|txn| read::idle_lanes(txn, limit, |work| work.is_held(self.boot, now, lease), wanted))
    }

    async fn load_wait(&self, claim: &ClaimToken, run: RunId) -> Result<Option<StoredRun>> {
        self.read(|txn| read::load_wait(txn, self.boot, claim, run))
    }

    async fn checkpoint(&self, claim: &ClaimToken, checkpoint: Checkpoint) -> Result<()> {
        let claim = claim.clone();
        self.writer.write(move |tables| tables.checkpoint(&claim, &checkpoint)).await
    }

    async fn complete(&self, claim: &ClaimToken, completion: Completion) -> Result<bool> {
        let claim = claim.clone();
        self.writer.write(move |tables| tables.complete(&claim, &completion)).await
    }

    async fn fail(
        &self,
        claim: &ClaimToken,
        failure: Failure,
        ends: Option<RunId>,
        replies: Vec<NewReply>,
    ) -> Result<bool> {
        let claim = claim.clone();
        self.writer.write(move |tables| tables.fail(&claim, &failure, ends, &replies)).await
    }

    async fn release(&self, claim: &ClaimToken) -> Result<()> {
        let claim = claim.clone();
        self.writer.write(move |tables| tables.release(&claim)).await
    }

    async fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>> {
        self.read(|txn| read::replies(txn, route, after, limit))
    }

    async fn unsent_routes(&self, limit: usize, wanted: &RouteFilter<'_>) -> Result<Vec<ReplyRoute>> {
        self.read(|txn| read::unsent_routes(txn, limit, wanted))
    }

    async fn next_reply(&self, route: &ReplyRoute) -> Result<Option<Outgoing>> {
        self.read(|txn| read::next_reply(txn, route))
    }

    async fn begin_part(&self, route: &ReplyRoute, seq: u64, part: u32) -> Result<()> {
        let route = route.clone();
        self.writer.write(move |tables| tables.note_part(&route, seq, part, true)).await
    }

    async fn clear_part(&self, route: &ReplyRoute, seq: u64, part: u32) -> Result<()> {
        let route = route.clone();
        self.writer.write(move |tables| tables.note_part(&route, seq, part, false)).await
    }

    async fn sent(&self, route: &ReplyRoute, seq: u64) -> Result<bool> {
        let route = route.clone();
        self.writer.write(move |tables| tables.sent(&route, seq)).await
    }

    async fn undelivered(&self, route: &ReplyRoute, seq: u64, failure: Failure) -> Result<bool> {
        let route = route.clone();
        self.writer.write(move |tables| tables.undelivered(&route, seq, &failure)).await
    }

    async fn undelivered_replies(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<Undelivered>> {
        self.read(|txn| read::undelivered_replies(txn, tenant, limit))
    }

    async fn resend(&self, id: u64, now: Timestamp) -> Result<Option<ReplyRoute>> {
        self.writer.write(move |tables| tables.resend(id, now)).await
    }

    async fn purge_undelivered(&self, id: u64) -> Result<bool> {
        self.writer.write(move |tables| Ok(tables.take_undelivered(id)?.is_some())).await
    }

    async fn dead_letters(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<DeadLetter>> {
        self.read(|txn| read::dead_letters(txn, tenant, limit))
    }

    async fn dead_letter(&self, event: EventId) -> Result<Option<DeadLetter>> {
        self.read(|txn| read::dead_letter(txn, event))
    }

    async fn replay(&self, event: EventId, deadline: Timestamp) -> Result<Option<Replayed>> {
        self.writer.write(move |tables| tables.replay(event, deadline)).await
    }

    async fn purge_dead(&self, event: EventId) -> Result<bool> {
        self.writer.write(move |tables| tables.purge_dead(event)).await
    }

    async fn mark(&self, mark: Mark) -> Result<Option<Bytes>> {
        self.writer.write(move |tables| tables.mark(&mark)).await
    }

    async fn vault_put(&self, entry: VaultEntry) -> Result<()> {
        self.writer.write(move |tables| tables.vault_put(&entry)).await
    }

    async fn vault_get(&self, key: &str, now: Timestamp) -> Result<Option<Bytes>> {
        self.read(|txn| vault::vault_get(txn, key, now))
    }

    async fn vault_take(&self, key: &str, now: Timestamp) -> Result<Option<Bytes>> {
        let key = key.to_owned();
        self.writer.write(move |tables| tables.vault_take(&key, now)).await
    }

    async fn is_pending(&self, event: EventId) -> Result<bool> {
        self.read(|txn| marks::is_pending(txn, event))
    }

    async fn sweep(&self, now: Timestamp, keep: Duration) -> Result<u64> {
        self.writer.write(move |tables| tables.sweep(now, keep)).await
    }

    async fn counts(&self) -> Result<Counts> {
        self.read(read::counts)
    }
}
