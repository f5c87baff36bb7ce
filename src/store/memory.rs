//! A store in memory, for tests and for hosts that need nothing after they stop. Whatever is finished is freed.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::outgoing::Progress;
use super::{
    Accepted, Checkpoint, Claim, ClaimToken, Completion, Counts, DeadLetter, End, EventId, Failure, Kept, Lane,
    LaneFilter, Mark, NewEvent, NewReply, Outgoing, Replayed, ReplyRoute, RouteFilter, RunId, StateReader, StateScope,
    StateWrite, Store, StoredReply, StoredRun, Undelivered, VaultEntry, Wait, claim_lost, foreign_run,
};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::Id;
use crate::telemetry::TraceContext;

mod dead;
mod marks;
mod once;
mod outgoing;
mod sweep;
mod vault;

/// The store in memory. Every call takes one lock, for as long as a few map operations take.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

impl MemoryStore {
    /// Frees every claim, as a restart does with a store that outlives its process; each event may have been claimed.
    #[cfg(test)]
    pub(super) fn lose_workers(&self) {
        for event in self.inner.lock().events.values_mut() {
            event.claimed_at = None;
            event.attempts = event.attempts.max(1);
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    last_event: u64,
    events: HashMap<EventId, Event>,
    lanes: HashMap<Lane, Queue>,
    runs: HashMap<RunId, Run>,
    state: HashMap<StateScope, HashMap<String, Bytes>>,
    routes: HashMap<ReplyRoute, Route>,
    /// The highest place of the routes that were forgotten.
    retired_seq: u64,
    dedupe: HashMap<String, (EventId, Timestamp)>,
    once: once::Onces,
    dead: BTreeMap<EventId, Dead>,
    last_undelivered: u64,
    undelivered: BTreeMap<u64, Undelivered>,
    marks: HashMap<String, Bytes>,
    vault: HashMap<String, (Bytes, Option<Timestamp>)>,
    /// What [`Store::sweep`] looks at, in the order of time.
    due: Due,
}

#[derive(Debug, Default)]
struct Due {
    waits: BTreeSet<(Timestamp, EventId, RunId)>,
    dedupe: BTreeSet<(Timestamp, String)>,
    replies: BTreeSet<(Timestamp, ReplyRoute, u64)>,
    dead: BTreeSet<(Timestamp, EventId)>,
    undelivered: BTreeSet<(Timestamp, u64)>,
    vault: BTreeSet<(Timestamp, String)>,
}

#[derive(Debug)]
struct Event {
    event: NewEvent,
    origin: EventId,
    attempts: u32,
    claimed_at: Option<Timestamp>,
    run: Option<RunId>,
    /// Whether the run waits for the event still.
    resumes: bool,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<EventId>,
    /// Waiting runs under the event that made them wait, so that the oldest comes first.
    waits: BTreeMap<EventId, Wait>,
}

#[derive(Debug)]
struct Run {
    lane: Lane,
    owner: Owner,
    head: Bytes,
    journal: Vec<Bytes>,
}

/// What keeps a run alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The event that works on it.
    Event(EventId),
    /// It waits since this event.
    Wait(EventId),
    /// The dead letter of this event.
    Dead(EventId),
}

#[derive(Debug, Default)]
struct Route {
    last: u64,
    replies: BTreeMap<u64, Reply>,
}

#[derive(Debug)]
struct Reply {
    payload: Bytes,
    at: Timestamp,
    trace: Option<TraceContext>,
    progress: Progress,
}

#[derive(Debug)]
struct Dead {
    letter: DeadLetter,
    run: Option<RunId>,
    /// Whether the run waits for the event still.
    resumes: bool,
}

impl Inner {
    fn accept(&mut self, event: NewEvent) -> Accepted {
        let mut known = event.dedupe.iter().filter_map(|key| self.dedupe.get(key));
        let gives_way = |known| self.is_superseded(&event, known);
        if let Some(&(known, _)) = known.find(|&&(known, until)| event.accepted_at < until && !gives_way(known)) {
            return Accepted::Duplicate(self.repeated(&event, known));
        }
        let id = self.next_event();
        for key in &event.dedupe {
            let until = event.accepted_at.plus(event.dedupe_ttl);
            if let Some((before, old)) = self.dedupe.insert(key.clone(), (id, until)) {
                self.due.dedupe.remove(&(old, key.clone()));
                self.once.forget(before);
            }
            self.due.dedupe.insert((until, key.clone()));
        }
        self.once.begin(id, &event);
        self.add_event(id, Event { event, origin: id, attempts: 0, claimed_at: None, run: None, resumes: false });
        Accepted::New(id)
    }

