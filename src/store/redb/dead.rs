//! Dead letters: events become them, and they become events again.

use redb::ReadableTable;

use super::fault::Fault;
use super::record::{DeadRecord, EventRecord, Owner, RunRecord, WorkRecord, decode, encode};
use super::tables::Tables;
use crate::clock::Timestamp;
use crate::store::{ClaimToken, EventId, Failure, Kept, NewReply, Replayed, RunId};

type Result<T> = std::result::Result<T, Fault>;

impl Tables<'_> {
    pub(super) fn fail(
        &mut self,
        claim: &ClaimToken,
        failure: &Failure,
        ends: Option<RunId>,
        replies: &[NewReply],
    ) -> Result<bool> {
        let WorkRecord { run: begun, resumes, .. } = self.claimed(claim)?;
        let ended = match ends {
            Some(run) => self.check_run(claim, begun, run)?,
            None => None,
        };
        let run = begun.or(ends.filter(|_| ended.is_some()));
        let mut event: EventRecord = match self.events.get(claim.event.0)? {
            Some(record) => decode("events", record.value())?,
            None => return Err(Fault::Damaged(format!("event {} is claimed but not stored", claim.event.0))),
        };
        self.dirty = true;
        self.end_once(event.origin_of(claim.event.0), Kept::Failure(failure.clone()))?;
        self.events.remove(claim.event.0)?;
        if let Some(RunRecord { owner: Owner::Wait(since), lane, .. }) = ended {
            self.end_wait(&lane, since)?;
        }
        if let Some(run) = run {
            self.give_run(run, Owner::Dead(claim.event))?;
        }
        self.dead_due.insert((failure.at.0, claim.event.0), ())?;
        (event.run, event.resumes) = (None, false);
        let resumes = run.is_some() && (resumes || begun.is_none());
        let letter = DeadRecord { event, failure: failure.clone(), run, resumes };
        self.dead.insert(claim.event.0, &*encode(&letter)?)?;
        self.add_replies(replies)?;
        self.end_event(claim)
    }

    pub(super) fn replay(&mut self, event: EventId, deadline: Timestamp) -> Result<Option<Replayed>> {
        let Some(DeadRecord { event: record, run, resumes, .. }) = self.take_dead(event.0)? else { return Ok(None) };
        let id = self.next_event()?;
        if let Some(run) = run {
            self.give_run(run, Owner::Event(EventId(id)))?;
        }
        let origin = Some(record.origin_of(event.0));
        let record = EventRecord { deadline, boot: self.boot, origin, run, resumes, ..record };
        self.add_event(id, &record)?;
        Ok(Some(Replayed { event: EventId(id), lane: record.lane }))
    }

    pub(super) fn purge_dead(&mut self, event: EventId) -> Result<bool> {
        let Some(letter) = self.take_dead(event.0)? else { return Ok(false) };
        if let Some(run) = letter.run {
            self.forget_run(run)?;
        }
        Ok(true)
    }

    pub(super) fn take_dead(&mut self, event: u64) -> Result<Option<DeadRecord>> {
        let letter: DeadRecord = match self.dead.get(event)? {
            Some(record) => decode("dead", record.value())?,
            None => return Ok(None),
        };
        self.dirty = true;
        self.dead.remove(event)?;
        self.dead_due.remove((letter.failure.at.0, event))?;
        Ok(Some(letter))
    }

    /// Says whose a run is now.
    fn give_run(&mut self, run: RunId, owner: Owner) -> Result<()> {
        if let Some(mut record) = self.run_record(run)? {
            record.owner = owner;
            self.runs.insert(run.0.as_u128(), &*encode(&record)?)?;
        }
        Ok(())
    }
}
