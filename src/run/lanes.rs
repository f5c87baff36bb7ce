//! Lanes: accepting events, and working on them one after another per session, sessions in parallel.
//!
//! A lane is driven by one task while it has events, and by none otherwise. What is accepted is stored; the tasks and
//! the waiting callers are only this process's view of it, rebuilt by [`Lanes::recover`].

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::task::TaskTracker;

use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::run::event::{Event, ReplyTo};
use crate::run::executor::{Caller, Ended, Execution, Services};
use crate::run::outcome::Outcome;
use crate::run::program::{Program, Programs};
use crate::run::record::{EventRecord, encode};
use crate::store::{Accepted, Claim, EventId, Failure, Lane, NewEvent};

/// How often an event may be taken up after the process died under it before it is given up.
const CLAIMS: u32 = 5;

/// How long another process's claim is honoured.
const LEASE: Duration = Duration::from_secs(60);

/// How long the platform's id of an event is remembered.
const DEDUPE_TTL: Duration = Duration::from_secs(7 * 24 * 3600);

/// How many outcomes of repeatable events are remembered, to answer a repetition with the same.
const REMEMBERED: u64 = 1_000;

/// An accepted event, and its outcome to come.
#[derive(Debug)]
pub struct Submitted {
    /// The event.
    pub event: EventId,
    /// Whether it was accepted before.
    pub duplicate: bool,
    outcome: Pending,
}

#[derive(Debug)]
enum Pending {
    Coming(oneshot::Receiver<Result<Outcome>>),
    Known(Result<Outcome>),
}

impl Submitted {
    /// Waits until the event is done. Dropping the future does not stop the work.
    pub async fn outcome(self) -> Result<Outcome> {
        match self.outcome {
            Pending::Known(outcome) => outcome,
            Pending::Coming(receiver) => receiver.await.unwrap_or_else(|_| {
                Err(Error::new(Code::NotRunning, "the host stopped before the event was done")
                    .hint("the event is stored and goes on when the host starts again"))
            }),
        }
    }
}

/// All lanes of a host.
pub struct Lanes {
    services: Services,
    programs: Arc<dyn Programs>,
    /// Lanes with a task; true if events came in since it looked last.
    active: Mutex<HashMap<Lane, bool>>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Result<Outcome>>>>,
    queued: Mutex<HashMap<Id, usize>>,
    remembered: moka::sync::Cache<EventId, Result<Outcome>>,
    tickets: AtomicU64,
    open: AtomicBool,
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
    me: Weak<Self>,
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes").field("active", &self.active.lock().len()).finish_non_exhaustive()
    }
}

