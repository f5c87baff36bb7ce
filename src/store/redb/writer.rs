//! The writer thread: it takes what callers want written, runs as much as has gathered in one transaction of the
//! file, commits once for all of them, and gives each its own result.
//!
//! A refused caller (a lost claim) changed nothing and disturbs nobody. Where one caller's records turn out to be
//! damaged, the transaction is given up and the others' work is run again without it. After an I/O error the file is
//! closed and opened anew before the next work, so that the store comes back when the disk does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::RwLock;
use redb::{Database, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use super::dir::Dir;
use super::fault::Fault;
use super::tables::Tables;
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
        let mut state = State { dir, opener, database, boot };
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
                    return batch.into_iter().for_each(|job| job.answer(Err(error.clone())));
                }
            }
        }
    }

    /// Runs all of a batch in one transaction. An error says which of them it was, if it was one.
    fn commit(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), (Option<usize>, Fault)> {
        let database = self.reopened().map_err(|error| (None, Fault::Refused(error)))?;
        let mut at = None;
        let boot = self.boot;
        let run = || -> Result<(), Fault> {
            let txn = database.begin_write()?;
            let dirty = run_all(&txn, boot, batch, &mut at)?;
            at = None;
            if dirty {
                txn.commit()?
            } else {
                txn.abort()?
            }
            Ok(())
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(result) => result.map_err(|fault| (at, fault)),
            Err(_) => Err((at, Fault::Damaged("a transaction could not be run".into()))),
        }
    }

    /// The file, opened again if an I/O error closed it.
    fn reopened(&self) -> Result<Arc<Database>> {
        if let Some(database) = &*self.database.read() {
            return Ok(database.clone());
        }
        let database = Arc::new((self.opener)(&self.dir)?);
        *self.database.write() = Some(database.clone());
        tracing::info!(dir = %self.dir.path().display(), "the store works again");
        Ok(database)
    }
}

/// Runs the jobs one after another; `at` says at which it is.
fn run_all(
    txn: &WriteTransaction,
    boot: u64,
    batch: &mut [Box<dyn Job>],
    at: &mut Option<usize>,
) -> Result<bool, Fault> {
    let mut tables = Tables::open(txn, boot)?;
    for (index, job) in batch.iter_mut().enumerate() {
        *at = Some(index);
        job.run(&mut tables)?;
    }
    Ok(tables.dirty)
}

fn stopped() -> Error {
    Error::new(Code::StoreFailed, "the store is closed").hint("the host is stopping; nothing of this was stored")
}
