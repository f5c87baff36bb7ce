//! The transactions that write, each over the open tables of a batch. All checks come before the first change, so
//! that a refused one leaves nothing behind for the others of its batch.

use std::time::Duration;

use redb::{ReadableTable, Table};

use super::fault::Fault;
use super::read::{first_event, lane_waits, stored_run};
use super::record::{Blob, EventRecord, Owner, RunRecord, StateRecord, WorkRecord, decode, encode};
use super::tables::{Tables, dedupe_key, lane_key, meta, scope_key, state_key};
use crate::clock::Timestamp;
use crate::store::{
    Accepted, Checkpoint, Claim, ClaimToken, Completion, End, EventId, Kept, Lane, NewEvent, RunId, StateWrite, Wait,
    claim_lost, foreign_run,
};

type Result<T> = std::result::Result<T, Fault>;

/// The process that holds a claim that was given back; real ones count from 1.
const NOBODY: u64 = 0;

impl Tables<'_> {
    pub(super) fn accept(&mut self, event: &NewEvent) -> Result<Accepted> {
        let mut dedupe = Vec::with_capacity(event.dedupe.len());
        for key in &event.dedupe {
            let key = dedupe_key(key);
            let known = self.dedupe.get(&key)?.map(|v| v.value());
            match known {
                Some((id, until)) if event.accepted_at.0 < until && !self.is_superseded(event, id)? => {
                    return self.repeated(event, id).map(Accepted::Duplicate);
                }
                known => dedupe.push((key, known)),
            }
        }
        self.dirty = true;
        let id = self.next_event()?;
        for (key, known) in &dedupe {
            if let Some((before, until)) = known {
                self.dedupe_due.remove((*until, key))?;
                self.forget_once(*before)?;
            }
            let until = event.accepted_at.plus(event.dedupe_ttl).0;
            self.dedupe.insert(key, (id, until))?;
            self.dedupe_due.insert((until, key), ())?;
        }
        let record = EventRecord {
            tenant: event.tenant.clone(),
            lane: event.lane.clone(),
            accepted_at: event.accepted_at,
            deadline: event.deadline,
            boot: self.boot,
            payload: Blob(event.payload.clone()),
            origin: None,
            run: None,
            resumes: false,
        };
        self.add_event(id, &record)?;
        self.begin_once(id, event)?;
        Ok(Accepted::New(EventId(id)))
    }

    pub(super) fn next_event(&mut self) -> Result<u64> {
        let id = number(&self.meta, meta::LAST_EVENT)? + 1;
        self.meta.insert(meta::LAST_EVENT, id)?;
        Ok(id)
    }

    /// Puts an event at the end of its lane.
    pub(super) fn add_event(&mut self, id: u64, event: &EventRecord) -> Result<()> {
        let lane = lane_key(&event.lane);
        if first_event(&self.queue, &lane)?.is_none() {
            self.heads.insert(id, &*event.lane.0)?;
        }
        self.queue.insert((&lane, id), ())?;
        self.events.insert(id, &*encode(event)?)?;
        Ok(())
    }

    /// The first claim of an event by the process that accepted it is not synced by itself. If the process dies
    /// before something else is, the next one finds an event of another process without a claim, and counts one. So
    /// attempts and fences only grow, and an event that kills its process at once is counted each time.
    pub(super) fn claim(&mut self, lane: &Lane, now: Timestamp, lease: Duration) -> Result<Option<Claim>> {
        let key = lane_key(lane);
        let Some(id) = first_event(&self.queue, &key)? else { return Ok(None) };
        let before = self.work_of(id)?;
        if before.as_ref().is_some_and(|work| work.is_held(self.boot, now, lease)) {
            return Ok(None);
        }
        let event: EventRecord = match self.events.get(id)? {
            Some(record) => decode("events", record.value())?,
            None => return Err(Fault::Damaged(format!("event {id} is queued but not stored"))),
        };
        // Only the first claim of an event that was replayed finds its run in the event.
        let (begun, resumes) = match &before {
            Some(work) => (work.run, work.resumes),
            None => (event.run, event.resumes),
        };
        let run = match begun {
            Some(run) => stored_run(&self.runs, &self.journal, run)?,
            None => None,
        };
        let waits =
            lane_waits(&self.waits, &key)?.filter(|wait| !wait.as_ref().is_ok_and(|wait| wait.has_expired(now)));
        let waits = waits.collect::<Result<_>>()?;
        let is_first = before.is_none() && event.boot == self.boot;
        let counted = before.map_or(u32::from(event.boot != self.boot), |work| work.attempts);
        let attempts = counted.saturating_add(1);
        let work = WorkRecord { lane: lane.clone(), attempts, claimed_at: now, boot: self.boot, run: begun, resumes };
        let work = encode(&work)?;
        self.work.insert(id, &*work)?;
        if is_first {
            self.first_claims.push((id, work));
        } else {
            self.dirty = true;
        }
        Ok(Some(Claim {
            token: ClaimToken { event: EventId(id), lane: lane.clone(), fence: u64::from(attempts) },
            origin: event.origin_of(id),
            tenant: event.tenant,
            payload: event.payload.0,
            accepted_at: event.accepted_at,
            deadline: event.deadline,
            attempts,
            resumes: run.is_some() && resumes,
            run,
            waits,
        }))
    }

    pub(super) fn checkpoint(&mut self, claim: &ClaimToken, checkpoint: &Checkpoint) -> Result<()> {
        let Checkpoint { run, head, journal, state, replies } = checkpoint;
        let mut work = self.claimed(claim)?;
        let before = self.check_run(claim, work.run, *run)?;
        self.dirty = true;
        if work.run.is_none() || work.resumes {
            work.run = Some(*run);
            work.resumes = false;
            self.work.insert(claim.event.0, &*encode(&work)?)?;
        }
        let record = RunRecord { lane: claim.lane.clone(), owner: Owner::Event(claim.event), head: Blob(head.clone()) };
        self.put_run(*run, before, &record, journal)?;
        self.write_state(state)?;
        self.add_replies(replies)
    }

    pub(super) fn complete(&mut self, claim: &ClaimToken, completion: &Completion) -> Result<bool> {
        let work = self.claimed(claim)?;
        match &completion.end {
            End::Finished { run } => {
                if let Some(run) = run {
                    self.check_run(claim, work.run, *run)?;
                }
                self.dirty = true;
                if let Some(run) = run.or(work.run) {
                    self.forget_run(run)?;
                }
            }
            End::Waiting { run, head, journal, replaces, flow, expires_at } => {
                let before = self.check_run(claim, work.run, *run)?;
                self.dirty = true;
                if *replaces {
                    self.forget_journal(*run)?;
                }
                let record =
                    RunRecord { lane: claim.lane.clone(), owner: Owner::Wait(claim.event), head: Blob(head.clone()) };
                self.put_run(*run, before, &record, journal)?;
                let wait = Wait { run: *run, flow: flow.clone(), expires_at: *expires_at };
                self.waits.insert((&lane_key(&claim.lane), claim.event.0), &*encode(&wait)?)?;
                if let Some(at) = expires_at {
                    self.waits_due.insert((at.0, claim.event.0, run.0.as_u128()), ())?;
                }
            }
        }
        self.write_state(&completion.state)?;
        self.add_replies(&completion.replies)?;
        if let (Some(result), Some(event)) = (&completion.result, self.event_of(claim.event.0)?) {
            self.end_once(event.origin_of(claim.event.0), Kept::of(result.clone()))?;
        }
        self.events.remove(claim.event.0)?;
        self.end_event(claim)
    }

    pub(super) fn release(&mut self, claim: &ClaimToken) -> Result<()> {
        let mut work = self.claimed(claim)?;
        work.boot = NOBODY;
        self.work.insert(claim.event.0, &*encode(&work)?)?;
        self.dirty = true;
        Ok(())
    }

    fn event_of(&self, event: u64) -> Result<Option<EventRecord>> {
        self.events.get(event)?.map(|record| decode("events", record.value())).transpose()
    }

    pub(super) fn work_of(&self, event: u64) -> Result<Option<WorkRecord>> {
        self.work.get(event)?.map(|record| decode("work", record.value())).transpose()
    }

    pub(super) fn claimed(&self, claim: &ClaimToken) -> Result<WorkRecord> {
        match self.work_of(claim.event.0)? {
            Some(work) if work.is(claim, self.boot) => Ok(work),
            _ => Err(Fault::Refused(claim_lost(claim))),
        }
    }

    pub(super) fn run_record(&self, run: RunId) -> Result<Option<RunRecord>> {
        self.runs.get(run.0.as_u128())?.map(|record| decode("runs", record.value())).transpose()
    }

    /// The run as it is stored, if the claim may touch it: not another event's, another lane's, nor a second one.
    pub(super) fn check_run(&self, claim: &ClaimToken, begun: Option<RunId>, run: RunId) -> Result<Option<RunRecord>> {
        let known = self.run_record(run)?;
        let ours = known.as_ref().is_none_or(|known| {
            known.lane == claim.lane
                && match known.owner {
                    Owner::Event(event) => event == claim.event,
                    Owner::Wait(_) => true,
                    Owner::Dead(_) => false,
                }
        });
        if ours && begun.is_none_or(|begun| begun == run) {
            Ok(known)
        } else {
            Err(Fault::Refused(foreign_run(claim, run)))
        }
    }

    /// Stores where a run stands, ends the wait in which it was, and adds to its journal.
    fn put_run(
        &mut self,
        run: RunId,
        before: Option<RunRecord>,
        record: &RunRecord,
        journal: &[bytes::Bytes],
    ) -> Result<()> {
        let key = run.0.as_u128();
        self.runs.insert(key, &*encode(record)?)?;
        if let Some(RunRecord { owner: Owner::Wait(since), lane, .. }) = before {
            self.end_wait(&lane, since)?;
        }
        let last = self.journal.range((key, 0)..=(key, u32::MAX))?.next_back().transpose()?;
        let next = last.map_or(0, |(at, _)| at.value().1 + 1);
        for (at, entry) in (next..).zip(journal) {
            self.journal.insert((key, at), &**entry)?;
        }
        Ok(())
    }

    pub(super) fn end_wait(&mut self, lane: &Lane, since: EventId) -> Result<()> {
        let wait: Option<Wait> = match self.waits.remove((&lane_key(lane), since.0))? {
            Some(record) => Some(decode("waits", record.value())?),
            None => None,
        };
        if let Some(Wait { run, expires_at: Some(at), .. }) = wait {
            self.waits_due.remove((at.0, since.0, run.0.as_u128()))?;
        }
        Ok(())
    }

    pub(super) fn forget_run(&mut self, run: RunId) -> Result<()> {
        let key = run.0.as_u128();
        let gone: Option<RunRecord> = match self.runs.remove(key)? {
            Some(record) => Some(decode("runs", record.value())?),
            None => None,
        };
        if let Some(RunRecord { owner: Owner::Wait(since), lane, .. }) = gone {
            self.end_wait(&lane, since)?;
        }
        self.forget_journal(run)
    }

    fn forget_journal(&mut self, run: RunId) -> Result<()> {
        let key = run.0.as_u128();
        self.journal.retain_in((key, 0)..=(key, u32::MAX), |_, _| false)?;
        Ok(())
    }

    /// Takes a claimed event out of its lane. True if the lane holds a further one.
    pub(super) fn end_event(&mut self, claim: &ClaimToken) -> Result<bool> {
        let lane = lane_key(&claim.lane);
        self.work.remove(claim.event.0)?;
        self.heads.remove(claim.event.0)?;
        self.queue.remove((&lane, claim.event.0))?;
        let next = first_event(&self.queue, &lane)?;
        if let Some(next) = next {
            self.heads.insert(next, &*claim.lane.0)?;
        }
        Ok(next.is_some())
    }

    fn write_state(&mut self, writes: &[StateWrite]) -> Result<()> {
        for StateWrite { scope, key, value } in writes {
            let (at, hashed) = (scope_key(scope), state_key(key));
            match value {
                Some(value) => {
                    let record = StateRecord { key: key.clone(), value: Blob(value.clone()) };
                    self.state.insert((&at, &hashed), &*encode(&record)?)?;
                }
                None => {
                    self.state.remove((&at, &hashed))?;
                }
            }
        }
        Ok(())
    }
}

impl WorkRecord {
    /// Whether a live worker holds the event.
    pub(super) fn is_held(&self, boot: u64, now: Timestamp, lease: Duration) -> bool {
        self.boot == boot && now < self.claimed_at.plus(lease)
    }

    /// Whether this is the claim that still holds.
    pub(super) fn is(&self, claim: &ClaimToken, boot: u64) -> bool {
        self.boot == boot && u64::from(self.attempts) == claim.fence && self.lane == claim.lane
    }
}

/// A number of the table `meta`; 0 if it was never written.
pub(super) fn number(meta: &Table<'_, &'static str, u64>, name: &str) -> Result<u64> {
    Ok(meta.get(name)?.map_or(0, |v| v.value()))
}