    fn next_event(&mut self) -> EventId {
        self.last_event += 1;
        EventId(self.last_event)
    }

    /// Puts an event at the end of its lane.
    fn add_event(&mut self, id: EventId, event: Event) {
        self.lanes.entry(event.event.lane.clone()).or_default().events.push_back(id);
        self.events.insert(id, event);
    }

    fn claim(&mut self, lane: &Lane, now: Timestamp, lease: Duration) -> Option<Claim> {
        let queue = self.lanes.get(lane)?;
        let id = *queue.events.front()?;
        let entry = self.events.get_mut(&id)?;
        if entry.claimed_at.is_some_and(|at| now < at.plus(lease)) {
            return None;
        }
        entry.attempts = entry.attempts.saturating_add(1);
        entry.claimed_at = Some(now);
        let waits = queue.waits.values().filter(|wait| !wait.has_expired(now)).cloned().collect();
        let run = entry.run.and_then(|run| stored(&self.runs, run));
        Some(Claim {
            token: ClaimToken { event: id, lane: lane.clone(), fence: u64::from(entry.attempts) },
            tenant: entry.event.tenant.clone(),
            origin: entry.origin,
            payload: entry.event.payload.clone(),
            accepted_at: entry.event.accepted_at,
            deadline: entry.event.deadline,
            attempts: entry.attempts,
            resumes: run.is_some() && entry.resumes,
            run,
            waits,
        })
    }

    fn idle_lanes(&self, now: Timestamp, lease: Duration, limit: usize, wanted: &LaneFilter<'_>) -> Vec<Lane> {
        let mut idle: Vec<_> = self
            .lanes
            .iter()
            .filter(|(lane, _)| wanted(lane))
            .filter_map(|(lane, queue)| {
                let head = *queue.events.front()?;
                let claimed_at = self.events.get(&head)?.claimed_at;
                claimed_at.is_none_or(|at| at.plus(lease) <= now).then_some((head, lane))
            })
            .collect();
        idle.sort_unstable();
        idle.into_iter().take(limit).map(|(_, lane)| lane.clone()).collect()
    }

    /// The claimed event, if the claim still holds.
    fn claimed(&self, claim: &ClaimToken) -> Result<&Event> {
        self.events
            .get(&claim.event)
            .filter(|e| e.claimed_at.is_some() && u64::from(e.attempts) == claim.fence && e.event.lane == claim.lane)
            .ok_or_else(|| claim_lost(claim))
    }

    fn load_wait(&self, claim: &ClaimToken, run: RunId) -> Result<Option<StoredRun>> {
        let claimed_at = self.claimed(claim)?.claimed_at;
        let waits = self.lanes.get(&claim.lane).map(|queue| &queue.waits);
        let wait = waits.and_then(|waits| waits.values().find(|wait| wait.run == run));
        let alive = wait.is_some_and(|wait| claimed_at.is_none_or(|at| !wait.has_expired(at)));
        Ok(if alive { stored(&self.runs, run) } else { None })
    }

    /// Refuses a run that the claim may not touch: another event's, another lane's, or a second one.
    fn check_run(&self, claim: &ClaimToken, run: RunId) -> Result<()> {
        let begun = self.claimed(claim)?.run;
        let ours = match self.runs.get(&run) {
            None => true,
            Some(known) => {
                known.lane == claim.lane
                    && match known.owner {
                        Owner::Event(event) => event == claim.event,
                        Owner::Wait(_) => true,
                        Owner::Dead(_) => false,
                    }
            }
        };
        if ours && begun.is_none_or(|begun| begun == run) { Ok(()) } else { Err(foreign_run(claim, run)) }
    }

    /// Stores where a run stands, and whose it is now.
    fn put_run(&mut self, lane: &Lane, run: RunId, owner: Owner, head: Bytes, journal: Vec<Bytes>) {
        let new = || Run { lane: lane.clone(), owner, head: Bytes::new(), journal: Vec::new() };
        let entry = self.runs.entry(run).or_insert_with(new);
        let before = std::mem::replace(&mut entry.owner, owner);
        entry.head = head;
        entry.journal.extend(journal);
        if let Owner::Wait(since) = before {
            self.end_wait(lane, since);
        }
    }

    fn end_wait(&mut self, lane: &Lane, since: EventId) {
        let Some(queue) = self.lanes.get_mut(lane) else { return };
        if let Some(wait) = queue.waits.remove(&since)
            && let Some(at) = wait.expires_at
        {
            self.due.waits.remove(&(at, since, wait.run));
        }
        self.drop_empty_lane(lane);
    }

