//! Packs that were read, shared by all tenants that run them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
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

/// A pack of this machine.
pub(super) struct Local {
    pub(super) digest: Digest,
    /// None if it was not read, because it is as it was.
    pub(super) pack: Option<Arc<Pack>>,
}

impl Packs {
    /// The pack at `path`. What is as it was is not read again; a directory has to be read to know that, which is
    /// done only if `look` says so.
    pub(super) async fn local(&self, path: &Path, options: &LoadOptions, look: bool) -> Result<Local> {
        let now = Stamp::of(path);
        if let Some((stamp, digest)) = self.seen.lock().get(path)
            && *stamp == now
            && (now.is_some() || !look)
        {
            return Ok(Local { digest: *digest, pack: None });
        }
        let pack = self.open(path, options).await?;
        self.seen.lock().insert(path.to_owned(), (now, pack.digest));
        Ok(Local { digest: pack.digest, pack: Some(pack) })
    }

    /// Reads the pack at `path`.
    pub(super) async fn open(&self, path: &Path, options: &LoadOptions) -> Result<Arc<Pack>> {
        let (path, options) = (path.to_owned(), options.clone());
        let pack = blocking(move || pack::load(&path, &options)).await?;
        self.share(pack.digest, async { Ok(pack) }).await
    }

    /// The pack whose bytes have `digest`, made by `read` if nobody runs it.
    pub(super) async fn share(&self, digest: Digest, read: impl Future<Output = Result<Pack>>) -> Result<Arc<Pack>> {
        self.read.get_or_make(digest.0, read).await
    }

    /// Forgets files that are not named any more.
    pub(super) fn keep_only(&self, named: &std::collections::BTreeSet<PathBuf>) {
        self.seen.lock().retain(|path, _| named.contains(path));
    }
}

/// Reads a pack from bytes that were fetched; `name` stands for it in errors.
pub(super) async fn from_bytes(bytes: Bytes, name: String, options: LoadOptions) -> Result<Pack> {
    blocking(move || pack::load_bytes(bytes, &name, &options)).await
}

/// Does what may block where it may.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::new(Code::Internal, format!("reading a pack did not end well: {e}")))?
}
