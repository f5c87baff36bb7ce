//! Dead letters: events become them, and they become events again.

use std::time::Duration;

use super::{Dead, Event, Inner, Owner};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::Id;
use crate::store::{ClaimToken, DeadLetter, EventId, Failure, Kept, NewEvent, NewReply, Replayed, RunId, claim_lost};

impl Inner {
    pub(super) fn fail(
        &mut self,
        claim: &ClaimToken,
        failure: Failure,
        ends: Option<RunId>,
        replies: Vec<NewReply>,
    ) -> Result<bool> {
        self.claimed(claim)?;
        if let Some(run) = ends {
            self.check_run(claim, run)?;
            if let Some(Owner::Wait(since)) = self.runs.get(&run).map(|run| run.owner) {
                self.end_wait(&claim.lane, since);
            }
        }
        let (event, more) = self.end_event(claim);
        let Some(Event { event, origin, run: begun, resumes, .. }) = event else { return Err(claim_lost(claim)) };
        let run = begun.or(ends.filter(|run| self.runs.contains_key(run)));
        if let Some(run) = run.and_then(|run| self.runs.get_mut(&run)) {
            run.owner = Owner::Dead(claim.event);
        }
        self.due.dead.insert((failure.at, claim.event));
        self.once.end(origin, Kept::Failure(failure.clone()));
        let letter = DeadLetter {
            event: claim.event,
            origin,
            tenant: event.tenant,
            lane: event.lane,
            payload: event.payload,
            accepted_at: event.accepted_at,
            failure,
        };
        let resumes = run.is_some() && (resumes || begun.is_none());
        self.dead.insert(claim.event, Dead { letter, run, resumes });
        self.add_replies(replies);
        Ok(more)
    }

    pub(super) fn dead_letters(&self, tenant: Option<&Id>, limit: usize) -> Vec<DeadLetter> {
        let letters = self.dead.values().rev().map(|dead| &dead.letter);
        letters.filter(|letter| tenant.is_none_or(|t| *t == letter.tenant)).take(limit).cloned().collect()
    }

    pub(super) fn replay(&mut self, event: EventId, deadline: Timestamp) -> Option<Replayed> {
        let Dead { letter, run, resumes } = self.take_dead(event)?;
        let id = self.next_event();
        if let Some(run) = run.and_then(|run| self.runs.get_mut(&run)) {
            run.owner = Owner::Event(id);
        }
        let lane = letter.lane.clone();
        let event = NewEvent {
            tenant: letter.tenant,
            lane: letter.lane,
            dedupe: Vec::new(),
            dedupe_ttl: Duration::ZERO,
            once: None,
            payload: letter.payload,
            accepted_at: letter.accepted_at,
            deadline,
        };
        self.add_event(id, Event { event, origin: letter.origin, attempts: 0, claimed_at: None, run, resumes });
        Some(Replayed { event: id, lane })
    }

    pub(super) fn purge_dead(&mut self, event: EventId) -> bool {
        let Some(dead) = self.take_dead(event) else { return false };
        if let Some(run) = dead.run {
            self.forget_run(run);
        }
        true
    }

    fn take_dead(&mut self, event: EventId) -> Option<Dead> {
        let dead = self.dead.remove(&event)?;
        self.due.dead.remove(&(dead.letter.failure.at, event));
        Some(dead)
    }
}