    fn drop_empty_lane(&mut self, lane: &Lane) {
        if self.lanes.get(lane).is_some_and(|queue| queue.events.is_empty() && queue.waits.is_empty()) {
            self.lanes.remove(lane);
        }
    }

    fn forget_run(&mut self, run: RunId) {
        if let Some(gone) = self.runs.remove(&run)
            && let Owner::Wait(since) = gone.owner
        {
            self.end_wait(&gone.lane, since);
        }
    }

    fn write_state(&mut self, writes: Vec<StateWrite>) {
        for StateWrite { scope, key, value } in writes {
            match value {
                Some(value) => {
                    self.state.entry(scope).or_default().insert(key, value);
                }
                None => {
                    if let Some(keys) = self.state.get_mut(&scope) {
                        keys.remove(&key);
                        if keys.is_empty() {
                            self.state.remove(&scope);
                        }
                    }
                }
            }
        }
    }

    fn checkpoint(&mut self, claim: &ClaimToken, checkpoint: Checkpoint) -> Result<()> {
        let Checkpoint { run, head, journal, state, replies } = checkpoint;
        self.check_run(claim, run)?;
        self.put_run(&claim.lane, run, Owner::Event(claim.event), head, journal);
        if let Some(event) = self.events.get_mut(&claim.event) {
            event.run = Some(run);
            event.resumes = false;
        }
        self.write_state(state);
        self.add_replies(replies);
        Ok(())
    }

    /// Takes a claimed event out of its lane. True if the lane holds a further one.
    fn end_event(&mut self, claim: &ClaimToken) -> (Option<Event>, bool) {
        let event = self.events.remove(&claim.event);
        let queue = self.lanes.get_mut(&claim.lane);
        let more = queue.is_some_and(|queue| {
            queue.events.retain(|id| *id != claim.event);
            !queue.events.is_empty()
        });
        self.drop_empty_lane(&claim.lane);
        (event, more)
    }

    fn complete(&mut self, claim: &ClaimToken, completion: Completion) -> Result<bool> {
        let begun = self.claimed(claim)?.run;
        match completion.end {
            End::Finished { run } => {
                if let Some(run) = run {
                    self.check_run(claim, run)?;
                }
                if let Some(run) = run.or(begun) {
                    self.forget_run(run);
                }
            }
            End::Waiting { run, head, journal, replaces, flow, expires_at } => {
                self.check_run(claim, run)?;
                if let Some(known) = self.runs.get_mut(&run).filter(|_| replaces) {
                    known.journal.clear();
                }
                self.put_run(&claim.lane, run, Owner::Wait(claim.event), head, journal);
                let wait = Wait { run, flow, expires_at };
                self.lanes.entry(claim.lane.clone()).or_default().waits.insert(claim.event, wait);
                if let Some(at) = expires_at {
                    self.due.waits.insert((at, claim.event, run));
                }
            }
        }
        self.write_state(completion.state);
        self.add_replies(completion.replies);
        let (event, more) = self.end_event(claim);
        if let (Some(event), Some(result)) = (event, completion.result) {
            self.once.end(event.origin, Kept::of(result));
        }
        Ok(more)
    }

    fn release(&mut self, claim: &ClaimToken) -> Result<()> {
        self.claimed(claim)?;
        if let Some(event) = self.events.get_mut(&claim.event) {
            event.claimed_at = None;
        }
        Ok(())
    }

