//! Lanes: accepting events, and working on them one after another per session, sessions in parallel.
//!
//! A lane is driven by one task while it has events, and by none otherwise. What is accepted is stored; the tasks and
//! the waiting callers are only this process's view of it, rebuilt by [`Lanes::recover`].

mod callers;
mod completions;
mod kept;
mod permits;
mod relay;
mod replay;
mod turn;
mod work;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures::FutureExt as _;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::run::completion::Completer;
use crate::run::event::{Event, ReplyTo};
use crate::run::executor::Services;
use crate::run::lanes::callers::Callers;
use crate::run::lanes::permits::Permits;
use crate::run::outcome::Outcome;
use crate::run::program::{Program, Programs};
use crate::run::record::{EventRecord, encode};
use crate::run::value::{MAX_DEPTH, is_too_deep};
use crate::session::{is_of_completions, owner_of};
use crate::store::{Accepted, EventId, Kept, Lane, NewEvent, Once};
use crate::telemetry::TraceContext;
use crate::telemetry::metrics::Offered;

pub(super) use turn::Turns;
pub use turn::{Fits, Waiter};

/// How long another process's claim is honoured.
const LEASE: Duration = Duration::from_secs(60);

/// How long the platform's id of an event is remembered.
const DEDUPE_TTL: Duration = Duration::from_secs(7 * 24 * 3600);

/// The largest event that is accepted, in bytes as it is stored.
pub const MAX_EVENT: usize = 8 << 20;

/// An accepted event, and its outcome to come.
#[derive(Debug)]
pub struct Submitted {
    /// The event.
    pub event: EventId,
    /// Whether it was accepted before.
    pub duplicate: bool,
    /// What it repeats, for a duplicate that was given to [`Lanes::submit_once`].
    pub repeats: Option<Repeats>,
    outcome: Pending,
    waiter: Waiter,
}

/// What an event repeats that is to act once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// Whether it is the same as the event that has its keys.
    pub same: bool,
    /// Whether that has ended. Then the outcome is known, or it is known that it is not known any more (`DuplicateEvent`).
    pub ended: bool,
}

/// How an event is accepted.
struct Terms {
    /// Replies that its caller takes.
    fits: Fits,
    once: Option<Once>,
}

impl Default for Terms {
    fn default() -> Self {
        Self { fits: Arc::new(|_: &[Value]| true), once: None }
    }
}

#[derive(Debug)]
enum Pending {
    Coming(oneshot::Receiver<Result<Outcome>>),
    Known(Result<Outcome>),
}

impl Submitted {
    /// Who waits for the replies of an event whose replies are for its caller first, to be kept as long as somebody
    /// does.
    pub fn take_waiter(&mut self) -> Waiter {
        std::mem::take(&mut self.waiter)
    }

    /// Waits until the event is done. Dropping the future does not stop the work.
    pub async fn outcome(self) -> Result<Outcome> {
        match self.outcome {
            Pending::Known(outcome) => outcome,
            Pending::Coming(receiver) => receiver.await.unwrap_or_else(|_| Err(stopped())),
        }
    }
}

fn stopped() -> Error {
    Error::new(Code::NotRunning, "the host stopped before the event was done")
        .hint("the event is stored and goes on when the host starts again")
}

/// All lanes of a host.
pub struct Lanes {
    services: Services,
    programs: Arc<dyn Programs>,
    /// Lanes with a task; true if events came in since it looked last.
    active: Mutex<HashMap<Lane, bool>>,
    callers: Callers,
    turns: Turns,
    open: watch::Sender<bool>,
    permits: Permits,
    /// Of their own, so that a platform that is slow to answer keeps no flow from running.
    completing: Permits,
    completer: ArcSwapOption<Arc<dyn Completer>>,
    tasks: TaskTracker,
    me: Weak<Self>,
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes").field("load", &self.load()).finish_non_exhaustive()
    }
}

/// What the lanes hold in memory now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Lanes that are being worked on.
    pub lanes: usize,
    /// Events that were accepted by this process and are not done.
    pub events: usize,
}

