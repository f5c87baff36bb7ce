//! Counts of what became of replies.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::Serialize;

/// What became of a reply, or of an attempt to send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The platform took it.
    Sent,
    /// The platform did not take it yet: one attempt of perhaps several.
    Later,
    /// The platform will not take it.
    Refused,
    /// Nobody knows whether the platform took it.
    Unclear,
}

/// How many replies to a provider, or attempts, ended in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct DeliveryCount {
    /// The provider.
    pub provider: &'static str,
    /// What became of them.
    pub delivery: Delivery,
    /// How many since the server began.
    pub count: u64,
}

#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<BTreeMap<(&'static str, Delivery), u64>>);

impl Tally {
    pub(super) fn count(&self, provider: &'static str, delivery: Delivery) {
        let mut counts = self.0.lock();
        let count = counts.entry((provider, delivery)).or_default();
        *count = count.saturating_add(1);
    }

    pub(super) fn counts(&self) -> Vec<DeliveryCount> {
        let counts = self.0.lock();
        counts.iter().map(|(&(provider, delivery), &count)| DeliveryCount { provider, delivery, count }).collect()
    }
}
