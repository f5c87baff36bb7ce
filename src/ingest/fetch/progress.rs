//! Telling how far downloads are.

use crate::ingest::locator::Locator;

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// How many bytes have come.
    pub received: u64,
    /// How many there are, if the source says so.
    pub total: Option<u64>,
    /// Whether it has ended, well or not.
    pub ended: bool,
}

/// Is told how far downloads are. It is called often, and must not block.
pub trait Progress: Send + Sync {
    /// The download of `locator` is as far as `transfer` says.
    fn tell(&self, locator: &Locator, transfer: Transfer);
}

/// Tells nobody.
pub(super) struct Silent;

impl Progress for Silent {
    fn tell(&self, _: &Locator, _: Transfer) {}
}
