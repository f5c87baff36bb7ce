//! Who waits for which event, and how many events each tenant has under way.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Pending;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::run::outcome::Outcome;
use crate::run::value::weight;
use crate::store::EventId;

/// How much of outcomes of repeatable events is remembered, to answer a repetition with the same, and for how long.
const REMEMBERED_BYTES: u64 = 64 << 20;
const REMEMBERED_TIME: Duration = Duration::from_secs(600);

type Answer = oneshot::Sender<Result<Outcome>>;

pub(super) struct Callers {
    inner: Mutex<Inner>,
    remembered: moka::sync::Cache<EventId, Result<Outcome>>,
}

#[derive(Default)]
struct Inner {
    waiting: HashMap<EventId, Waiting>,
    queued: HashMap<Id, usize>,
    /// Events that are being accepted: their ids are not known yet, and they may end before they are.
    accepting: usize,
    /// Outcomes of events that ended before their callers knew their ids.
    early: HashMap<EventId, Result<Outcome>>,
}

struct Waiting {
    tenant: Id,
    answers: Vec<Answer>,
}

/// A place in a tenant's queue; given back when dropped.
pub(super) struct Place<'a> {
    callers: &'a Callers,
    tenant: Id,
    kept: bool,
}

impl Default for Callers {
    fn default() -> Self {
        let weigh = |_: &EventId, outcome: &Result<Outcome>| match outcome {
            Ok(outcome) => u32::try_from(outcome.replies.iter().map(weight).sum::<usize>() + 256).unwrap_or(u32::MAX),
            Err(_) => 1024,
        };
        let remembered = moka::sync::Cache::builder()
            .weigher(weigh)
            .max_capacity(REMEMBERED_BYTES)
            .time_to_live(REMEMBERED_TIME)
            .build();
        Self { inner: Mutex::default(), remembered }
    }
}

impl Callers {
    /// Takes a place in the tenant's queue, if one of `limit` is free.
    pub(super) fn enter(&self, tenant: &Id, limit: u32) -> Result<Place<'_>> {
        let mut inner = self.inner.lock();
        let count = inner.queued.entry(tenant.clone()).or_default();
        if *count >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(Error::new(Code::Overloaded, format!("tenant {tenant} has {limit} events in its queue"))
                .hint("try again later, or raise limits.queue in the bindings"));
        }
        *count += 1;
        inner.accepting += 1;
        Ok(Place { callers: self, tenant: tenant.clone(), kept: false })
    }

    /// Waits for an event that was accepted before: it is under way, or its outcome is remembered, or nobody knows.
    pub(super) fn join(&self, event: EventId, deduped: bool) -> Pending {
        if let Some(waiting) = self.inner.lock().waiting.get_mut(&event) {
            let (answer, outcome) = oneshot::channel();
            waiting.answers.push(answer);
            return Pending::Coming(outcome);
        }
        let known = self.remembered.get(&event).filter(|_| deduped);
        Pending::Known(known.unwrap_or_else(|| {
            Err(Error::new(Code::DuplicateEvent, format!("the event was accepted before, as event {}", event.0)))
        }))
    }

    /// Tells all who wait for an event how it ended.
    pub(super) fn tell(&self, event: EventId, deduped: bool, outcome: Result<Outcome>) {
        if deduped {
            self.remembered.insert(event, outcome.clone());
        }
        let answers = {
            let mut inner = self.inner.lock();
            match inner.waiting.remove(&event) {
                Some(Waiting { tenant, answers }) => {
                    inner.leave(&tenant);
                    answers
                }
                None => {
                    if inner.accepting > 0 {
                        inner.early.insert(event, outcome);
                    }
                    return;
                }
            }
        };
        for answer in answers {
            // Nobody has to listen: the caller may have gone.
            let _ = answer.send(outcome.clone());
        }
    }

    /// Forgets how an event ended.
    pub(super) fn forget(&self, event: EventId) {
        self.remembered.invalidate(&event);
    }

    /// How many events are waited for.
    pub(super) fn waiting(&self) -> usize {
        self.inner.lock().waiting.len()
    }

    /// How many events each tenant has under way.
    pub(super) fn queued(&self) -> Vec<(Id, usize)> {
        self.inner.lock().queued.iter().map(|(tenant, count)| (tenant.clone(), *count)).collect()
    }

    /// Forgets everybody who waits; they hear that the host stopped.
    pub(super) fn forget_all(&self) {
        let mut inner = self.inner.lock();
        inner.waiting.clear();
        inner.queued.clear();
        inner.early.clear();
    }
}

impl Inner {
    fn leave(&mut self, tenant: &Id) {
        if let Some(count) = self.queued.get_mut(tenant) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.queued.remove(tenant);
            }
        }
    }

    fn accepted(&mut self) {
        self.accepting = self.accepting.saturating_sub(1);
        if self.accepting == 0 {
            self.early.clear();
        }
    }
}

impl Place<'_> {
    /// The event was accepted: its outcome will come.
    pub(super) fn wait_for(mut self, event: EventId) -> oneshot::Receiver<Result<Outcome>> {
        let (answer, outcome) = oneshot::channel();
        let mut inner = self.callers.inner.lock();
        match inner.early.remove(&event) {
            Some(early) => {
                inner.leave(&self.tenant);
                // The receiver is in our hands.
                let _ = answer.send(early);
            }
            None => {
                inner.waiting.insert(event, Waiting { tenant: self.tenant.clone(), answers: vec![answer] });
            }
        }
        inner.accepted();
        drop(inner);
        self.kept = true;
        outcome
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let mut inner = self.callers.inner.lock();
            inner.leave(&self.tenant);
            inner.accepted();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Result<Outcome> {
        Err(Error::new(Code::StepLimit, "test"))
    }

    #[tokio::test]
    async fn an_event_may_end_before_its_caller_knows_its_id() {
        let callers = Callers::default();
        let place = callers.enter(&Id::from("t"), 1).unwrap();
        callers.tell(EventId(1), false, failed());
        assert_eq!(place.wait_for(EventId(1)).await.unwrap().unwrap_err().code(), Code::StepLimit);
        let inner = callers.inner.lock();
        assert!(inner.waiting.is_empty() && inner.queued.is_empty() && inner.early.is_empty());
    }

    #[tokio::test]
    async fn all_who_wait_for_an_event_hear_of_it_and_nothing_stays() {
        let callers = Callers::default();
        let first = callers.enter(&Id::from("t"), 1).unwrap().wait_for(EventId(1));
        assert_eq!(callers.enter(&Id::from("t"), 1).err().map(|e| e.code()), Some(Code::Overloaded));
        let Pending::Coming(second) = callers.join(EventId(1), true) else { panic!("it is under way") };
        callers.tell(EventId(1), true, failed());
        for outcome in [first.await, second.await] {
            assert_eq!(outcome.unwrap().unwrap_err().code(), Code::StepLimit);
        }
        let Pending::Known(Err(error)) = callers.join(EventId(1), true) else { panic!("it is remembered") };
        assert_eq!(error.code(), Code::StepLimit);
        let Pending::Known(Err(error)) = callers.join(EventId(2), true) else { panic!("nobody knows it") };
        assert_eq!(error.code(), Code::DuplicateEvent);
        assert!(callers.enter(&Id::from("t"), 1).is_ok());
    }
}
