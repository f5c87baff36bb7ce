//! The vault: what is kept under a key until it is taken, or until its time. What it holds is sealed by whoever puts it
//! there; to the store it is bytes.

use bytes::Bytes;

use crate::clock::Timestamp;

/// Something to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultEntry {
    /// Under what. The caller scopes it by tenant and purpose.
    pub key: String,
    /// What.
    pub value: Bytes,
    /// When it is forgotten; never, if nothing takes it before.
    pub expires_at: Option<Timestamp>,
}

/// Whether what expires `at` then is there no more `now`.
pub(super) fn has_expired(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| at <= now)
}
