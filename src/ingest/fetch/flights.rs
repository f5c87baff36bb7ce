//! One download for all who want the same thing at the same time.

use std::collections::HashMap;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use parking_lot::Mutex;

use super::{Fetched, Origin};
use crate::error::Result;
use crate::pack::model::Digest;

type Flight = BoxFuture<'static, Result<Fetched>>;

/// What somebody wants. Only who wants all of the same shares a download.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) key: String,
    pub(super) want: Option<Digest>,
    pub(super) origin: Origin,
    pub(super) limit: u64,
}

/// What is being fetched.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Wanted, WeakShared<Flight>>>);

impl Flights {
    /// Waits for what is being fetched, or fetches. It goes on as long as anybody waits, whoever began it.
    pub(super) fn join<F>(&self, wanted: Wanted, fetch: impl FnOnce() -> F) -> Shared<Flight>
    where
        F: Future<Output = Result<Fetched>> + Send + 'static,
    {
        let mut flights = self.0.lock();
        if let Some(flight) =
            flights.get(&wanted).and_then(WeakShared::upgrade).filter(|flight| flight.peek().is_none())
        {
            return flight;
        }
        // What has ended, or was given up, makes room for what begins.
        flights.retain(|_, flight| flight.upgrade().is_some_and(|flight| flight.peek().is_none()));
        let flight = fetch().boxed().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(wanted, weak);
        }
        flight
    }
}