impl Lanes {
    /// Lanes that work on at most `parallel` events at once.
    pub fn new(services: Services, programs: Arc<dyn Programs>, parallel: usize) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            services,
            programs,
            active: Mutex::default(),
            callers: Callers::default(),
            turns: Turns::default(),
            open: watch::Sender::new(false),
            permits: Permits::new(parallel),
            completing: Permits::new(parallel),
            completer: ArcSwapOption::empty(),
            tasks: TaskTracker::new(),
            me: me.clone(),
        })
    }

    /// Lets events in.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Whether events are let in.
    pub fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// What is held in memory now.
    pub fn load(&self) -> Load {
        Load { lanes: self.active.lock().len(), events: self.callers.waiting() }
    }

    /// How many events each tenant has under way.
    pub fn queued(&self) -> Vec<(Id, usize)> {
        self.callers.queued()
    }

    /// Lets no further events in, and waits until what is being worked on is done, at most `within`. True if all of
    /// it was; the rest is stored and goes on at the next start.
    pub async fn close(&self, within: Duration) -> bool {
        self.open.send_replace(false);
        self.tasks.close();
        let done = tokio::time::timeout(within, self.tasks.wait()).await.is_ok();
        self.tasks.reopen();
        self.callers.forget_all();
        done
    }

    /// Stores an event. When this returns, the event will be worked on, whatever happens to the process. Dropping the
    /// future does not leave it half accepted.
    pub async fn submit(&self, event: Event) -> Result<Submitted> {
        self.submit_on(event, Terms::default()).await
    }

    /// The same for a caller that takes replies only if they fit.
    pub async fn submit_for(&self, event: Event, fits: Fits) -> Result<Submitted> {
        self.submit_on(event, Terms { fits, ..Terms::default() }).await
    }

    /// The same for an event with dedupe keys whose repetitions get what the first ended with, well or badly, as long as
    /// the keys are remembered.
    pub async fn submit_once(&self, event: Event, once: Once) -> Result<Submitted> {
        self.submit_on(event, Terms { once: Some(once), ..Terms::default() }).await
    }

    async fn submit_on(&self, event: Event, terms: Terms) -> Result<Submitted> {
        let me = self.taking()?;
        let accepting = self.tasks.spawn(async move { me.accept(event, terms).await }.in_current_span());
        accepting.await.map_err(|e| Error::new(Code::Internal, format!("accepting an event did not end well: {e}")))?
    }

    /// Itself, if events are let in.
    fn taking(&self) -> Result<Arc<Self>> {
        let me = self.me.upgrade().filter(|_| self.is_open());
        me.ok_or_else(|| Error::new(Code::NotRunning, "the host is not started, or is stopping"))
    }

    async fn accept(&self, event: Event, terms: Terms) -> Result<Submitted> {
        let (tenant, provider) = (event.tenant.clone(), event.provider.clone());
        let accepted = match self.program(&tenant) {
            Ok(program) => self.accept_into(&program, event, terms, program.run_limits.queue).await,
            Err(error) => Err(error),
        };
        let offered = match &accepted {
            Ok(submitted) if submitted.duplicate => Offered::Duplicate,
            Ok(_) => Offered::Accepted,
            Err(_) => Offered::Refused,
        };
        self.services.metrics.event_offered(&tenant, provider.as_ref(), offered);
        accepted
    }

    /// Stores an event if the tenant's queue is not longer than `queue`.
    async fn accept_into(&self, program: &Program, event: Event, terms: Terms, queue: u32) -> Result<Submitted> {
        check(&event, program)?;
        let Terms { fits, once } = terms;
        let deduped = !event.dedupe.is_empty();
        let now = self.services.clock.now();
        let lane = match event.reply_to.unkept() {
            Some(_) => event.session.relay_lane(&program.pack),
            None => event.session.lane(&program.pack),
        };
        let (waiter, ticket) = match &event.reply_to {
            ReplyTo::CallerFirst(_) => Some(self.turns.wait(fits)).unzip(),
            ReplyTo::Caller | ReplyTo::Route(_) | ReplyTo::Transcript { .. } => (None, None),
        };
        let waiter = waiter.unwrap_or_default();
        let tenant = event.tenant.clone();
        let trace = TraceContext::current();
        let new = NewEvent {
            tenant: tenant.clone(),
            lane: lane.clone(),
            dedupe: event.dedupe.clone(),
            dedupe_ttl: event.remember.unwrap_or(DEDUPE_TTL),
            once,
            payload: encode(&EventRecord { ticket, once: once.is_some(), trace, ..EventRecord::of(event) })?,
            accepted_at: now,
            deadline: now.plus(program.run_limits.event_deadline),
        };
        if new.payload.len() > MAX_EVENT {
            return Err(Error::new(Code::TooLarge, format!("the event has {} bytes", new.payload.len()))
                .hint(format!("an event may have {MAX_EVENT} bytes; pass a reference to large content")));
        }
        let place = self.callers.enter(&tenant, queue)?;
        match self.services.store.accept(new).await? {
            Accepted::New(event) => {
                let outcome = place.wait_for(event);
                self.wake(lane);
                Ok(Submitted { event, duplicate: false, repeats: None, outcome: Pending::Coming(outcome), waiter })
            }
            Accepted::Duplicate(of) => {
                drop(place);
                let repeats = once.map(|_| Repeats { same: of.same, ended: of.ended.is_some() });
                let outcome = match (of.ended, once) {
                    (Some(kept @ (Kept::Result(_) | Kept::Failure(_))), Some(_)) => Pending::Known(kept::outcome(kept)),
                    _ => self.callers.join(of.event, deduped),
                };
                // The replies are for the caller of the event that this one repeats.
                Ok(Submitted { event: of.event, duplicate: true, repeats, outcome, waiter: Waiter::default() })
            }
        }
    }

    fn program(&self, tenant: &str) -> Result<Arc<Program>> {
        self.programs.program(tenant).ok_or_else(|| {
            Error::new(Code::PackNotLoaded, format!("no pack is loaded for tenant {}", crate::id::clip(tenant)))
                .hint("load one with load_pack, or start with --pack")
        })
    }

    /// The program that a lane's events are for, if it is loaded now.
    fn program_of(&self, lane: &Lane) -> Option<Arc<Program>> {
        let (tenant, pack) = owner_of(lane);
        self.programs.program(tenant).filter(|program| &*program.pack == pack)
    }

    /// Takes up what is stored and nobody works on: after a crash, or after a pack was loaded. Events of a pack that is
    /// not loaded stay where they are.
    pub async fn recover(&self) -> Result<usize> {
        const AT_ONCE: usize = 10_000;
        if !self.is_open() {
            return Ok(0);
        }
        let wanted = |lane: &Lane| {
            let workable = self.program_of(lane).is_some() && (!is_of_completions(lane) || self.completer().is_some());
            workable && !self.active.lock().contains_key(lane)
        };
        let lanes = self.services.store.idle_lanes(self.services.clock.now(), LEASE, AT_ONCE, &wanted).await?;
        let woken = lanes.len();
        lanes.into_iter().for_each(|lane| self.wake(lane));
        Ok(woken)
    }

    fn wake(&self, lane: Lane) {
        let Some(me) = self.me.upgrade() else { return };
        match self.active.lock().entry(lane.clone()) {
            Entry::Occupied(mut again) => {
                again.insert(true);
                return;
            }
            Entry::Vacant(place) => place.insert(false),
        };
        self.tasks.spawn(async move { me.drive(lane).await });
    }

    async fn drive(self: Arc<Self>, lane: Lane) {
        loop {
            // Waiting for the permits anew for each event keeps a busy lane from starving the others.
            let all = if is_of_completions(&lane) { &self.completing } else { &self.permits };
            let Some(permits) = all.of(owner_of(&lane).0).await else { return };
            let next = AssertUnwindSafe(self.next(&lane)).catch_unwind().await;
            drop(permits);
            match next {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) if self.is_still(&lane) => return,
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    tracing::error!(code = %error.code(), lane = %lane.0, "a session is paused until its next event: {error}");
                    self.active.lock().remove(&lane);
                    return;
                }
                Err(_) => {
                    tracing::error!(lane = %lane.0, "the host panicked; a session is paused until its next event");
                    self.active.lock().remove(&lane);
                    return;
                }
            }
        }
    }

    /// Takes a lane off the active ones, unless events came in meanwhile.
    fn is_still(&self, lane: &Lane) -> bool {
        let mut active = self.active.lock();
        match active.get_mut(lane) {
            Some(again) if *again && self.is_open() => {
                *again = false;
                false
            }
            _ => {
                active.remove(lane);
                true
            }
        }
    }
}

/// What must hold of an event before it is stored.
fn check(event: &Event, program: &Program) -> Result<()> {
    if event.session.tenant() != &*event.tenant {
        return Err(Error::new(Code::RequestInvalid, "the session key is another tenant's")
            .hint("a session key begins with its event's tenant"));
    }
    if let Some(pack) = event.pack.as_ref().filter(|pack| **pack != program.pack) {
        return Err(Error::new(Code::PackNotLoaded, format!("pack {pack} is not loaded for {}", event.tenant))
            .hint(format!("the tenant runs pack {}", program.pack)));
    }
    if is_too_deep(&event.input) {
        return Err(Error::new(Code::TooLarge, format!("the event is nested deeper than {MAX_DEPTH} levels"))
            .hint("flatten the input"));
    }
    Ok(())
}