    fn counts(&self) -> Counts {
        Counts {
            events: self.events.len() as u64,
            runs: self.runs.len() as u64,
            waits: self.lanes.values().map(|queue| queue.waits.len() as u64).sum(),
            journal: self.runs.values().map(|run| run.journal.len() as u64).sum(),
            state: self.state.values().map(|keys| keys.len() as u64).sum(),
            replies: self.routes.values().map(|route| route.replies.len() as u64).sum(),
            dedupe: self.dedupe.len() as u64,
            once: self.once.len() as u64,
            dead: self.dead.len() as u64,
            undelivered: self.undelivered.len() as u64,
        }
    }
}

fn stored(runs: &HashMap<RunId, Run>, id: RunId) -> Option<StoredRun> {
    runs.get(&id).map(|run| StoredRun { id, head: run.head.clone(), journal: run.journal.clone() })
}

#[async_trait]
impl StateReader for MemoryStore {
    async fn state_get(&self, scope: &StateScope, key: &str) -> Result<Option<Bytes>> {
        Ok(self.inner.lock().state.get(scope).and_then(|keys| keys.get(key)).cloned())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn accept(&self, event: NewEvent) -> Result<Accepted> {
        Ok(self.inner.lock().accept(event))
    }

    async fn claim(&self, lane: &Lane, now: Timestamp, lease: Duration) -> Result<Option<Claim>> {
        Ok(self.inner.lock().claim(lane, now, lease))
    }

    async fn idle_lanes(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: usize,
        wanted: &LaneFilter<'_>,
    ) -> Result<Vec<Lane>> {
        Ok(self.inner.lock().idle_lanes(now, lease, limit, wanted))
    }

    async fn load_wait(&self, claim: &ClaimToken, run: RunId) -> Result<Option<StoredRun>> {
        self.inner.lock().load_wait(claim, run)
    }

    async fn checkpoint(&self, claim: &ClaimToken, checkpoint: Checkpoint) -> Result<()> {
        self.inner.lock().checkpoint(claim, checkpoint)
    }

    async fn complete(&self, claim: &ClaimToken, completion: Completion) -> Result<bool> {
        self.inner.lock().complete(claim, completion)
    }

    async fn fail(
        &self,
        claim: &ClaimToken,
        failure: Failure,
        ends: Option<RunId>,
        replies: Vec<NewReply>,
    ) -> Result<bool> {
        self.inner.lock().fail(claim, failure, ends, replies)
    }

    async fn release(&self, claim: &ClaimToken) -> Result<()> {
        self.inner.lock().release(claim)
    }

    async fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>> {
        Ok(self.inner.lock().replies(route, after, limit))
    }

    async fn unsent_routes(&self, limit: usize, wanted: &RouteFilter<'_>) -> Result<Vec<ReplyRoute>> {
        Ok(self.inner.lock().unsent_routes(limit, wanted))
    }

    async fn next_reply(&self, route: &ReplyRoute) -> Result<Option<Outgoing>> {
        Ok(self.inner.lock().next_reply(route))
    }

    async fn begin_part(&self, route: &ReplyRoute, seq: u64, part: u32) -> Result<()> {
        self.inner.lock().note_part(route, seq, part, true)
    }

    async fn clear_part(&self, route: &ReplyRoute, seq: u64, part: u32) -> Result<()> {
        self.inner.lock().note_part(route, seq, part, false)
    }

    async fn sent(&self, route: &ReplyRoute, seq: u64) -> Result<bool> {
        self.inner.lock().sent(route, seq)
    }

    async fn undelivered(&self, route: &ReplyRoute, seq: u64, failure: Failure) -> Result<bool> {
        self.inner.lock().undelivered(route, seq, failure)
    }

    async fn undelivered_replies(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<Undelivered>> {
        Ok(self.inner.lock().undelivered_replies(tenant, limit))
    }

    async fn resend(&self, id: u64, now: Timestamp) -> Result<Option<ReplyRoute>> {
        Ok(self.inner.lock().resend(id, now))
    }

    async fn purge_undelivered(&self, id: u64) -> Result<bool> {
        Ok(self.inner.lock().take_undelivered(id).is_some())
    }

    async fn dead_letters(&self, tenant: Option<&Id>, limit: usize) -> Result<Vec<DeadLetter>> {
        Ok(self.inner.lock().dead_letters(tenant, limit))
    }

    async fn dead_letter(&self, event: EventId) -> Result<Option<DeadLetter>> {
        Ok(self.inner.lock().dead.get(&event).map(|dead| dead.letter.clone()))
    }

    async fn replay(&self, event: EventId, deadline: Timestamp) -> Result<Option<Replayed>> {
        Ok(self.inner.lock().replay(event, deadline))
    }

    async fn purge_dead(&self, event: EventId) -> Result<bool> {
        Ok(self.inner.lock().purge_dead(event))
    }

    async fn mark(&self, mark: Mark) -> Result<Option<Bytes>> {
        Ok(self.inner.lock().mark(mark))
    }

    async fn vault_put(&self, entry: VaultEntry) -> Result<()> {
        self.inner.lock().vault_put(entry);
        Ok(())
    }

    async fn vault_get(&self, key: &str, now: Timestamp) -> Result<Option<Bytes>> {
        Ok(self.inner.lock().vault_get(key, now))
    }

    async fn vault_take(&self, key: &str, now: Timestamp) -> Result<Option<Bytes>> {
        Ok(self.inner.lock().vault_take(key, now))
    }

    async fn is_pending(&self, event: EventId) -> Result<bool> {
        Ok(self.inner.lock().is_pending(event))
    }

    async fn sweep(&self, now: Timestamp, keep: Duration) -> Result<u64> {
        Ok(self.inner.lock().sweep(now, keep) as u64)
    }

    async fn counts(&self) -> Result<Counts> {
        Ok(self.inner.lock().counts())
    }
}
