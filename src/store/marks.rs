//! Marks: small things that are kept under a name for good, as how far a schedule has come.

use bytes::Bytes;

/// Something to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Under what. The caller scopes it by tenant and purpose.
    pub key: String,
    /// What.
    pub value: Bytes,
    /// Whether it takes the place of what is kept there already; else that stays.
    pub replaces: bool,
}
