//! How fast things may go: what one tenant may begin, and servers that asked for a pause.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The longest pause that a server gets.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// The pause of a server that says nothing of its length.
const PAUSE: Duration = Duration::from_secs(1);
/// Servers that are remembered.
const MAX_SERVERS: usize = 256;

/// So many at once, and then so many per second.
#[derive(Debug)]
pub(super) struct Bucket {
    burst: f64,
    per_second: f64,
    left: Mutex<(f64, Instant)>,
}

impl Bucket {
    pub(super) fn new(burst: u32, per_second: u32, now: Instant) -> Self {
        let burst = f64::from(burst);
        Self { burst, per_second: f64::from(per_second), left: Mutex::new((burst, now)) }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&self, now: Instant) -> bool {
        let mut left = self.left.lock();
        let came = now.saturating_duration_since(left.1).as_secs_f64() * self.per_second;
        *left = ((left.0 + came).min(self.burst), now.max(left.1));
        let is_there = left.0 >= 1.0;
        if is_there {
            left.0 -= 1.0;
        }
        is_there
    }
}

/// Servers that are left alone for a while.
#[derive(Debug, Default)]
pub(super) struct Pauses(Mutex<HashMap<String, Instant>>);

impl Pauses {
    /// How long `server` is still left alone.
    pub(super) fn left(&self, server: &str, now: Instant) -> Option<Duration> {
        let until = *self.0.lock().get(server)?;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// Leaves `server` alone for as long as it says, in seconds.
    pub(super) fn begin(&self, server: &str, retry_after: Option<&[u8]>, now: Instant) {
        let said = retry_after.and_then(|text| std::str::from_utf8(text).ok()?.trim().parse().ok());
        let pause = said.map_or(PAUSE, Duration::from_secs).clamp(PAUSE, MAX_PAUSE);
        let mut pauses = self.0.lock();
        pauses.retain(|_, until| *until > now);
        if pauses.len() < MAX_SERVERS {
            pauses.insert(server.to_owned(), now + pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_with_time() {
        let begin = Instant::now();
        let bucket = Bucket::new(3, 2, begin);
        assert_eq!((0..5).filter(|_| bucket.take(begin)).count(), 3);
        assert!(!bucket.take(begin + Duration::from_millis(400)));
        assert!(bucket.take(begin + Duration::from_millis(900)));
        assert_eq!((0..5).filter(|_| bucket.take(begin + Duration::from_secs(60))).count(), 3);
    }

    #[test]
    fn a_server_gets_the_pause_that_it_asks_for_within_bounds() {
        let now = Instant::now();
        for (said, seconds) in
            [(Some("7"), 7), (Some(" 7 "), 7), (None, 1), (Some("0"), 1), (Some("soon"), 1), (Some("99999999"), 60)]
        {
            let pauses = Pauses::default();
            pauses.begin("a", said.map(str::as_bytes), now);
            assert_eq!(pauses.left("a", now), Some(Duration::from_secs(seconds)), "{said:?}");
            assert_eq!(pauses.left("a", now + Duration::from_secs(seconds)), None);
            assert_eq!(pauses.left("b", now), None);
        }
    }
}
