//! The cache: what was fetched, by its digest, shared by every process of this user.
//!
//! ```text
//! blobs/sha256/<hex>   content; the time of change is that of the last use
//! refs/<hex>.json      what a locator gave last: version, digest, size
//! compiled/            compiled components, which the engine keeps
//! ```
//!
//! A file appears under its name only when it is whole: it is written aside, flushed and renamed. Content is handed out
//! as bytes that were compared with their digest after they were read, so that nothing changes in between; what does
//! not compare is a miss, and removed. Whoever uses a file holds a shared lock on it, a [`Lease`]; whoever makes room
//! deletes only what it can lock alone. The lock is on the open file, so it ends with its process, whatever happens.

mod contents;
mod lease;
mod refs;
mod room;
#[cfg(test)]
mod tests;
mod writer;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Code, Error, Result};
use crate::pack::model::Digest;
use crate::private;

pub use contents::{Contents, Entry, EntryKind};
pub use lease::Lease;
pub use room::Pruned;

pub(super) use refs::Ref;
pub(super) use writer::Writer;

/// The cache of one directory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Places>);

#[derive(Debug)]
struct Places {
    dir: PathBuf,
    blobs: PathBuf,
    refs: PathBuf,
    compiled: PathBuf,
    max_bytes: u64,
}

impl Cache {
    /// Where the cache lies if nothing else is said.
    pub const DEFAULT_DIR: &'static str = ".packs";

    /// What it holds at most if nothing else is said: 5 GiB.
    pub const DEFAULT_MAX_BYTES: u64 = 5 << 30;

    /// Opens the cache in `dir`, which is made if it does not exist, and removes what a crash left behind.
    pub fn open(dir: &Path, max_bytes: u64) -> Result<Self> {
        let places = Places {
            dir: dir.to_owned(),
            blobs: dir.join("blobs").join("sha256"),
            refs: dir.join("refs"),
            compiled: dir.join("compiled"),
            max_bytes,
        };
        let made = || -> io::Result<()> {
            // The directory itself may be one that others may enter, such as a mounted volume; what lies in it is private.
            private::dir(&dir.join("blobs"))?;
            [&places.blobs, &places.refs, &places.compiled].into_iter().try_for_each(|dir| private::dir(dir))?;
            [&places.blobs, &places.refs].into_iter().try_for_each(|dir| writer::tidy(dir))
        };
        made().map_err(|e| unusable(dir, &e))?;
        Ok(Self(Arc::new(places)))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Where the engine keeps compiled components.
    pub fn compiled_dir(&self) -> &Path {
        &self.0.compiled
    }

    /// What it holds at most, in bytes.
    pub fn max_bytes(&self) -> u64 {
        self.0.max_bytes
    }

    /// Where the content with `digest` lies if it is there.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.0.blobs.join(hex::encode(digest.0))
    }

    /// The content with `digest`, compared with it after reading. None if it is not there, or was damaged: then it is
    /// not there any more.
    pub async fn bytes(&self, digest: &Digest) -> Result<Option<Bytes>> {
        let (cache, digest) = (self.clone(), *digest);
        self.blocking(move || cache.read(&digest)).await
    }

    fn read(&self, digest: &Digest) -> io::Result<Option<Bytes>> {
        let Some(lease) = self.take(digest)? else { return Ok(None) };
        let bytes = lease.read(self.0.max_bytes)?;
        if let Some(bytes) = bytes.filter(|bytes| Digest::of(bytes) == *digest) {
            return Ok(Some(bytes.into()));
        }
        tracing::warn!(%digest, "a file of the cache is damaged, and removed");
        match fs::remove_file(self.path(digest)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(None),
        }
    }

    /// Holds the content with `digest`, if it is there, so that nobody deletes it. It is not compared with its digest.
    pub async fn lease(&self, digest: &Digest) -> Result<Option<Lease>> {
        let (cache, digest) = (self.clone(), *digest);
        self.blocking(move || cache.take(&digest)).await
    }

    fn take(&self, digest: &Digest) -> io::Result<Option<Lease>> {
        Lease::take(&self.path(digest))
    }

    /// Begins a file whose digest is not known yet. What is not kept in the end leaves nothing behind.
    pub(super) async fn writer(&self) -> Result<Writer> {
        Writer::begin(self.clone()).await
    }

    /// What a locator gave last. Anything that cannot be read is nothing.
    pub(super) async fn recall(&self, key: &str) -> Option<Ref> {
        let path = self.0.refs.join(refs::name(key));
        tokio::task::spawn_blocking(move || Ref::read(&path)).await.ok().flatten()
    }

    /// Notes what a locator gave.
    pub(super) async fn remember(&self, key: &str, reference: Ref) -> Result<()> {
        let (cache, name) = (self.clone(), refs::name(key));
        self.blocking(move || reference.write(&cache.0.refs, &name)).await
    }

    /// What it holds, by last use, the latest first.
    pub async fn contents(&self) -> Result<Contents> {
        let cache = self.clone();
        self.blocking(move || Contents::of(&cache)).await
    }

    /// Deletes what was used longest ago until the rest is within `max_bytes`; with `dry_run` only says what would go.
    /// What somebody uses stays.
    pub async fn prune(&self, max_bytes: u64, dry_run: bool) -> Result<Pruned> {
        let cache = self.clone();
        self.blocking(move || room::prune(&cache, max_bytes, dry_run)).await
    }

    /// Does what takes a disk's time.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done.map_err(|e| unusable(&self.0.dir, &e)),
            Err(e) => Err(Error::new(Code::Internal, format!("work on the cache ended early: {e}"))),
        }
    }
}

fn unusable(dir: &Path, cause: &io::Error) -> Error {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    if matches!(cause.kind(), StorageFull | QuotaExceeded) {
        return Error::new(Code::CacheFull, format!("the disk of the cache is full: {cause}"))
            .in_file(dir)
            .hint("make room, or name another directory with PACK_CACHE_DIR");
    }
    Error::new(Code::CacheDirectory, format!("the directory of the cache cannot be used: {cause}")).in_file(dir).hint(
        "name one with PACK_CACHE_DIR that this user may write to; what lies in it belongs to this user alone (0700)",
    )
}
