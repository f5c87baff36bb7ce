//! Counts of how what was wanted was come by.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Fetched, Outcome};
use crate::error::Result;

#[derive(Debug, Default)]
pub(super) struct Tally {
    cached: AtomicU64,
    downloaded: AtomicU64,
    offline: AtomicU64,
    failed: AtomicU64,
}

/// How often something was come by in which way. Those who wanted the same at the same time count once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchCounts {
    /// It was in the cache.
    pub cached: u64,
    /// It was fetched.
    pub downloaded: u64,
    /// It was in the cache, and its source could not be asked.
    pub offline: u64,
    /// It could not be had.
    pub failed: u64,
}

impl Tally {
    pub(super) fn note(&self, fetched: &Result<Fetched>) {
        let count = match fetched.as_ref().map(|fetched| fetched.outcome) {
            Ok(Outcome::Cached) => &self.cached,
            Ok(Outcome::Downloaded) => &self.downloaded,
            Ok(Outcome::Offline) => &self.offline,
            Err(_) => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> FetchCounts {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (cached, downloaded) = (load(&self.cached), load(&self.downloaded));
        FetchCounts { cached, downloaded, offline: load(&self.offline), failed: load(&self.failed) }
    }
}
