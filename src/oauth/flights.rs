//! One at a time for each owner, so that a refresh token is used once.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::owner::Owner;

/// From how many owners on those are forgotten of whom nothing is under way.
const MANY: usize = 256;

type Turn = tokio::sync::Mutex<()>;

#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Owner, Weak<Turn>>>);

impl Flights {
    /// Waits until nothing else is under way for the owner.
    pub(super) async fn turn(&self, owner: &Owner) -> OwnedMutexGuard<()> {
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
    use super::*;
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
    async fn owners_are_forgotten() {
        let flights = Flights::default();
        for n in 0..MANY * 3 {
            drop(flights.turn(&owner("a", None, "p", &n.to_string())).await);
        }
        assert!(flights.0.lock().len() <= MANY);
    }
}
