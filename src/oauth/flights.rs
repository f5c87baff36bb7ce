//! One at a time for each owner, so that a refresh token is used once.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::owner::Owner;
use crate::error::{Error, Result};

/// From how many owners on those are forgotten of whom nothing is under way.
const MANY: usize = 256;

type Turn = tokio::sync::Mutex<Before>;

/// What the last attempt came to, if it failed.
#[derive(Debug, Default)]
pub(super) struct Before(Option<(Instant, Error)>);

impl Before {
    /// The failure of an attempt that ended after `asked`: whoever waited for it takes that, and makes no attempt of its
    /// own. Else they would all fail one after another, each after its time.
    pub(super) fn failed_since(&self, asked: Instant) -> Option<Error> {
        self.0.as_ref().filter(|(at, _)| *at >= asked).map(|(_, error)| error.clone())
    }

    /// Notes how an attempt ended.
    pub(super) fn note<T>(&mut self, result: &Result<T>) {
        self.0 = result.as_ref().err().map(|error| (Instant::now(), error.clone()));
    }
}

#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Owner, Weak<Turn>>>);

impl Flights {
    /// Waits until nothing else is under way for the owner.
    pub(super) async fn turn(&self, owner: &Owner) -> OwnedMutexGuard<Before> {
        self.turns(owner).lock_owned().await
    }

    fn turns(&self, owner: &Owner) -> Arc<Turn> {
        let mut turns = self.0.lock();
        if let Some(turn) = turns.get(owner).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len() >= MANY {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(Turn::default());
        turns.insert(owner.clone(), Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::Code;
    use crate::oauth::owner::tests::owner;

    #[tokio::test]
    async fn an_owner_has_one_turn_and_nobody_waits_for_another() {
        let flights = Flights::default();
        let (one, other) = (owner("a", None, "p", "s"), owner("a", None, "p", "t"));
        let held = flights.turn(&one).await;
        drop(flights.turn(&other).await);
        assert!(flights.turns(&one).try_lock().is_err());
        drop(held);
        drop(flights.turn(&one).await);
    }

    #[tokio::test]
    async fn whoever_waited_for_an_attempt_takes_its_failure_and_whoever_comes_later_does_not() {
        let (flights, one) = (Flights::default(), owner("a", None, "p", "s"));
        let asked = Instant::now();
        let mut turn = flights.turn(&one).await;
        let waiting = flights.turns(&one);
        turn.note(&Err::<(), _>(Error::new(Code::OAuthUnavailable, "no answer")));
        let later = Instant::now() + Duration::from_millis(1);
        drop(turn);
        let mut turn = waiting.lock_owned().await;
        assert_eq!(turn.failed_since(asked).unwrap().code(), Code::OAuthUnavailable);
        assert!(turn.failed_since(later).is_none());
        turn.note(&Ok(()));
        assert!(turn.failed_since(asked).is_none());
    }

    #[tokio::test]
    async fn owners_are_forgotten() {
        let flights = Flights::default();
        for n in 0..MANY * 3 {
            drop(flights.turn(&owner("a", None, "p", &n.to_string())).await);
        }
        assert!(flights.0.lock().len() <= MANY);
    }
}
