//! Working on dead letters again.

use std::sync::Arc;

use super::Lanes;
use crate::error::{Code, Error, Result};
use crate::run::program::Program;
use crate::session::owner_of;
use crate::store::{DeadLetter, EventId, unknown_dead_letter};

impl Lanes {
    /// Makes a dead letter an event again, and returns as which. When this returns, it will be worked on, whatever
    /// happens to the process. Whoever waited for its outcome does so no more; replies go to its route, if it has one.
    /// Dropping the future does not leave it half done.
    pub async fn replay(&self, event: EventId) -> Result<EventId> {
        let me = self.taking()?;
        let replaying = self.tasks.spawn(async move { me.replay_now(event).await });
        replaying.await.map_err(|e| Error::new(Code::Internal, format!("a replay did not end well: {e}")))?
    }

    async fn replay_now(&self, event: EventId) -> Result<EventId> {
        let store = &self.services.store;
        let letter = store.dead_letter(event).await?.ok_or_else(|| unknown_dead_letter(event))?;
        let program = self.program_for(&letter)?;
        let place = self.callers.enter(&letter.tenant, program.run_limits.queue)?;
        let deadline = self.services.clock.now().plus(program.run_limits.event_deadline);
        let replayed = store.replay(event, deadline).await?.ok_or_else(|| unknown_dead_letter(event))?;
        // A repetition is not answered with the old failure any more.
        self.callers.forget(letter.origin);
        self.callers.forget(event);
        // Counted among what is under way; nobody listens.
        drop(place.wait_for(replayed.event));
        self.wake(replayed.lane);
        Ok(replayed.event)
    }

    fn program_for(&self, letter: &DeadLetter) -> Result<Arc<Program>> {
        self.program_of(&letter.lane).ok_or_else(|| {
            let (_, pack) = owner_of(&letter.lane);
            let what =
                format!("event {} was for pack {pack}, which tenant {} does not run", letter.event.0, letter.tenant);
            Error::new(Code::ReplayImpossible, what).hint("load that pack, or purge the dead letter")
        })
    }
}
