//! The writer thread: it takes what callers want written, runs as much as has gathered in one transaction of the
//! file, commits once for all of them, and gives each its own result.
//!
//! A batch of nothing but first claims (see [`Tables::claim`]) is committed without being synced.
//!
//! A refused caller (a lost claim) changed nothing and disturbs nobody. Where one caller's records turn out to be
//! damaged, the transaction is given up and the others' work is run again without it. After an I/O error the file is
//! closed and opened anew before the next work, so that the store comes back when the disk does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::RwLock;
use redb::{Database, Durability, ReadableTable, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use super::dir::Dir;
use super::fault::Fault;
use super::tables::{FirstClaim, Tables};
use crate::error::{Code, Error, Result};

/// The most transactions of callers in one commit.
const BATCH: usize = 256;

/// The most transactions that wait for the writer; further callers wait before they hand theirs over.
const QUEUE: usize = 1024;

/// How the file is opened; replaceable, so that tests can make it fail.
pub(super) type Opener = Box<dyn Fn(&Dir) -> Result<Database> + Send>;

/// The open file; none while it could not be opened again after an I/O error.
pub(super) type Shared = Arc<RwLock<Option<Arc<Database>>>>;

/// One caller's transaction.
trait Job: Send {
    /// Runs it, again if the batch has to start over.
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), Fault>;
    /// Tells the caller: its result if the batch was committed, else the error.
    fn answer(self: Box<Self>, batch: Result<()>);
}

struct Work<T, F> {
    work: F,
    result: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Work<T, F>
where
    T: Send,
    F: Fn(&mut Tables<'_>) -> Result<T, Fault> + Send,
{
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), Fault> {
        self.result = Some(match (self.work)(tables) {
            Ok(value) => Ok(value),
            Err(Fault::Refused(error)) => Err(error),
            Err(fault) => return Err(fault),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, batch: Result<()>) {
        let Self { result, caller, .. } = *self;
        // A caller that went away does not mind.
        let _gone = caller.send(batch.and_then(|()| result.unwrap_or_else(|| Err(stopped()))));
    }
}

/// The handle on the writer thread. Dropping it finishes what was handed over and closes the file.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(dir: Dir, opener: Opener, database: Shared, boot: u64) -> Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let path = dir.path().to_owned();
        let mut state = State { dir, opener, database, boot, reopened: None, unsynced: Vec::new() };
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(move || state.work_on(queue));
        let thread = thread.map_err(|e| {
            Error::new(Code::StoreFailed, format!("no thread for the store in {} could be made: {e}", path.display()))
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` in a transaction; its result is given back once it is on disk.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Tables<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (caller, result) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(Box::new(Work { work, result: None, caller })).await.map_err(|_| stopped())?;
        result.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // The thread catches panics; there is nothing to do about one that it did not.
            let _panicked = thread.join();
        }
    }
}

struct State {
    dir: Dir,
    opener: Opener,
    database: Shared,
    boot: u64,
    /// The file after it was opened again, until a first commit shows that it works.
    reopened: Option<Arc<Database>>,
    /// The first claims since the last sync. A file that is opened again has lost them; they are written again, so
    /// that their workers go on.
    unsynced: Vec<FirstClaim>,
}

impl State {
    fn work_on(&mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        while let Some(first) = queue.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(next) = queue.try_recv()
            {
                batch.push(next);
            }
            self.work_off(batch);
        }
        *self.database.write() = None;
    }

    /// Runs a batch, without those that turn out to be damaged, until the rest is committed or the file fails.
    fn work_off(&mut self, mut batch: Vec<Box<dyn Job>>) {
        while !batch.is_empty() {
            match self.commit(&mut batch) {
                Ok(()) => return batch.into_iter().for_each(|job| job.answer(Ok(()))),
                Err((Some(at), fault)) if !fault.is_io() => {
                    let error = fault.into_error(self.dir.path());
                    tracing::error!(%error, "a transaction met damaged records");
                    batch.remove(at).answer(Err(error));
                }
                Err((_, fault)) => {
                    let error = fault.into_error(self.dir.path());
                    tracing::error!(%error, "the store failed");
                    *self.database.write() = None;
                    self.reopened = None;
                    return batch.into_iter().for_each(|job| job.answer(Err(error.clone())));
                }
            }
        }
    }

    /// Runs all of a batch in one transaction. An error says which of them it was, if it was one.
    fn commit(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), (Option<usize>, Fault)> {
        let database = self.open().map_err(|error| (None, Fault::Refused(error)))?;
        let mut at = None;
        let run = || -> Result<(), Fault> {
            let mut txn = database.begin_write()?;
            let (dirty, first_claims) = self.run_all(&txn, batch, &mut at)?;
            at = None;
            if dirty {
                txn.commit()?;
                self.unsynced.clear();
            } else if first_claims.is_empty() {
                txn.abort()?;
            } else {
                txn.set_durability(Durability::None)?;
                txn.commit()?;
                self.unsynced.extend(first_claims);
            }
            Ok(())
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(result) => result.map_err(|fault| (at, fault))?,
            Err(_) => return Err((at, Fault::Damaged("a transaction could not be run".into()))),
        }
        if let Some(database) = self.reopened.take() {
            *self.database.write() = Some(database);
            tracing::info!(dir = %self.dir.path().display(), "the store works again");
        }
        Ok(())
    }

    /// Runs the jobs one after another; `at` says at which it is. Tells what of it has to be committed: whether
    /// something must be synced, and the first claims.
    fn run_all(
        &self,
        txn: &WriteTransaction,
        batch: &mut [Box<dyn Job>],
        at: &mut Option<usize>,
    ) -> Result<(bool, Vec<FirstClaim>), Fault> {
        let mut tables = Tables::open(txn, self.boot)?;
        if self.reopened.is_some() {
            for (event, work) in &self.unsynced {
                // The write that met the error may have reached the disk, and ended the event or begun its run.
                if tables.events.get(event)?.is_some() && tables.work.get(event)?.is_none() {
                    tables.work.insert(event, &**work)?;
                    tables.dirty = true;
                }
            }
        }
        for (index, job) in batch.iter_mut().enumerate() {
            *at = Some(index);
            job.run(&mut tables)?;
        }
        Ok((tables.dirty, std::mem::take(&mut tables.first_claims)))
    }

    /// The file, opened again if an I/O error closed it.
    fn open(&mut self) -> Result<Arc<Database>> {
        if let Some(database) = self.database.read().as_ref().or(self.reopened.as_ref()) {
            return Ok(database.clone());
        }
        let database = Arc::new((self.opener)(&self.dir)?);
        self.reopened = Some(database.clone());
        Ok(database)
    }
}

fn stopped() -> Error {
    Error::new(Code::StoreFailed, "the store is closed").hint("the host is stopping; nothing of this was stored")
}
