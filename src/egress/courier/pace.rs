//! Keeping to a pace: each request books the next free moment of its place, its bot and its tenant.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::egress::{Pace, Rate};
use crate::id::Id;

/// How many places are remembered before those that are free again are forgotten.
const REMEMBERED: usize = 4096;

/// The pace of an outlet.
pub(super) struct Pacer {
    place: Option<Rate>,
    places: Mutex<HashMap<Id, Instant>>,
    all: Option<Bucket>,
    tenant: Option<Arc<Bucket>>,
}

/// A rate that several places share.
pub(super) struct Bucket {
    rate: Rate,
    full: Mutex<Option<Instant>>,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, full: Mutex::default() }
    }

    fn book(&self, now: Instant) -> Duration {
        let mut full = self.full.lock();
        let (wait, next) = booked(self.rate, *full, now);
        *full = Some(next);
        wait
    }
}

impl Pacer {
    pub(super) fn new(pace: Pace, tenant: Option<Arc<Bucket>>) -> Self {
        Self { place: pace.place, places: Mutex::default(), all: pace.all.map(Bucket::new), tenant }
    }

    /// How long the next request to `place` has to wait; it is booked with that.
    pub(super) fn book(&self, place: &Id, now: Instant) -> Duration {
        let shared = [self.all.as_ref(), self.tenant.as_deref()];
        let shared = shared.into_iter().flatten().map(|bucket| bucket.book(now)).max().unwrap_or_default();
        self.book_place(place, now).max(shared)
    }

    fn book_place(&self, place: &Id, now: Instant) -> Duration {
        let Some(rate) = self.place else { return Duration::ZERO };
        let mut places = self.places.lock();
        if places.len() >= REMEMBERED {
            places.retain(|_, full| *full > now);
        }
        let (wait, next) = booked(rate, places.get(place).copied(), now);
        places.insert(place.clone(), next);
        wait
    }
}

/// The generic cell rate algorithm: `full` is when the bucket is empty again. Returns the time to wait, and the new
/// `full`.
fn booked(rate: Rate, full: Option<Instant>, now: Instant) -> (Duration, Instant) {
    let full = full.filter(|full| *full > now).unwrap_or(now);
    let tolerance = rate.every.saturating_mul(rate.burst.saturating_sub(1));
    let wait = full.duration_since(now).saturating_sub(tolerance);
    (wait, full + rate.every)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_goes_at_once_and_the_rest_in_its_time() {
        let pace = Pace { place: Some(Rate { every: SECOND, burst: 3 }), all: None };
        let (pacer, start) = (Pacer::new(pace, None), Instant::now());
        let place = Id::from("a");
        let waits: Vec<_> = (0..5).map(|_| pacer.book(&place, start).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 1, 2]);
        assert_eq!(pacer.book(&Id::from("b"), start), Duration::ZERO);
        assert_eq!(pacer.book(&place, start + SECOND * 10), Duration::ZERO);
    }

    #[test]
    fn places_share_the_bots_and_the_tenants_pace() {
        let rate = |burst| Rate { every: SECOND, burst };
        let tenant = Arc::new(Bucket::new(rate(2)));
        let pacer = Pacer::new(Pace { place: None, all: Some(rate(1)) }, Some(Arc::clone(&tenant)));
        let start = Instant::now();
        assert_eq!(pacer.book(&Id::from("a"), start), Duration::ZERO);
        assert_eq!(pacer.book(&Id::from("b"), start), SECOND);
        let other = Pacer::new(Pace::default(), Some(tenant));
        assert_eq!(other.book(&Id::from("c"), start), SECOND);
    }

    #[test]
    fn places_that_are_free_again_are_forgotten() {
        let pace = Pace { place: Some(Rate { every: SECOND, burst: 1 }), all: None };
        let (pacer, start) = (Pacer::new(pace, None), Instant::now());
        for place in 0..REMEMBERED {
            pacer.book(&Id::from(place.to_string()), start);
        }
        pacer.book(&Id::from("new"), start + SECOND * 2);
        assert_eq!(pacer.places.lock().len(), 1);
    }
}
