//! The task that reloads, one reload at a time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::desk::{Desk, ReloadHandle};
use super::fetching::Fetching;
use super::listing::Listings;
use super::{Cause, Floors, Inner, ReloadConfig, floor};
use crate::audit::AuditLog;
use crate::error::{Error, Result};
use crate::host::RunnerHost;
use crate::id::Id;
use crate::reload::packs::Packs;
use crate::watch::Watcher;

/// How many directories of one pack are watched.
const MOST_DIRECTORIES: usize = 1024;

/// Keeps tenants on the packs that are listed for them. Ends when it is dropped.
pub struct Reloader {
    handle: ReloadHandle,
    listings: Option<Listings>,
    files: BTreeSet<PathBuf>,
    task: Option<JoinHandle<()>>,
}

impl Reloader {
    /// A reloader that has done nothing yet.
    ///
    /// # Errors
    ///
    /// `Io` if what it remembers cannot be read.
    pub fn new(host: Arc<RunnerHost>, audit: Arc<AuditLog>, config: ReloadConfig) -> Result<Self> {
        let floors = Floors::open(config.state_dir.as_ref().map(|dir| dir.join(floor::FILE)))?;
        let listings = Some(Listings::new());
        let clock = Arc::clone(host.clock());
        let inner = Inner {
            host,
            fetching: Fetching::default(),
            config,
            audit,
            clock,
            packs: Packs::default(),
            floors: Mutex::new(floors),
            tenants: Mutex::default(),
        };
        let handle = ReloadHandle { inner: Arc::new(inner), desk: Arc::new(Desk::new()) };
        Ok(Self { handle, listings, files: BTreeSet::new(), task: None })
    }

    /// Loads what is listed now.
    ///
    /// # Errors
    ///
    /// That nothing can be gone by. What is wrong with single tenants is in the status.
    pub async fn first(&mut self) -> Result<Vec<super::status::TenantReload>> {
        let Some(listings) = &mut self.listings else { return Ok(Vec::new()) };
        let (outcome, files) = self.handle.inner.run(listings, Cause::Asked).await;
        self.handle.desk.done(None, &outcome);
        self.files = files;
        outcome.tenants
    }

    /// The tenants whose packs were refused or could not be had, and why.
    pub fn failed(&self) -> Vec<(Id, Error)> {
        let tenants = self.handle.inner.tenants.lock();
        tenants.iter().filter_map(|(tenant, state)| Some((tenant.clone(), state.error.clone()?))).collect()
    }

    /// What is odd about the packs that run, without refusing them.
    pub fn notes(&self) -> Vec<Error> {
        self.handle.inner.host.active_packs().iter().flat_map(|(_, loaded)| loaded.notes.clone()).collect()
    }

    /// Goes on by itself from now on: by the interval, when files change, and when somebody asks.
    ///
    /// # Errors
    ///
    /// `Io` if files cannot be watched.
    pub fn start(&mut self) -> Result<()> {
        let Some(listings) = self.listings.take() else { return Ok(()) };
        let watcher = if self.handle.inner.config.watch_files { Some(Watcher::new()?) } else { None };
        let mut worker = Worker { handle: self.handle.clone(), listings, watcher };
        let files = std::mem::take(&mut self.files);
        worker.cover(&files);
        self.task = Some(tokio::spawn(worker.work()));
        Ok(())
    }

    /// What to ask it by.
    pub fn handle(&self) -> ReloadHandle {
        self.handle.clone()
    }
}

impl Drop for Reloader {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.handle.desk.close();
    }
}

struct Worker {
    handle: ReloadHandle,
    listings: Listings,
    watcher: Option<Watcher>,
}

impl Worker {
    async fn work(mut self) {
        let every = self.handle.inner.config.interval.unwrap_or(Duration::from_secs(24 * 3600));
        let ticking = self.handle.inner.config.interval.is_some();
        let mut ticks = tokio::time::interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let desk = Arc::clone(&self.handle.desk);
            let cause = tokio::select! {
                () = desk.wake.notified() => Cause::Asked,
                () = changed(&mut self.watcher) => Cause::Files,
                _ = ticks.tick(), if ticking => Cause::Tick,
            };
            // A request that came with the others is served with them.
            let id = desk.take();
            let cause = if id.is_some() { Cause::Asked } else { cause };
            let (outcome, files) = self.handle.inner.run(&mut self.listings, cause).await;
            if outcome.tenants.is_ok() {
                self.cover(&files);
            }
            desk.done(id.as_deref(), &outcome);
        }
    }

    /// Watches where these files lie. That files cannot be watched is told, and made up for by the interval.
    fn cover(&mut self, files: &BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        let directories = files.iter().flat_map(|file| directories(file)).collect();
        if let Err(error) = watcher.cover(directories) {
            tracing::warn!(code = %error.code(), "changes of files are seen late or not at all: {error}");
        }
    }
}

async fn changed(watcher: &mut Option<Watcher>) {
    match watcher {
        Some(watcher) => watcher.changed().await,
        None => std::future::pending().await,
    }
}

/// Where to look for changes of a file, which may be replaced by another one; or of a directory and what is below it.
/// Symbolic links are not followed, so that no walk goes round in circles.
fn directories(path: &Path) -> Vec<PathBuf> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found = vec![parent.to_owned()];
    if path.is_dir() {
        found.push(path.to_owned());
        let mut at = 1;
        while let Some(dir) = found.get(at).filter(|_| found.len() < MOST_DIRECTORIES) {
            let below = std::fs::read_dir(dir).into_iter().flatten().flatten();
            let below: Vec<_> =
                below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()).collect();
            found.extend(below);
            at += 1;
        }
    }
    found
}
