//! Executing an event: the run is loaded or started, its nodes are executed until it ends, waits or fails.

mod last_words;
mod steps;
mod tell;

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::error::{Code, Error, Kind, Result};
use crate::flow::model::Flow;
use crate::flow::pick::Pick;
use crate::flow::template::NodeOutput;
use crate::id::Id;
use crate::run::event::{FlowChoice, ReplyTo};
use crate::run::lanes::Turns;
use crate::run::outcome::{Outcome, Status};
use crate::run::program::Program;
use crate::run::record::EventRecord;
use crate::run::state::{Run, Saved};
use crate::run::trace::{Observer, What};
use crate::run::transcript;
use crate::run::watch::ReplyWatch;
use crate::store::{Checkpoint, Claim, Completion, End, NewReply, ReplyRoute, RunId, Store};
use crate::telemetry::{Metrics, TraceContext, spans};

/// What the executor works with.
pub struct Services {
    /// Where everything is stored.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who watches runs, if anybody does.
    pub observer: Option<Arc<dyn Observer>>,
    /// Who is told of replies.
    pub watch: Arc<ReplyWatch>,
    /// Where it is counted what is done.
    pub metrics: Arc<Metrics>,
}

/// How an event ended, and so how it is to be ended in the store.
pub(super) enum Ended {
    /// It went well.
    Well(Box<(Outcome, Completion)>),
    /// It failed for good. The wait of `ends`, if any, ends with it; `replies` are what its session is told.
    Badly { error: Error, ends: Option<RunId>, replies: Vec<NewReply> },
}

/// The run that an event begins. The same for every attempt at the event, also after a crash, and when it is replayed.
pub(super) fn run_id(claim: &Claim) -> RunId {
    let Claim { origin, token, accepted_at, .. } = claim;
    let seed = format!("{}\n{}\n{}", origin.0, token.lane.0, accepted_at.0);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(crate::pack::model::Digest::of(seed.as_bytes()).0.split_at(16).0);
    RunId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// One event being executed.
pub(super) struct Execution<'a> {
    services: &'a Services,
    turns: &'a Turns,
    program: &'a Program,
    claim: &'a Claim,
    record: EventRecord,
    deadline: Instant,
    session: Id,
    replies: Vec<Value>,
    /// How many of the replies are stored already.
    replies_stored: usize,
    run: Option<Run>,
    /// The waiting run that the event is about to resume.
    resumes: Option<RunId>,
    /// Whether the last failure was one that another attempt may overcome.
    retryable: bool,
}

/// What to do after a node.
enum Next {
    Go,
    Wait(Option<String>),
    Finish,
}

impl<'a> Execution<'a> {
    pub(super) fn new(
        services: &'a Services,
        turns: &'a Turns,
        program: &'a Program,
        claim: &'a Claim,
        record: EventRecord,
    ) -> Self {
        let mut left = claim.deadline.since(services.clock.now());
        if claim.attempts > 1 {
            // The process died under the first attempt; nobody waits for the answer, and the work is owed.
            left = left.max(program.run_limits.event_deadline);
        }
        Self {
            services,
            turns,
            program,
            claim,
            session: record.session.shown(),
            record,
            deadline: Instant::now() + left,
            replies: Vec::new(),
            replies_stored: 0,
            run: None,
            resumes: None,
            retryable: false,
        }
    }

    /// Executes the event to its end. The store is left to be told of the end by the caller.
    pub(super) async fn execute(mut self) -> Ended {
        match self.work().await {
            Ok((outcome, completion)) => Ended::Well(Box::new((outcome, completion))),
            Err(error) => {
                let (code, message) = (error.code().to_string(), error.message().to_owned());
                self.tell(What::Failed { code, message });
                let ends = self.resumes.filter(|_| !self.may_pass(&error));
                let replies = self.last_words(&error);
                Ended::Badly { error, ends, replies }
            }
        }
    }

