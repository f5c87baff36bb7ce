//! Packs that were read, shared by all tenants that run them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use crate::engine::Shared;
use crate::error::{Code, Error, Result};
use crate::pack::model::{Digest, Pack};
use crate::pack::{self, LoadOptions};

/// Reads packs, each once while anybody runs it.
#[derive(Default)]
pub(super) struct Packs {
    read: Shared<[u8; 32], Pack>,
    /// What files of this machine held when they were last read.
    seen: Mutex<HashMap<PathBuf, (Option<Stamp>, Digest)>>,
}

/// What tells that a file is as it was, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: SystemTime,
    file: u64,
}

impl Stamp {
    /// The stamp of a file; none for a directory, which has to be read to know.
    fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        #[cfg(unix)]
        let file = std::os::unix::fs::MetadataExt::ino(&found);
        #[cfg(not(unix))]
        let file = 0;
        Some(Self { bytes: found.len(), modified: found.modified().ok()?, file })
    }
}

impl Packs {
    /// The digest of the pack of this machine at `path`, if it is as it was when it was read. A directory has to be
    /// read to know that; unless one has to `look`, it is taken to be as it was.
    pub(super) fn unchanged(&self, path: &Path, look: bool) -> Option<Digest> {
        let now = Stamp::of(path);
        let seen = self.seen.lock();
        let (stamp, digest) = seen.get(path)?;
        (*stamp == now && (now.is_some() || !look)).then_some(*digest)
    }

    /// The pack with `digest`, if anybody runs it.
    pub(super) fn held(&self, digest: Digest) -> Option<Arc<Pack>> {
        self.read.held(&digest.0)
    }

    /// Reads the pack of this machine at `path`, and remembers how the file was.
    pub(super) async fn open_own(&self, path: &Path, options: &LoadOptions) -> Result<Arc<Pack>> {
        // The stamp is older than the reading: what changes in between is noticed next time.
        let now = Stamp::of(path);
        let pack = self.open(path, options).await?;
        self.seen.lock().insert(path.to_owned(), (now, pack.digest));
        Ok(pack)
    }

    /// Reads the pack at `path`.
    pub(super) async fn open(&self, path: &Path, options: &LoadOptions) -> Result<Arc<Pack>> {
        if let Some(digest) = options.expected {
            return self.read.get_or_make(digest.0, read(path, options)).await;
        }
        let pack = read(path, options).await?;
        self.read.get_or_make(pack.digest.0, async { Ok(pack) }).await
    }

    /// Forgets files that are not named any more.
    pub(super) fn keep_only(&self, named: &std::collections::BTreeSet<PathBuf>) {
        self.seen.lock().retain(|path, _| named.contains(path));
    }
}

async fn read(path: &Path, options: &LoadOptions) -> Result<Pack> {
    let (path, options) = (path.to_owned(), options.clone());
    blocking(move || pack::load(&path, &options)).await
}

/// Does what may block where it may.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::new(Code::Internal, format!("reading a pack did not end well: {e}")))?
}
