//! One schedule of one tenant: how far it has come, and going on.

use std::time::Duration;

use parking_lot::Mutex;

use super::due::{Due, due};
use super::kept::{Kept, Last, key};
use super::status::TimerCounts;
use super::{AGAIN, LONGEST};
use crate::clock::Timestamp;
use crate::config::{HostConfig, Overlap, Timer};
use crate::error::{Code, Error, Result};
use crate::flow::pick::Pick;
use crate::host::RunnerHost;
use crate::id::Id;
use crate::ingress::timer::Firing;

/// A schedule.
pub(super) struct Entry {
    pub(super) tenant: Id,
    pub(super) timer: Timer,
    key: String,
    /// How long a run may take.
    deadline: Duration,
    state: Mutex<State>,
}

/// How far it has come.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// None until it was read from the store.
    pub(super) kept: Option<Kept>,
    /// The first time that is not done with, if there is one.
    pub(super) next: Option<Timestamp>,
    /// Why what is due is not started.
    pub(super) held: Option<Code>,
    pub(super) counts: TimerCounts,
    /// Whether the store does not hold it yet.
    unsaved: bool,
}

impl Entry {
    pub(super) fn new(config: &HostConfig, timer: &Timer) -> Self {
        let (tenant, timer) = (config.tenant().clone(), timer.clone());
        let (key, deadline) = (key(&tenant, &timer.schedule_id), config.run_limits().event_deadline);
        Self { tenant, timer, key, deadline, state: Mutex::default() }
    }

    pub(super) fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// How long nothing is to be done.
    pub(super) fn pause(&self, now: Timestamp) -> Duration {
        let state = self.state.lock();
        match (&state.kept, state.next) {
            (None, _) => AGAIN,
            (Some(_), _) if state.unsaved || state.held.is_some() => AGAIN,
            (Some(_), Some(next)) => next.since(now),
            (Some(_), None) => LONGEST,
        }
    }

    /// Starts what is due. What cannot be started now stays due.
    pub(super) async fn step(&self, host: &RunnerHost, now: Timestamp) {
        let held = match self.go_on(host, now).await {
            Ok(()) => None,
            Err(error) => {
                let (tenant, schedule_id, code) = (&self.tenant, &self.timer.schedule_id, error.code());
                if self.state.lock().held != Some(code) {
                    tracing::warn!(%tenant, %schedule_id, %code, "a timer is held back: {error}");
                }
                Some(code)
            }
        };
        self.state.lock().held = held;
    }

    async fn go_on(&self, host: &RunnerHost, now: Timestamp) -> Result<()> {
        let kept = self.known(host, now).await?;
        if now < kept.after {
            self.set_back(kept, now);
        } else if self.state.lock().next.is_some_and(|next| next <= now) {
            match due(&self.timer.schedule, kept.after, now, self.timer.catch_up) {
                Due::Nothing => {}
                Due::Run(firing) => self.run(host, kept, firing).await?,
                Due::LeaveOut { last, count } => {
                    self.tell(&format!("{count} missed times are left out (catch_up: skip)"));
                    self.done(Kept { after: last, ..kept }, |counts| counts.skipped += u64::from(count));
                }
            }
        }
        self.save(host).await
    }

    /// How far it has come; the first time, as the store says.
    async fn known(&self, host: &RunnerHost, now: Timestamp) -> Result<Kept> {
        let known = self.state.lock().kept.clone();
        if let Some(kept) = known {
            return Ok(kept);
        }
        let new = Kept::new(&self.timer, now);
        let before = host.store().mark(new.mark(&self.key, false)?).await?;
        let known = before.as_ref().and_then(|bytes| Kept::read(&self.timer, bytes));
        let unsaved = before.is_some() && known.is_none();
        let kept = known.unwrap_or(new);
        let next = self.timer.schedule.next_after(kept.after);
        let mut state = self.state.lock();
        (state.kept, state.next, state.unsaved) = (Some(kept.clone()), next, unsaved);
        Ok(kept)
    }

    /// The clock was set back. Times that come again were started already, and are known by their dedupe keys.
    fn set_back(&self, kept: Kept, now: Timestamp) {
        self.tell("the clock was set back; times that were started already are not started again");
        self.done(Kept { after: now, ..kept }, |counts| counts.clock_set_back += 1);
    }

    async fn run(&self, host: &RunnerHost, kept: Kept, firing: Firing) -> Result<()> {
        let Firing { scheduled, now, catch_up, missed } = firing;
        if kept.last.is_some_and(|last| last.scheduled == scheduled) {
            self.done(Kept { after: scheduled, ..kept }, |counts| counts.repeated += 1);
            return Ok(());
        }
        self.check_flow(host)?;
        if self.overlaps(host, kept.last, now).await? {
            self.tell("a time is left out, because the run before is not done (overlap: skip)");
            self.done(Kept { after: scheduled, ..kept }, |counts| {
                counts.overlapped += 1;
                counts.skipped += u64::from(missed);
            });
            return Ok(());
        }
        let event = firing.message(&self.tenant, &self.timer).into_event(uuid::Uuid::now_v7().to_string())?;
        let submitted = host.submit(event).await?;
        if catch_up && !submitted.duplicate {
            let late = firing.late_by().as_secs();
            self.tell(&format!("a missed time runs {late} s late; {missed} before it are left out"));
        }
        let last = Some(Last { scheduled, started: now, event: submitted.event });
        self.done(Kept { after: scheduled, last, ..kept }, |counts| {
            match (submitted.duplicate, catch_up) {
                (true, _) => counts.repeated += 1,
                (false, true) => counts.catch_ups += 1,
                (false, false) => counts.on_time += 1,
            }
            counts.skipped += u64::from(missed);
        });
        Ok(())
    }

    /// Whether the run before is not done and the schedule minds. A run whose deadline has passed ends as soon as it is
    /// looked at, and one of a pack that is gone may never be.
    async fn overlaps(&self, host: &RunnerHost, last: Option<Last>, now: Timestamp) -> Result<bool> {
        match last {
            Some(last) if self.timer.overlap == Overlap::Skip && now < last.started.plus(self.deadline) => {
                host.store().is_pending(last.event).await
            }
            _ => Ok(false),
        }
    }

    /// Without a pack, or without the flow in it, the time stays due: the pack may come.
    fn check_flow(&self, host: &RunnerHost) -> Result<()> {
        let (tenant, flow) = (&self.tenant, &self.timer.flow_id);
        match host.tenant(tenant) {
            Some(handle) => handle.pack().flows.pick(Pick::Id(flow)).map(drop),
            None => Err(Error::new(Code::PackNotLoaded, format!("no pack is loaded for {tenant}"))),
        }
    }

    fn done(&self, kept: Kept, count: impl FnOnce(&mut TimerCounts)) {
        let next = self.timer.schedule.next_after(kept.after);
        let mut state = self.state.lock();
        (state.kept, state.next, state.unsaved) = (Some(kept), next, true);
        count(&mut state.counts);
    }

    /// What is not saved, and lost in a crash, is repeated at most, and known by its dedupe key.
    async fn save(&self, host: &RunnerHost) -> Result<()> {
        let kept = {
            let state = self.state.lock();
            state.kept.clone().filter(|_| state.unsaved)
        };
        if let Some(kept) = kept {
            host.store().mark(kept.mark(&self.key, true)?).await?;
            self.state.lock().unsaved = false;
        }
        Ok(())
    }

    fn tell(&self, what: &str) {
        tracing::info!(tenant = %self.tenant, schedule_id = %self.timer.schedule_id, "timer: {what}");
    }
}
