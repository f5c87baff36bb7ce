//! Writing a file of the cache.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::{Cache, Lease, room, unusable};
use crate::error::{Code, Error, Result};
use crate::pack::model::Digest;
use crate::private;

/// What the names of unfinished files begin with.
pub(super) const UNFINISHED: &str = ".new-";

/// How old an unfinished file is that nobody locks any more before it is taken for one that a crash left: the moment
/// between its making and its locking passes sooner.
const STALE: Duration = Duration::from_secs(60);

/// A file of the cache while it is written. Dropping it leaves nothing behind.
pub(in crate::ingest) struct Writer {
    cache: Cache,
    file: tokio::fs::File,
    path: TempPath,
    hasher: Sha256,
    len: u64,
}

impl Writer {
    pub(super) async fn begin(cache: Cache) -> Result<Self> {
        let dir = cache.0.blobs.clone();
        let (file, path) = cache.blocking(move || unfinished(&dir).map(NamedTempFile::into_parts)).await?;
        Ok(Self { cache, file: tokio::fs::File::from_std(file), path, hasher: Sha256::new(), len: 0 })
    }

    /// How many bytes were written.
    pub(in crate::ingest) fn len(&self) -> u64 {
        self.len
    }

    pub(in crate::ingest) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).await.map_err(|e| unusable(self.cache.dir(), &e))?;
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Forgets what was written.
    pub(in crate::ingest) async fn restart(&mut self) -> Result<()> {
        let emptied = async {
            // What is still under way has to land before the file is cut.
            self.file.flush().await?;
            self.file.set_len(0).await?;
            self.file.rewind().await
        };
        emptied.await.map_err(|e| unusable(self.cache.dir(), &e))?;
        self.hasher = Sha256::new();
        self.len = 0;
        Ok(())
    }

    /// The digest of what was written.
    pub(in crate::ingest) fn digest(&self) -> Digest {
        Digest(self.hasher.clone().finalize().into())
    }

    /// Puts the file in its place, and makes room for it.
    pub(in crate::ingest) async fn keep(mut self) -> Result<(Digest, Lease)> {
        let (cache, digest) = (self.cache.clone(), self.digest());
        if self.len > cache.max_bytes() {
            let message = format!("{} bytes are more than the cache may hold, {}", self.len, cache.max_bytes());
            return Err(Error::new(Code::CacheFull, message).hint("allow the cache more"));
        }
        self.file.flush().await.map_err(|e| unusable(cache.dir(), &e))?;
        let (file, path) = (self.file.into_std().await, self.path);
        let lease = cache
            .blocking({
                let cache = cache.clone();
                move || {
                    file.sync_all()?;
                    path.persist(cache.path(&digest)).map_err(|e| e.error)?;
                    private::sync(&cache.0.blobs)?;
                    // The writer's own lock ends, and that of a user begins.
                    drop(file);
                    let lease = cache.take(&digest)?;
                    if let Err(error) = room::keep_within_bounds(&cache) {
                        tracing::warn!(%error, dir = %cache.dir().display(), "cannot make room in the cache");
                    }
                    lease.ok_or_else(|| io::Error::other("a file vanished as soon as it was written"))
                }
            })
            .await?;
        Ok((digest, lease))
    }
}

/// An unfinished file in `dir`, locked as long as it is open.
pub(super) fn unfinished(dir: &Path) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir)?;
    match file.as_file().lock() {
        Err(e) if e.kind() != io::ErrorKind::Unsupported => Err(e),
        _ => Ok(file),
    }
}

/// Removes the unfinished files in `dir` whose writers are gone.
pub(super) fn tidy(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) && is_abandoned(&entry.path()) {
            // Another process may have been faster.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn is_abandoned(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let age = file.metadata().and_then(|found| found.modified()).ok();
    let is_old = age.and_then(|at| SystemTime::now().duration_since(at).ok()).is_some_and(|age| age >= STALE);
    is_old && !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}
