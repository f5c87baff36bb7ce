//! The store's directory: private, locked by one process, holding one file that is there only when it is whole.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableTable};

use super::fault::{Fault, damaged, locked};
use super::record::FORMAT;
use super::tables::{META, Tables, meta};
use crate::error::{Code, Error, Result};

const FILE: &str = "store.redb";
const NEW_FILE: &str = "store.redb.new";
const LOCK: &str = "lock";

/// Pages that are kept in memory, in bytes.
const CACHE_BYTES: usize = 64 << 20;

/// Files up to this size are checked as a whole when they are opened; larger ones page by page as they are read.
const CHECKED_BYTES: u64 = 32 << 20;

/// A store's directory, held by this process as long as this value lives.
#[derive(Debug)]
pub(super) struct Dir {
    path: PathBuf,
    _lock: File,
}

impl Dir {
    /// Makes the directory if it does not exist, and locks it.
    pub(super) fn take(path: &Path) -> Result<Self> {
        private_dir(path).map_err(|e| unusable(path, &e))?;
        let lock = options().create(true).truncate(false).open(path.join(LOCK)).map_err(|e| unusable(path, &e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(path.display(), holder(&lock))),
            Err(TryLockError::Error(e)) => return Err(unusable(path, &e)),
        }
        note_holder(&lock).map_err(|e| unusable(path, &e))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the store's file, which is made first if there is none.
    pub(super) fn open(&self) -> Result<Database> {
        let file = self.path.join(FILE);
        match fs::metadata(&file) {
            Ok(found) if found.len() == 0 => Err(damaged(self.path.display(), "its file is empty")),
            Ok(found) => self.open_file(&file, found.len()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.create(&file)?;
                self.open_file(&file, 0)
            }
            Err(e) => Err(unusable(&self.path, &e)),
        }
    }

    /// Makes an empty store beside `file` and moves it there, so that a crash leaves none or a whole one.
    fn create(&self, file: &Path) -> Result<()> {
        let new = self.path.join(NEW_FILE);
        let made = options().create(true).truncate(true).open(&new).map_err(|e| unusable(&self.path, &e))?;
        fill(made).map_err(|fault| fault.into_error(&self.path))?;
        fs::rename(&new, file).and_then(|()| sync_dir(&self.path)).map_err(|e| unusable(&self.path, &e))
    }

    fn open_file(&self, file: &Path, len: u64) -> Result<Database> {
        let opened = options().open(file).map_err(|e| unusable(&self.path, &e))?;
        // A file that something else altered may make the library panic.
        let database = catch_unwind(AssertUnwindSafe(|| -> Result<Database, Fault> {
            let mut builder = Builder::new();
            builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(len > 0 && len <= CHECKED_BYTES);
            Ok(builder.create_with_backend(FileBackend::new(opened)?)?)
        }));
        match database {
            Ok(Ok(database)) => Ok(database),
            Ok(Err(Fault::Storage(redb::Error::Io(e)))) if is_content(e.kind()) => {
                Err(damaged(self.path.display(), &e.to_string()))
            }
            Ok(Err(fault)) => Err(fault.into_error(&self.path)),
            Err(_) => Err(damaged(self.path.display(), "its file cannot be opened")),
        }
    }
}

/// Whether an I/O error while opening speaks of what the file holds.
fn is_content(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

fn fill(file: File) -> Result<(), Fault> {
    let database = Builder::new().create_with_backend(FileBackend::new(file)?)?;
    let txn = database.begin_write()?;
    Tables::open(&txn, 0)?.meta.insert(meta::FORMAT, FORMAT)?;
    txn.commit()?;
    Ok(())
}

/// Checks the layout's version and counts this opening; returns its number.
pub(super) fn boot(database: &Database, dir: &Path) -> Result<u64> {
    let number = || -> Result<u64, Fault> {
        let txn = database.begin_write()?;
        let number = {
            let mut table = txn.open_table(META)?;
            let format = table.get(meta::FORMAT)?.map(|v| v.value());
            match format {
                Some(FORMAT) => {}
                Some(other) => return Err(Fault::Refused(unknown_format(other, dir))),
                None => return Err(Fault::Damaged("it does not say which format it has".into())),
            }
            let number = table.get(meta::BOOT)?.map_or(0, |v| v.value()) + 1;
            table.insert(meta::BOOT, number)?;
            number
        };
        // All tables exist from here on, so that reads find them.
        drop(Tables::open(&txn, number)?);
        txn.commit()?;
        Ok(number)
    };
    match catch_unwind(AssertUnwindSafe(number)) {
        Ok(result) => result.map_err(|fault| fault.into_error(dir)),
        Err(_) => Err(damaged(dir.display(), "its file cannot be read")),
    }
}

fn unknown_format(format: u64, dir: &Path) -> Error {
    let error = Error::new(
        Code::StoreFormat,
        format!("the store in {} has format {format}; this host reads format {FORMAT}", dir.display()),
    );
    error.hint("it was written by a newer version of this host: use that one, or another directory")
}

fn unusable(dir: &Path, e: &io::Error) -> Error {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let code = if matches!(e.kind(), StorageFull | QuotaExceeded) { Code::StoreFull } else { Code::StoreDirectory };
    Error::new(code, format!("the store's directory {} cannot be used: {e}", dir.display()))
        .hint("give a directory that this user may write to, with --data-dir or GREENTIC_DATA_DIR")
}

#[cfg(unix)]
fn private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

/// How the store's files are opened: for this user alone.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

fn note_holder(mut lock: &File) -> io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

fn holder(mut lock: &File) -> Option<u32> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
