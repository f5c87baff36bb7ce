//! What could not be done at first: dead letters, and replies that could not be delivered.

use super::RunnerHost;
use crate::error::{Code, Error, Result};
use crate::store::{EventId, ReplyRoute, unknown_dead_letter};

impl RunnerHost {
    /// Makes a dead letter an event again, and returns as which. It goes on where it was checkpointed last, and has the
    /// time that its tenant gives an event, from now on. Whoever waited for its outcome does so no more; replies go to its
    /// route, if it has one.
    pub async fn replay(&self, event: EventId) -> Result<EventId> {
        self.lanes.replay(event).await
    }

    /// Forgets a dead letter.
    pub async fn purge_dead(&self, event: EventId) -> Result<()> {
        match self.store.purge_dead(event).await? {
            true => Ok(()),
            false => Err(unknown_dead_letter(event)),
        }
    }

    /// Puts a reply that could not be delivered at the end of its route again, and returns the route.
    pub async fn resend(&self, id: u64) -> Result<ReplyRoute> {
        let route = self.store.resend(id, self.clock.now()).await?.ok_or_else(|| unknown_reply(id))?;
        self.watch.tell(&route);
        Ok(route)
    }

    /// Forgets a reply that could not be delivered.
    pub async fn purge_undelivered(&self, id: u64) -> Result<()> {
        match self.store.purge_undelivered(id).await? {
            true => Ok(()),
            false => Err(unknown_reply(id)),
        }
    }
}

fn unknown_reply(id: u64) -> Error {
    Error::new(Code::UndeliveredUnknown, format!("no undelivered reply has the number {id}"))
        .hint("list them with GET /admin/undelivered")
}