impl Lanes {
    /// Lanes that work on at most `parallel` events at once.
    pub fn new(services: Services, programs: Arc<dyn Programs>, parallel: usize) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            services,
            programs,
            active: Mutex::default(),
            waiting: Mutex::default(),
            queued: Mutex::default(),
            remembered: moka::sync::Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(Duration::from_secs(600))
                .build(),
            // Stored events of an earlier process hold tickets of that process, which must not meet those of this one.
            tickets: AtomicU64::new(uuid::Uuid::new_v4().as_u64_pair().0),
            open: AtomicBool::new(false),
            permits: Arc::new(Semaphore::new(parallel)),
            tasks: TaskTracker::new(),
            me: me.clone(),
        })
    }

    /// Lets events in.
    pub fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    /// Whether events are let in.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    /// Lets no further events in, and waits until what is being worked on is done, at most `within`. True if all of
    /// it was; the rest is stored and goes on at the next start.
    pub async fn close(&self, within: Duration) -> bool {
        self.open.store(false, Ordering::SeqCst);
        self.tasks.close();
        let done = tokio::time::timeout(within, self.tasks.wait()).await.is_ok();
        self.tasks.reopen();
        self.waiting.lock().clear();
        done
    }

    /// Stores an event. When this returns, the event will be worked on, whatever happens to the process.
    pub async fn submit(&self, event: Event) -> Result<Submitted> {
        if !self.is_open() {
            return Err(Error::new(Code::NotRunning, "the host is not started, or is stopping"));
        }
        let program = self.program(&event.tenant)?;
        if let Some(pack) = event.pack.as_ref().filter(|pack| **pack != program.pack) {
            return Err(Error::new(Code::PackNotLoaded, format!("pack {pack} is not loaded for {}", event.tenant))
                .hint(format!("the tenant runs pack {}", program.pack)));
        }
        let place = self.queue_place(&event.tenant, program.run_limits.queue)?;
        let submitted = self.accept(event, &program).await;
        if !matches!(&submitted, Ok(Submitted { duplicate: false, .. })) {
            drop(place);
        } else {
            place.keep();
        }
        submitted
    }

    fn program(&self, tenant: &str) -> Result<Arc<Program>> {
        self.programs.program(tenant).ok_or_else(|| {
            Error::new(Code::PackNotLoaded, format!("no pack is loaded for tenant {}", crate::id::clip(tenant)))
                .hint("load one with load_pack, or start with --pack")
        })
    }

    fn queue_place(&self, tenant: &Id, limit: u32) -> Result<Place<'_>> {
        let mut queued = self.queued.lock();
        let count = queued.entry(tenant.clone()).or_default();
        if *count >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(Error::new(Code::Overloaded, format!("tenant {tenant} has {limit} events in its queue"))
                .hint("try again later, or raise limits.queue in the bindings"));
        }
        *count += 1;
        Ok(Place { lanes: self, tenant: tenant.clone(), kept: false })
    }

    fn leave_queue(&self, tenant: &Id) {
        let mut queued = self.queued.lock();
        if let Some(count) = queued.get_mut(tenant) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                queued.remove(tenant);
            }
        }
    }

    async fn accept(&self, event: Event, program: &Program) -> Result<Submitted> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().insert(ticket, sender);
        let now = self.services.clock.now();
        let lane = event.session.lane();
        let new = NewEvent {
            tenant: event.tenant.clone(),
            lane: lane.clone(),
            dedupe: event.dedupe.clone(),
            dedupe_ttl: DEDUPE_TTL,
            payload: encode(&EventRecord::of(event, ticket))?,
            accepted_at: now,
            deadline: now.plus(program.run_limits.event_deadline),
        };
        match self.services.store.accept(new).await {
            Ok(Accepted::New(event)) => {
                self.wake(lane);
                Ok(Submitted { event, duplicate: false, outcome: Pending::Coming(receiver) })
            }
            Ok(Accepted::Duplicate(event)) => {
                self.waiting.lock().remove(&ticket);
                let known = self.remembered.get(&event).unwrap_or_else(|| {
                    Err(Error::new(
                        Code::DuplicateEvent,
                        format!("the event was accepted before, as event {}", event.0),
                    ))
                });
                Ok(Submitted { event, duplicate: true, outcome: Pending::Known(known) })
            }
            Err(error) => {
                self.waiting.lock().remove(&ticket);
                Err(error)
            }
        }
    }

    /// Takes up what is stored and nobody works on: after a crash, or after a pack was loaded.
    pub async fn recover(&self) -> Result<usize> {
        const AT_ONCE: usize = 10_000;
        let lanes = self.services.store.idle_lanes(self.services.clock.now(), LEASE, AT_ONCE).await?;
        let mut woken = 0;
        for lane in lanes {
            if self.programs.program(tenant_of(&lane)).is_some() {
                self.wake(lane);
                woken += 1;
            }
        }
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
            // Waiting for the permit anew for each event keeps a busy lane from starving the others.
            let Ok(_permit) = Arc::clone(&self.permits).acquire_owned().await else { return };
            match self.next(&lane).await {
                Ok(true) => {}
                Ok(false) => {
                    let mut active = self.active.lock();
                    match active.get_mut(&lane) {
                        Some(again) if *again => *again = false,
                        _ => {
                            active.remove(&lane);
                            return;
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(code = %error.code(), lane = %lane.0, "a lane stopped: {error}");
                    self.active.lock().remove(&lane);
                    return;
                }
            }
        }
    }

    /// Works on the lane's oldest event. False if there is none to work on.
    async fn next(&self, lane: &Lane) -> Result<bool> {
        let Some(program) = self.programs.program(tenant_of(lane)) else { return Ok(false) };
        let now = self.services.clock.now();
        let Some(claim) = self.services.store.claim(lane, now, LEASE).await? else { return Ok(false) };
        let ended = self.execute(&program, &claim).await;
        let stored = match (&ended.outcome, ended.completion) {
            (_, Some(completion)) => self.services.store.complete(&claim.token, completion).await,
            (Err(error), None) => self.services.store.fail(&claim.token, self.failure(error)).await,
            (Ok(_), None) => Err(Error::new(Code::Internal, "an event ended without a completion")),
        };
        let outcome = match &stored {
            Ok(_) => ended.outcome,
            Err(error) => Err(error.clone()),
        };
        self.announce(&claim, ended.caller, outcome);
        stored
    }

    async fn execute(&self, program: &Program, claim: &Claim) -> Finished {
        let execution = match Execution::new(&self.services, program, claim) {
            Ok(execution) => execution,
            Err(error) => return Finished { outcome: Err(error), completion: None, caller: None },
        };
        let caller = Some(execution.caller());
        if claim.attempts > CLAIMS {
            let error = Error::new(Code::Internal, format!("the process died {CLAIMS} times while it ran this event"));
            return Finished { outcome: Err(error), completion: None, caller };
        }
        match AssertUnwindSafe(execution.execute()).catch_unwind().await {
            Ok(Ended { outcome, completion }) => Finished { outcome, completion, caller },
            Err(_) => {
                let error = Error::new(Code::Internal, "the host panicked while it ran an event");
                Finished { outcome: Err(error), completion: None, caller }
            }
        }
    }

    fn failure(&self, error: &Error) -> Failure {
        Failure { code: error.code().to_string(), message: error.to_string(), at: self.services.clock.now() }
    }

    fn announce(&self, claim: &Claim, caller: Option<Caller>, outcome: Result<Outcome>) {
        if let Err(error) = &outcome {
            tracing::warn!(code = %error.code(), tenant = %claim.tenant, event = claim.token.event.0, "{error}");
        }
        let Some(caller) = caller else { return };
        if let ReplyTo::Route(route) = &caller.reply_to {
            self.services.watch.tell(route);
        }
        if caller.deduped {
            self.remembered.insert(claim.token.event, outcome.clone());
        }
        if let Some(sender) = self.waiting.lock().remove(&caller.ticket) {
            self.leave_queue(&claim.tenant);
            // Nobody has to listen: the caller may have gone.
            let _ = sender.send(outcome);
        }
    }
}

struct Finished {
    outcome: Result<Outcome>,
    completion: Option<crate::store::Completion>,
    caller: Option<Caller>,
}

/// A place in a tenant's queue; given back when dropped, unless the event was accepted.
struct Place<'a> {
    lanes: &'a Lanes,
    tenant: Id,
    kept: bool,
}

impl Place<'_> {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.lanes.leave_queue(&self.tenant);
        }
    }
}

/// The tenant that a lane belongs to: its first part.
fn tenant_of(lane: &Lane) -> &str {
    lane.0.split(':').next().unwrap_or_default()
}
