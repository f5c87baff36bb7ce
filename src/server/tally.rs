//! Counts of what came in and went no further.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::Serialize;

use crate::error::Code;

/// Why requests went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dropped {
    /// They were genuine, and nothing for a flow.
    Ignored,
    /// They did not prove where they come from.
    Refused,
}

/// How many requests of a provider went no further for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct DroppedCount {
    /// The provider.
    pub provider: &'static str,
    /// Whether they were refused or ignored.
    pub dropped: Dropped,
    /// Why, in words.
    pub reason: &'static str,
    /// How many since the server began.
    pub count: u64,
}

/// Counts by provider and reason. Both are words of the program's own, so that their number is bounded.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<BTreeMap<(&'static str, Dropped, &'static str), u64>>);

impl Tally {
    pub(super) fn ignored(&self, provider: &'static str, reason: &'static str) {
        self.count(provider, Dropped::Ignored, reason);
    }

    pub(super) fn refused(&self, provider: &'static str, code: Code) {
        self.count(provider, Dropped::Refused, code.title());
    }

    fn count(&self, provider: &'static str, dropped: Dropped, reason: &'static str) {
        let mut counts = self.0.lock();
        let count = counts.entry((provider, dropped, reason)).or_default();
        *count = count.saturating_add(1);
    }

    pub(super) fn counts(&self) -> Vec<DroppedCount> {
        let counts = self.0.lock();
        let counts = counts.iter();
        counts.map(|(&(provider, dropped, reason), &count)| DroppedCount { provider, dropped, reason, count }).collect()
    }
}
