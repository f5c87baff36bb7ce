//! Word of changes in directories.
//!
//! Events only say that somebody should look: what counts as a change is for whoever looks to decide.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::error::{Code, Error, Result};

/// Events that come one after the other within this time are one change: editors write in several steps.
const QUIET: Duration = Duration::from_millis(50);

/// Tells when something may have changed.
#[derive(Debug)]
pub struct Watcher {
    notify: RecommendedWatcher,
    covered: BTreeSet<PathBuf>,
    events: mpsc::Receiver<()>,
    /// Something was heard and is not told yet, because whoever waited for quiet did not wait to the end.
    heard: bool,
}

impl Watcher {
    /// A watcher that watches nothing yet.
    ///
    /// # Errors
    ///
    /// `Io` if the system has no watches left.
    pub fn new() -> Result<Self> {
        // One place: that something has changed is all there is to know, and it need not be said twice.
        let (tell, events) = mpsc::channel(1);
        let notify = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // What is only read has not changed. An error means that events were lost, so somebody should look.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                let _ = tell.try_send(());
            }
        })
        .map_err(|e| unwatchable(Path::new("."), &e))?;
        Ok(Self { notify, covered: BTreeSet::new(), events, heard: false })
    }

    /// Watches these directories, not what is below them, and no others, among them those that were deleted since last
    /// time and made again.
    ///
    /// # Errors
    ///
    /// `Io` for what cannot be watched.
    pub fn cover(&mut self, wanted: BTreeSet<PathBuf>) -> Result<()> {
        for gone in self.covered.difference(&wanted) {
            // A directory that is deleted takes its watch with it.
            let _ = self.notify.unwatch(gone);
        }
        // One that was covered may be another by now, under the same name; to watch one twice changes nothing.
        for dir in &wanted {
            match self.notify.watch(dir, RecursiveMode::NonRecursive) {
                Err(error) if dir.is_dir() => return Err(unwatchable(dir, &error)),
                _ => {}
            }
        }
        self.covered = wanted;
        Ok(())
    }

    /// Waits until something may have changed, and then until it is quiet. Nothing is lost if the wait is given up.
    pub async fn changed(&mut self) {
        if !self.heard && self.events.recv().await.is_none() {
            return std::future::pending().await;
        }
        self.heard = true;
        while tokio::time::timeout(QUIET, self.events.recv()).await.is_ok_and(|event| event.is_some()) {}
        self.heard = false;
    }
}

fn unwatchable(path: &Path, cause: &notify::Error) -> Error {
    Error::new(Code::Io, format!("{} cannot be watched: {cause}", path.display()))
        .hint("the system may have no watches left: see fs.inotify.max_user_watches and max_user_instances")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_directory_that_was_deleted_and_made_again_is_watched() {
        let dir = tempfile::tempdir().unwrap();
        let src = dir.path().join("src");
        let both = || BTreeSet::from([dir.path().to_owned(), src.clone()]);
        std::fs::create_dir(&src).unwrap();
        let mut watcher = Watcher::new().unwrap();
        watcher.cover(both()).unwrap();
        std::fs::remove_dir(&src).unwrap();
        std::fs::create_dir(&src).unwrap();
        watcher.changed().await;
        watcher.cover(both()).unwrap();
        std::fs::write(src.join("lib.rs"), "one").unwrap();
        tokio::time::timeout(Duration::from_secs(10), watcher.changed()).await.unwrap();
    }
}
