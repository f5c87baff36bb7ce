//! Holding a file of the cache, so that nobody deletes it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// How often a file is looked for again that was deleted between its opening and its locking.
const ATTEMPTS: usize = 8;

/// A file of the cache that is not deleted as long as this, or a clone, lives. It keeps the file open.
#[derive(Clone, Debug)]
pub struct Lease(Arc<File>);

impl Lease {
    /// Opens and locks the file at `path`, and notes that it is used. None if there is none.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        for _ in 0..ATTEMPTS {
            let file = match File::open(path) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(e),
            };
            shared(&file)?;
            // Who deletes has the lock alone meanwhile: what is still there now stays.
            if is_at(&file, path)? {
                // That the last use cannot be noted only makes the file look older.
                let _ = file.set_modified(SystemTime::now());
                return Ok(Some(Self(Arc::new(file))));
            }
        }
        Ok(None)
    }

    /// The size of the file in bytes.
    pub(in crate::ingest) fn size(&self) -> io::Result<u64> {
        self.0.metadata().map(|found| found.len())
    }

    /// All of a file that was just opened. None if it is larger than `limit`.
    pub(super) fn read(self, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let size = self.0.metadata()?.len();
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or(0));
        (&*self.0).take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= limit).then_some(bytes))
    }
}

/// Deletes the file at `path` unless somebody holds it; tells whether it is gone.
pub(super) fn delete(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(e) => return Err(e),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(e)) => return Err(e),
    }
    if !is_at(&file, path)? {
        return Ok(true);
    }
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(true),
    }
}

/// Takes a shared lock, where the file system has locks.
fn shared(file: &File) -> io::Result<()> {
    match file.lock_shared() {
        Err(e) if e.kind() != io::ErrorKind::Unsupported => Err(e),
        _ => Ok(()),
    }
}

/// Whether `path` still names the file that is open.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.ino(), there.dev()) == (open.ino(), open.dev())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// An open file cannot be deleted there.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}
