//! How many requests are under way at once. Whoever waits is let in in the order of asking.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::reason::{Failure, Reason};

/// The places for requests.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    count: usize,
}

/// A place that is taken until this is dropped.
pub(super) type Place = OwnedSemaphorePermit;

impl Places {
    pub(super) fn new(count: usize) -> Self {
        let count = count.clamp(1, Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(count)), count }
    }

    /// Takes a place as soon as one is free.
    ///
    /// # Errors
    ///
    /// `Busy` if none is until `end`.
    pub(super) async fn take(&self, end: Instant) -> Result<Place, Failure> {
        match tokio::time::timeout_at(end.into(), Arc::clone(&self.free).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(Failure::new(Reason::Internal, "the places for requests are gone")),
            Err(_) => {
                let message = format!("{} requests are under way, as many as `http.concurrency` allows", self.count);
                Err(Failure::new(Reason::Busy, message))
            }
        }
    }
}