    /// Whether the same wait may be resumed with better luck. If not, it must not stand in the session's way.
    fn may_pass(&self, error: &Error) -> bool {
        self.retryable || error.code().kind() == Kind::Unavailable
    }

    async fn work(&mut self) -> Result<(Outcome, Completion)> {
        self.open().await?;
        let resumed = self.resumes.is_some() || self.claim.resumes;
        let run = self.run_mut()?;
        let flow = Arc::clone(run.outermost()?);
        let span = spans::flow(&flow.id, flow.kind.name(), run.id.0, resumed);
        if let Some(waited) = run.trace.take() {
            waited.link(&span);
        }
        let begun = Instant::now();
        let ended = self.steps().instrument(span.clone()).await;
        let outcome = match &ended {
            Ok((outcome, _)) => outcome.status.name(),
            Err(error) => {
                spans::failed(&span, error.code());
                "failed"
            }
        };
        self.services.metrics.flow_ended(&self.program.tenant, flow.kind.name(), outcome, begun.elapsed());
        ended
    }

    async fn steps(&mut self) -> Result<(Outcome, Completion)> {
        loop {
            match self.step().await? {
                Next::Go => {}
                Next::Wait(reason) => return self.park(reason),
                Next::Finish => return self.finish(),
            }
        }
    }

    /// Loads the event's own run, resumes the run that waits for it, or starts one.
    async fn open(&mut self) -> Result<()> {
        if let Some(stored) = &self.claim.run {
            let run = Run::restore(stored, self.program)?;
            // Checkpoints are made where guests are called. What stands at a wait is of a dead letter that an older host
            // stored, which did not tell that the run waits.
            let waits = run.check_waits();
            if self.claim.resumes || waits.is_ok() {
                waits?;
                return self.resume(run);
            }
            self.run = Some(run);
            return Ok(());
        }
        if let Some(wait) = self.chosen_wait()
            && let Some(stored) = self.services.store.load_wait(&self.claim.token, wait).await?
        {
            self.resumes = Some(wait);
            let run = Run::restore(&stored, self.program)?;
            run.check_waits()?;
            return self.resume(run);
        }
        let flow = self.pick()?;
        let input = std::mem::take(&mut self.record.input);
        self.run = Some(Run::start(self.run_id(), Arc::clone(&flow), input)?);
        self.tell(What::Started { flow: flow.id.clone() });
        Ok(())
    }

    /// The waiting run that the event resumes: the oldest, or the one of the flow that the event names.
    fn chosen_wait(&self) -> Option<RunId> {
        let wanted = match &self.record.flow {
            FlowChoice::Id(flow) => Some(flow),
            FlowChoice::Kind(_) | FlowChoice::Default | FlowChoice::Completion => None,
        };
        self.claim.waits.iter().find(|wait| wanted.is_none_or(|flow| wait.flow == *flow)).map(|wait| wait.run)
    }

    fn resume(&mut self, mut run: Run) -> Result<()> {
        let input = std::mem::take(&mut self.record.input);
        run.resume(input.clone())?;
        let frame = run.top()?;
        let what = What::Resumed { flow: frame.flow.id.clone(), node: frame.node()?.id.clone() };
        self.run = Some(run);
        self.tell(what);
        // The answer is the waiting node's result, so that its routes can choose by it.
        match self.after(NodeOutput { ok: true, payload: input, meta: Value::Null })? {
            Next::Finish => self.run_mut()?.finished = true,
            Next::Go | Next::Wait(_) => {}
        }
        Ok(())
    }

    fn pick(&self) -> Result<Arc<Flow>> {
        let pick = match &self.record.flow {
            FlowChoice::Id(id) => Pick::Id(id),
            FlowChoice::Kind(kind) => Pick::Kind(kind),
            FlowChoice::Default => Pick::Default,
            FlowChoice::Completion => return Err(Error::new(Code::Internal, "an announcement was given to a flow")),
        };
        self.program.flows.pick(pick)
    }

