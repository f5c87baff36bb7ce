//! How often requests were answered, and how often not and why.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::reason::{Failure, Reason};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::id::Id;

/// Who asked by an entry are told apart up to this number.
const MAX_ASKERS: usize = 256;

/// Counts that many requests add to at once.
#[derive(Debug)]
pub struct Tally {
    answered: AtomicU64,
    failed: Vec<AtomicU64>,
    /// Who asked by each entry of the allow-list, how often and when last.
    entries: Vec<Mutex<BTreeMap<Id, (u64, Timestamp)>>>,
}

/// What a tally holds at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests to which an answer began, whatever its status. If its body then failed, that is counted as well.
    pub answered: u64,
    /// Failures by their reasons, without those that never happened.
    pub failed: Vec<(Reason, u64)>,
}

impl Default for Tally {
    fn default() -> Self {
        Self::of_entries(0)
    }
}

impl Tally {
    /// A tally for an allow-list of so many entries.
    pub(super) fn of_entries(entries: usize) -> Self {
        Self {
            answered: AtomicU64::new(0),
            failed: Reason::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            entries: (0..entries).map(|_| Mutex::default()).collect(),
        }
    }

    /// Adds that `asker` was allowed to ask by these entries.
    pub(super) fn allowed(&self, entries: impl Iterator<Item = usize>, asker: &Id) {
        let now = SystemClock.now();
        for entry in entries.filter_map(|at| self.entries.get(at)) {
            let mut askers = entry.lock();
            let full = askers.len() >= MAX_ASKERS && !askers.contains_key(asker);
            let asker = if full { Id::from("(others)") } else { asker.clone() };
            let (times, last) = askers.entry(asker).or_default();
            *times = times.saturating_add(1);
            *last = now;
        }
    }

    /// Who asked by the entry at this place of the allow-list, redirects included: how often, and when last.
    pub fn askers(&self, entry: usize) -> Vec<(Id, u64, Timestamp)> {
        let askers = self.entries.get(entry).map(|askers| askers.lock().clone()).unwrap_or_default();
        askers.into_iter().map(|(id, (times, last))| (id, times, last)).collect()
    }

    /// Adds a request that was answered.
    pub(super) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds a failure.
    pub fn failed(&self, failure: &Failure) {
        let at = Reason::ALL.iter().position(|reason| *reason == failure.reason());
        if let Some(count) = at.and_then(|at| self.failed.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What it holds now.
    pub fn counts(&self) -> Counts {
        let failed = Reason::ALL.iter().zip(&self.failed);
        let failed = failed.map(|(reason, count)| (*reason, count.load(Ordering::Relaxed)));
        Counts {
            answered: self.answered.load(Ordering::Relaxed),
            failed: failed.filter(|(_, count)| *count > 0).collect(),
        }
    }
}
