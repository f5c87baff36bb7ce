//! Who gets the replies of an event whose caller waits for a while only.
//!
//! Either the caller gets them or the event's route does, never both and never nobody: the work asks at its end whether
//! the caller still waits, and from then on the caller waits for what is on its way to it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use uuid::Uuid;

/// The callers that wait for replies of their own.
#[derive(Clone, Default)]
pub(in crate::run) struct Turns(Arc<Mutex<HashMap<Uuid, Turn>>>);

/// Whether a caller can do anything with replies.
pub type Fits = Arc<dyn Fn(&[Value]) -> bool + Send + Sync>;

enum Turn {
    Waiting(Fits),
    /// The replies are on their way to the caller.
    Taken,
}

/// A caller that waits for the replies of its event. Dropped, it waits no more.
#[derive(Default)]
pub struct Waiter(Option<(Turns, Uuid)>);

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Waiter").field(&self.0.as_ref().map(|(_, ticket)| ticket)).finish()
    }
}

impl Turns {
    /// A caller that waits from now on, and the number by which its event knows it.
    pub(super) fn wait(&self, fits: Fits) -> (Waiter, Uuid) {
        let ticket = Uuid::new_v4();
        self.0.lock().insert(ticket, Turn::Waiting(fits));
        (Waiter(Some((self.clone(), ticket))), ticket)
    }

    /// Takes the replies for the caller, if it still waits and they fit.
    pub(in crate::run) fn take(&self, ticket: Uuid, replies: &[Value]) -> bool {
        let fits = match self.0.lock().get(&ticket) {
            Some(Turn::Waiting(fits)) => Arc::clone(fits),
            Some(Turn::Taken) => return true,
            None => return false,
        };
        let fits = fits(replies);
        let mut turns = self.0.lock();
        match turns.get_mut(&ticket) {
            Some(turn) if fits => {
                *turn = Turn::Taken;
                true
            }
            _ => false,
        }
    }
}

impl Waiter {
    /// Waits no more. False if the replies are on their way: then the outcome is about to come, and nobody else gets
    /// them.
    pub fn give_up(&self) -> bool {
        let Some((turns, ticket)) = &self.0 else { return true };
        let mut turns = turns.0.lock();
        if matches!(turns.get(ticket), Some(Turn::Taken)) {
            return false;
        }
        turns.remove(ticket);
        true
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some((turns, ticket)) = &self.0 {
            turns.0.lock().remove(ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_go_to_one_of_the_two() {
        let turns = Turns::default();
        let any: Fits = Arc::new(|_: &[Value]| true);
        let (waiter, ticket) = turns.wait(Arc::clone(&any));
        assert!(turns.take(ticket, &[]), "the caller waits");
        assert!(turns.take(ticket, &[]), "the work is repeated for it");
        assert!(!waiter.give_up(), "they are on their way");
        drop(waiter);
        assert!(!turns.take(ticket, &[]), "it has gone");

        let (waiter, ticket) = turns.wait(any);
        assert!(waiter.give_up());
        assert!(!turns.take(ticket, &[]));
        assert!(turns.0.lock().is_empty());
        assert!(!turns.take(Uuid::nil(), &[]) && Waiter::default().give_up());
    }

    #[test]
    fn replies_that_do_not_fit_are_not_taken() {
        let turns = Turns::default();
        let (waiter, ticket) = turns.wait(Arc::new(|replies: &[Value]| replies.len() == 1));
        assert!(!turns.take(ticket, &[]));
        assert!(turns.take(ticket, &[Value::Null]));
        assert!(!waiter.give_up());
    }
}