    fn run_id(&self) -> RunId {
        run_id(self.claim)
    }

    fn run(&self) -> Result<&Run> {
        self.run.as_ref().ok_or_else(|| Error::new(Code::Internal, "an event has no run"))
    }

    fn run_mut(&mut self) -> Result<&mut Run> {
        self.run.as_mut().ok_or_else(|| Error::new(Code::Internal, "an event has no run"))
    }

    async fn checkpoint(&mut self) -> Result<()> {
        let replies = self.take_replies(false);
        let program = self.program;
        let run = self.run_mut()?;
        let Saved { head, journal } = run.save(program)?;
        let (id, state, steps) = (run.id, run.take_writes(), run.steps);
        run.stored = true;
        run.effects = false;
        let checkpoint = Checkpoint { run: id, head, journal, state, replies };
        self.services.store.checkpoint(&self.claim.token, checkpoint).await?;
        self.resumes = None;
        self.tell_replies();
        self.tell(What::Checkpoint { steps });
        Ok(())
    }

    /// The replies since the last checkpoint, as the store takes them.
    fn take_replies(&mut self, at_end: bool) -> Vec<NewReply> {
        let (route, callers_too) = match &self.record.reply_to {
            ReplyTo::Caller => (None, true),
            ReplyTo::Route(route) | ReplyTo::Transcript { route, .. } => (Some(route), true),
            ReplyTo::CallerFirst(route) => {
                let take = |ticket| self.turns.take(ticket, &self.replies);
                let waits = at_end && !self.replies.is_empty() && self.record.ticket.is_some_and(take);
                (Some(route).filter(|_| !waits), waits)
            }
        };
        let at = self.services.clock.now();
        let new = self.replies.get(self.replies_stored..).unwrap_or_default();
        let stored = |route: &ReplyRoute| {
            let kept = |reply: &Value| transcript::reply(&self.record.reply_to, reply);
            let trace = TraceContext::current();
            let stored =
                |reply: &Value| NewReply { route: route.clone(), payload: kept(reply), at, trace: trace.clone() };
            new.iter().map(stored).collect()
        };
        let replies = route.map(stored).unwrap_or_default();
        if !callers_too {
            self.replies.clear();
        }
        self.replies_stored = self.replies.len();
        replies
    }

    fn park(&mut self, reason: Option<String>) -> Result<(Outcome, Completion)> {
        let program = self.program;
        let expires_at = Some(self.services.clock.now().plus(program.wait_ttl));
        let replies = self.take_replies(true);
        let run = self.run_mut()?;
        run.trace = TraceContext::current();
        let (Saved { head, journal }, replaces) = run.save_compact(program)?;
        let flow = run.flow()?.clone();
        let node = run.top()?.node()?.id.clone();
        let end = End::Waiting { run: run.id, head, journal, replaces, flow: flow.clone(), expires_at };
        let completion = Completion { state: run.take_writes(), replies, end, result: None };
        self.tell(What::Waiting { node, reason: reason.clone() });
        Ok((self.outcome(Status::Waiting { reason }, flow), completion))
    }

    fn finish(&mut self) -> Result<(Outcome, Completion)> {
        let replies = self.take_replies(true);
        let took = self.services.clock.now().since(self.claim.accepted_at);
        let run = self.run_mut()?;
        let flow = run.flow()?.clone();
        let end = End::Finished { run: run.stored.then_some(run.id) };
        let steps = run.steps;
        let completion = Completion { state: run.take_writes(), replies, end, result: None };
        self.tell(What::Finished { steps, micros: tell::micros(took) });
        Ok((self.outcome(Status::Completed, flow), completion))
    }

    fn outcome(&mut self, status: Status, flow: Id) -> Outcome {
        Outcome { status, replies: std::mem::take(&mut self.replies), session: self.session.clone(), flow }
    }
}
