//! How often requests were answered, and how often not and why.

use std::sync::atomic::{AtomicU64, Ordering};

use super::reason::{Failure, Reason};

/// Counts that many requests add to at once.
#[derive(Debug)]
pub struct Tally {
    answered: AtomicU64,
    failed: Vec<AtomicU64>,
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
        Self { answered: AtomicU64::new(0), failed: Reason::ALL.iter().map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Tally {
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
