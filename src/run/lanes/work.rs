//! Working on one event: claim, execute, end it in the store, tell its callers.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use tracing::Instrument as _;

use super::{LEASE, Lanes};
use crate::error::{Code, Error, Result};
use crate::run::event::{FlowChoice, ReplyTo};
use crate::run::executor::{Ended, Execution};
use crate::run::outcome::Outcome;
use crate::run::program::Program;
use crate::run::record::{EventRecord, decode};
use crate::session::is_of_completions;
use crate::store::{Claim, Failure, Lane};
use crate::telemetry::spans;

/// How often an event may be taken up before it is given up: each time, the process died under it or the store failed.
pub(super) const CLAIMS: u32 = 10;

/// Pauses before the store is asked again after it failed.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];

/// What the lanes need of an event to tell of its end.
pub(super) struct Caller {
    deduped: bool,
    /// Whether what the event ends with is kept.
    once: bool,
    reply_to: ReplyTo,
    /// Whether a flow runs for it. Others only lead to events of which that is so.
    runs: bool,
}

impl Caller {
    pub(super) fn of(record: &EventRecord) -> Self {
        let EventRecord { deduped, once, reply_to, flow, .. } = record;
        let runs = *flow != FlowChoice::Completion && reply_to.unkept().is_none();
        Self { deduped: *deduped, once: *once, reply_to: reply_to.clone(), runs }
    }
}

impl Lanes {
    /// Works on the lane's oldest event. False if there is none to work on now.
    pub(super) async fn next(&self, lane: &Lane) -> Result<bool> {
        let Some(program) = self.program_of(lane).filter(|_| self.is_open()) else { return Ok(false) };
        if is_of_completions(lane) {
            return self.next_completion(lane, &program).await;
        }
        let now = self.services.clock.now();
        let Some(claim) = self.services.store.claim(lane, now, LEASE).await? else { return Ok(false) };
        let (ended, caller) = self.execute(&program, &claim).await;
        self.finish(&claim, ended, caller).await
    }

    /// Ends a claim, or gives it back if the store has failed.
    pub(super) async fn finish(&self, claim: &Claim, ended: Ended, caller: Option<Caller>) -> Result<bool> {
        match &ended {
            Ended::Badly { error, .. } if is_stores(error) => self.give_back(claim, error).await,
            _ => self.end(claim, ended, caller).await,
        }
    }

    async fn execute(&self, program: &Program, claim: &Claim) -> (Ended, Option<Caller>) {
        let badly = |error| Ended::Badly { error, ends: None, replies: Vec::new() };
        let record: EventRecord = match decode(&claim.payload) {
            Ok(record) => record,
            Err(error) => return (badly(error), None),
        };
        let caller = Some(Caller::of(&record));
        if claim.attempts > CLAIMS {
            let message = format!("the event was taken up {CLAIMS} times without coming to an end");
            return (badly(Error::new(Code::Internal, message)), caller);
        }
        let span = span_of(program, claim, &record);
        let work = async {
            match record.reply_to.unkept() {
                Some(_) => self.relay(program, claim, record).await,
                None => Execution::new(&self.services, &self.turns, program, claim, record).execute().await,
            }
        };
        let ended = AssertUnwindSafe(work.instrument(span.clone())).catch_unwind().await;
        let panicked = || badly(Error::new(Code::Internal, "the host panicked while it ran an event"));
        let mut ended = ended.unwrap_or_else(|_| panicked());
        if let (Ended::Well(done), Some(Caller { once: true, reply_to, .. })) = (&mut ended, &caller) {
            let (outcome, completion) = &mut **done;
            if let Err(error) = self.keep(claim, reply_to, outcome, completion).await {
                ended = badly(error);
            }
        }
        match &ended {
            Ended::Well(done) => drop(span.record("greentic.outcome", done.0.status.name())),
            Ended::Badly { error, .. } => spans::failed(&span, error.code()),
        }
        (ended, caller)
    }

    /// The store failed under the event, which is no fault of the event's: it is taken up again.
    async fn give_back(&self, claim: &Claim, error: &Error) -> Result<bool> {
        tracing::warn!(code = %error.code(), event = claim.token.event.0, "the store failed; the event is taken up again");
        self.insist(|| self.services.store.release(&claim.token)).await.map(|_| true)
    }

    /// Ends the event in the store, then tells who waits.
    async fn end(&self, claim: &Claim, ended: Ended, caller: Option<Caller>) -> Result<bool> {
        let store = &self.services.store;
        let (outcome, more) = match ended {
            Ended::Well(done) => {
                let (outcome, completion) = *done;
                let stored = self.insist(|| store.complete(&claim.token, completion.clone())).await;
                (Ok(outcome), stored)
            }
            Ended::Badly { error, ends, replies } => {
                let failure = self.failure(&error);
                let stored = self.insist(|| store.fail(&claim.token, failure.clone(), ends, replies.clone())).await;
                (Err(error), stored)
            }
        };
        let more = more?;
        self.count(claim, caller.as_ref(), &outcome);
        self.announce(claim, caller, outcome);
        Ok(more.unwrap_or(true))
    }

    /// Repeats a transaction while the store fails, for a while. None if a repetition found the claim gone: then the
    /// attempt before it had reached the disk.
    async fn insist<T, F>(&self, mut transaction: impl FnMut() -> F) -> Result<Option<T>>
    where
        F: Future<Output = Result<T>>,
    {
        let mut failed = false;
        for pause in PAUSES {
            match transaction().await {
                Err(error) if error.code() == Code::ClaimLost && failed => return Ok(None),
                Err(error) if is_stores(&error) => {
                    failed = true;
                    tokio::time::sleep(pause).await;
                }
                result => return result.map(Some),
            }
        }
        transaction().await.map(Some)
    }

    fn count(&self, claim: &Claim, caller: Option<&Caller>, outcome: &Result<Outcome>) {
        if !caller.is_none_or(|caller| caller.runs) {
            return;
        }
        let (ended, failure) = match outcome {
            Ok(outcome) => (outcome.status.name(), None),
            Err(error) => ("failed", Some(error.code())),
        };
        let took = self.services.clock.now().since(claim.accepted_at);
        self.services.metrics.event_ended(&claim.tenant, ended, took, failure);
    }

    fn failure(&self, error: &Error) -> Failure {
        Failure { code: error.code().to_string(), message: error.to_string(), at: self.services.clock.now() }
    }

    fn announce(&self, claim: &Claim, caller: Option<Caller>, outcome: Result<Outcome>) {
        if let Err(error) = &outcome {
            tracing::warn!(code = %error.code(), tenant = %claim.tenant, event = claim.token.event.0, "{error}");
        }
        if let Some(route) = caller.as_ref().and_then(|caller| caller.reply_to.route()) {
            self.services.watch.tell(route);
        }
        self.callers.tell(claim.token.event, caller.is_some_and(|caller| caller.deduped), outcome);
    }
}

/// The span of the work on an event: a part of that in which it was accepted.
fn span_of(program: &Program, claim: &Claim, record: &EventRecord) -> tracing::Span {
    let (event, provider) = (claim.token.event.0, record.provider.as_ref());
    let span = spans::event(&claim.tenant, &program.pack, provider, event, claim.attempts, &record.correlation_id);
    if let Some(accepted) = &record.trace {
        accepted.adopt(&span);
    }
    span
}

/// Whether an error is the store's own.
fn is_stores(error: &Error) -> bool {
    matches!(error.code(), Code::StoreFailed | Code::StoreFull)
}
