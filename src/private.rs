//! Directories that only this user can enter, and names in them that survive a crash.

use std::fs;
use std::io;
use std::path::Path;

/// Makes `dir` if it does not exist. Fails if it is a link or no directory, belongs to somebody else, or others may
/// enter it.
#[cfg(unix)]
pub(crate) fn dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};

    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let found = fs::symlink_metadata(dir)?;
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if !found.is_dir() {
        return refuse("it is not a directory");
    }
    if found.permissions().mode() & 0o077 != 0 {
        return refuse("others than its owner may enter it");
    }
    // A file made here shows who this process is.
    if tempfile::tempfile_in(dir)?.metadata()?.uid() != found.uid() {
        return refuse("it belongs to another user");
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    tempfile::tempfile_in(dir).map(drop)
}

/// Writes down which names `dir` holds, so that a new name outlives a crash.
#[cfg(unix)]
pub(crate) fn sync(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}
