//! What can go wrong in a transaction, and the coded errors that callers see of it.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Code, Error};

/// Why a transaction gave no result.
#[derive(Debug)]
pub(super) enum Fault {
    /// The caller may not do this; the store is fine.
    Refused(Error),
    /// Something stored cannot be what this host stored.
    Damaged(String),
    /// The file failed.
    Storage(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Storage(error.into())
    }
}

impl Fault {
    /// Whether the fault says something about the file's device, not about what a single transaction touched.
    pub(super) fn is_io(&self) -> bool {
        use redb::Error::{DatabaseClosed, Io, LockPoisoned, PreviousIo};
        matches!(self, Self::Storage(Io(_) | PreviousIo | DatabaseClosed | LockPoisoned(_)))
    }

    /// The error for callers; `dir` is the store's directory.
    pub(super) fn into_error(self, dir: &Path) -> Error {
        use redb::Error as Redb;
        let dir = dir.display();
        match self {
            Self::Refused(error) => error,
            Self::Damaged(what) => damaged(dir, &what),
            Self::Storage(error) => match error {
                Redb::Io(io) if is_full(io.kind()) => {
                    Error::new(Code::StoreFull, format!("the store in {dir} has no room left: {io}"))
                        .hint("free some space; the store goes on by itself, and what it took before is kept")
                }
                Redb::DatabaseAlreadyOpen | Redb::LockProtocolMismatch => locked(dir, None),
                Redb::UpgradeRequired(version) => Error::new(
                    Code::StoreFormat,
                    format!("the store in {dir} has the file format {version} of an old version of redb"),
                )
                .hint("move the directory aside; a new store is made in its place"),
                Redb::Corrupted(what) => damaged(dir, &what),
                Redb::TableTypeMismatch { .. }
                | Redb::TableIsMultimap(_)
                | Redb::TableIsNotMultimap(_)
                | Redb::TypeDefinitionChanged { .. }
                | Redb::TableDoesNotExist(_) => damaged(dir, &error.to_string()),
                Redb::ValueTooLarge(_) => Error::new(Code::TooLarge, format!("the store in {dir} refused: {error}")),
                other => Error::new(Code::StoreFailed, format!("the store in {dir} failed: {other}"))
                    .hint("look at the disk's health and the system's log; the store is tried again with every event"),
            },
        }
    }
}

fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// The error of a store that is held by another process, whose number may be known.
pub(super) fn locked(dir: impl std::fmt::Display, holder: Option<u32>) -> Error {
    let holder = holder.map_or_else(String::new, |pid| format!(" (process {pid})"));
    Error::new(Code::StoreLocked, format!("the store in {dir} is held by another process{holder}"))
        .hint("stop that process, or give this one a directory of its own with --data-dir or GREENTIC_DATA_DIR")
}

/// The error of a store whose content makes no sense.
pub(super) fn damaged(dir: impl std::fmt::Display, what: &str) -> Error {
    Error::new(Code::StoreFormat, format!("the store in {dir} is damaged: {what}"))
        .hint("restore the directory from a backup, or move it aside; a new store is made in its place")
}
