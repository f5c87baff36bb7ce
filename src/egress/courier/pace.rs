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

/// How fast an outlet was used.
pub(super) struct Pacer {
    places: Mutex<HashMap<Id, Instant>>,
    /// When the bot's own bucket is empty again.
    all: Mutex<Option<Instant>>,
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
        book(&self.full, self.rate, now)
    }
}

impl Pacer {
    pub(super) fn new(tenant: Option<Arc<Bucket>>) -> Self {
        Self { places: Mutex::default(), all: Mutex::default(), tenant }
    }

    /// How long the next request to `place` has to wait; it is booked with that.
    pub(super) fn book(&self, place: &Id, pace: Pace, now: Instant) -> Duration {
        let tenant = self.tenant.as_ref().map(|bucket| bucket.book(now)).unwrap_or_default();
        let all = pace.all.map(|rate| book(&self.all, rate, now)).unwrap_or_default();
        let own = pace.place.map(|rate| self.book_place(place, rate, now)).unwrap_or_default();
        tenant.max(all).max(own)
    }

    fn book_place(&self, place: &Id, rate: Rate, now: Instant) -> Duration {
        let mut places = self.places.lock();
        if places.len() >= REMEMBERED {
            places.retain(|_, full| *full > now);
        }
        let (wait, next) = booked(rate, places.get(place).copied(), now);
        places.insert(place.clone(), next);
        wait
    }
}

fn book(full: &Mutex<Option<Instant>>, rate: Rate, now: Instant) -> Duration {
    let mut full = full.lock();
    let (wait, next) = booked(rate, *full, now);
    *full = Some(next);
    wait
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
        let (pacer, start) = (Pacer::new(None), Instant::now());
        let place = Id::from("a");
        let waits: Vec<_> = (0..5).map(|_| pacer.book(&place, pace, start).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 1, 2]);
        assert_eq!(pacer.book(&Id::from("b"), pace, start), Duration::ZERO);
        assert_eq!(pacer.book(&place, pace, start + SECOND * 10), Duration::ZERO);
    }

    #[test]
    fn places_share_the_bots_and_the_tenants_pace() {
        let rate = |burst| Rate { every: SECOND, burst };
        let tenant = Arc::new(Bucket::new(rate(2)));
        let pacer = Pacer::new(Some(Arc::clone(&tenant)));
        let (pace, start) = (Pace { place: None, all: Some(rate(1)) }, Instant::now());
        assert_eq!(pacer.book(&Id::from("a"), pace, start), Duration::ZERO);
        assert_eq!(pacer.book(&Id::from("b"), pace, start), SECOND);
        let other = Pacer::new(Some(tenant));
        assert_eq!(other.book(&Id::from("c"), Pace::default(), start), SECOND);
    }

    #[test]
    fn places_that_are_free_again_are_forgotten() {
        let pace = Pace { place: Some(Rate { every: SECOND, burst: 1 }), all: None };
        let (pacer, start) = (Pacer::new(None), Instant::now());
        for place in 0..REMEMBERED {
            pacer.book(&Id::from(place.to_string()), pace, start);
        }
        pacer.book(&Id::from("new"), pace, start + SECOND * 2);
        assert_eq!(pacer.places.lock().len(), 1);
    }
}
