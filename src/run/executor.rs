//! Executing an event: the run is loaded or started, its nodes are executed until it ends, waits or fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::capabilities::scope::Scope;
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::flow::model::{Action, Flow, FlowState, Node, NodeIx, Route};
use crate::flow::pick::Pick;
use crate::flow::route::{Decision, choose};
use crate::flow::template::NodeOutput;
use crate::id::Id;
use crate::run::event::{FlowChoice, ReplyTo};
use crate::run::node::{self, Attempt, Called, Environment};
use crate::run::outcome::{Outcome, Status};
use crate::run::program::Program;
use crate::run::record::{EventRecord, decode};
use crate::run::state::Run;
use crate::run::trace::{Observer, TraceEvent, What};
use crate::run::watch::ReplyWatch;
use crate::store::{Checkpoint, Claim, Completion, End, NewReply, RunId, Store};

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
}

/// How an event ended: what its caller hears, and how it is to be ended in the store.
pub(super) struct Ended {
    pub(super) outcome: Result<Outcome>,
    pub(super) completion: Option<Completion>,
}

/// Who hears of the end of an event.
pub(super) struct Caller {
    pub(super) ticket: u64,
    pub(super) deduped: bool,
    pub(super) reply_to: ReplyTo,
}

/// One event being executed.
pub(super) struct Execution<'a> {
    services: &'a Services,
    program: &'a Program,
    claim: &'a Claim,
    record: EventRecord,
    deadline: Instant,
    session: Id,
    replies: Vec<Value>,
    /// How many of the replies are stored already.
    replies_stored: usize,
    run: Option<Run>,
}

/// What to do after a node.
enum Next {
    Go,
    Wait(Option<String>),
    Finish,
}

impl<'a> Execution<'a> {
    pub(super) fn new(services: &'a Services, program: &'a Program, claim: &'a Claim) -> Result<Self> {
        let record: EventRecord = decode(&claim.payload)?;
        let mut left = claim.deadline.since(services.clock.now());
        if claim.attempts > 1 {
            // The process died under the first attempt; nobody waits for the answer, and the work is owed.
            left = left.max(program.run_limits.event_deadline);
        }
        Ok(Self {
            services,
            program,
            claim,
            session: record.session.shown(),
            record,
            deadline: Instant::now() + left,
            replies: Vec::new(),
            replies_stored: 0,
            run: None,
        })
    }

    /// Who waits for the outcome.
    pub(super) fn caller(&self) -> Caller {
        Caller { ticket: self.record.ticket, deduped: self.record.deduped, reply_to: self.record.reply_to.clone() }
    }

    /// Executes the event to its end. The store is left to be told of the end by the caller.
    pub(super) async fn execute(mut self) -> Ended {
        match self.work().await {
            Ok((outcome, completion)) => Ended { outcome: Ok(outcome), completion: Some(completion) },
            Err(error) => {
                let (code, message) = (error.code().to_string(), error.message().to_owned());
                self.tell(What::Failed { code, message });
                // A wait that can never resume must not stand in the session's way for ever.
                let drop_wait = (error.code() == Code::ResumeImpossible)
                    .then(|| self.claim.run.as_ref().map(|run| run.id).or(self.chosen_wait()))
                    .flatten();
                let completion = drop_wait.map(|run| Completion {
                    state: Vec::new(),
                    replies: Vec::new(),
                    end: End::Finished { run: Some(run) },
                });
                Ended { outcome: Err(error), completion }
            }
        }
    }

    async fn work(&mut self) -> Result<(Outcome, Completion)> {
        self.open().await?;
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
            self.run = Some(Run::restore(stored, self.program)?);
            return Ok(());
        }
        if let Some(wait) = self.chosen_wait() {
            if let Some(stored) = self.services.store.load_wait(&self.claim.token, wait).await? {
                let run = Run::restore(&stored, self.program)?;
                return self.resume(run);
            }
        }
        let flow = self.pick()?;
        let input = std::mem::take(&mut self.record.input);
        let run = Run::start(self.run_id(), Arc::clone(&flow), input);
        self.run = Some(run);
        self.tell(What::Started { flow: flow.id.clone() });
        Ok(())
    }

    /// The waiting run that the event resumes: the oldest, or the one of the flow that the event names.
    fn chosen_wait(&self) -> Option<RunId> {
        let wanted = match &self.record.flow {
            FlowChoice::Id(flow) => Some(flow),
            FlowChoice::Kind(_) | FlowChoice::Default => None,
        };
        self.claim.waits.iter().find(|wait| wanted.is_none_or(|flow| wait.flow == *flow)).map(|wait| wait.run)
    }

    fn resume(&mut self, mut run: Run) -> Result<()> {
        let input = std::mem::take(&mut self.record.input);
        run.resume(input.clone());
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
        };
        self.program.flows.pick(pick)
    }

    /// The same for every attempt at this event, also after a crash.
    fn run_id(&self) -> RunId {
        let seed = format!("{}\n{}\n{}", self.claim.token.event.0, self.claim.token.lane.0, self.claim.accepted_at.0);
        let digest = crate::pack::model::Digest::of(seed.as_bytes()).0;
        let mut bytes = [0; 16];
        bytes.copy_from_slice(digest.split_at(16).0);
        RunId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    fn run(&self) -> Result<&Run> {
        self.run.as_ref().ok_or_else(|| Error::new(Code::Internal, "an event has no run"))
    }

    fn run_mut(&mut self) -> Result<&mut Run> {
        self.run.as_mut().ok_or_else(|| Error::new(Code::Internal, "an event has no run"))
    }

    async fn step(&mut self) -> Result<Next> {
        if self.run()?.finished {
            return Ok(Next::Finish);
        }
        self.check_limits()?;
        let (flow, at) = {
            let frame = self.run()?.top()?;
            (Arc::clone(&frame.flow), frame.at)
        };
        let node = flow.nodes.get(at).ok_or_else(|| Error::new(Code::Internal, "a run points beyond its flow"))?;
        let result = self.node(&flow, node).await;
        result.map_err(|error| node::in_node(error, &flow.id, &node.id))
    }

    fn check_limits(&mut self) -> Result<()> {
        let limits = &self.program.run_limits;
        if Instant::now() >= self.deadline {
            return Err(Error::new(Code::DeadlinePassed, "the event's time is up")
                .hint("raise limits.event_deadline in the bindings, or make the flow wait less"));
        }
        let run = self.run.as_mut().ok_or_else(|| Error::new(Code::Internal, "an event has no run"))?;
        if run.steps >= limits.steps {
            return Err(Error::new(Code::StepLimit, format!("the run took {} steps", limits.steps))
                .hint("look for a cycle in the flow, or raise limits.steps in the bindings"));
        }
        if run.bytes() > limits.run_bytes {
            return Err(Error::new(Code::RunTooLarge, format!("the run holds more than {} bytes", limits.run_bytes))
                .hint("pass less between nodes, or raise limits.run_bytes in the bindings"));
        }
        run.steps += 1;
        Ok(())
    }

    async fn node(&mut self, flow: &Arc<Flow>, node: &Node) -> Result<Next> {
        let begun = Instant::now();
        match &node.action {
            Action::Provider(_) | Action::Component(_) => self.guest(flow, node).await,
            Action::Wait { reason } => {
                let reason = match reason {
                    Some(map) => text_of(map.render(&self.run()?.top()?.vars())?),
                    None => None,
                };
                self.tell_node(flow, node, begun, None);
                Ok(Next::Wait(reason))
            }
            Action::Call { flow: callee, input } => {
                let input = input.render(&self.run()?.top()?.vars())?;
                self.tell_node(flow, node, begun, None);
                self.call(callee, input)
            }
            Action::Emit { channel, payload } => {
                let payload = payload.render(&self.run()?.top()?.vars())?;
                self.emit(channel, &payload, node);
                self.tell_node(flow, node, begun, None);
                self.after(NodeOutput { ok: true, payload, meta: Value::Null })
            }
        }
    }

    fn call(&mut self, callee: &Id, input: Value) -> Result<Next> {
        let limit = usize::try_from(self.program.run_limits.call_depth).unwrap_or(usize::MAX);
        if self.run()?.depth() >= limit {
            return Err(Error::new(Code::CallDepth, format!("flows call each other more than {limit} deep"))
                .hint("look for flows that call each other without end, or raise limits.call_depth in the bindings"));
        }
        match self.program.flows.flows.get(callee) {
            Some(FlowState::Ready(flow)) => {
                let flow = Arc::clone(flow);
                self.run_mut()?.enter(flow, input);
                Ok(Next::Go)
            }
            Some(FlowState::Disabled { reason, .. }) => {
                Err(Error::new(Code::FlowDisabled, format!("the called flow {callee} is disabled"))
                    .with_details(vec![reason.clone()]))
            }
            None => Err(Error::new(Code::FlowCallUnknown, format!("the called flow {callee} does not exist"))),
        }
    }

    fn emit(&mut self, channel: &str, payload: &Value, node: &Node) {
        if channel == "log" {
            tracing::info!(tenant = %self.program.tenant, node = %node.id, payload = %payload, "emit.log");
            return;
        }
        self.reply(payload.clone());
    }

    fn reply(&mut self, payload: Value) {
        if payload.is_null() {
            return;
        }
        if let Some(run) = &mut self.run {
            run.replied = true;
        }
        self.replies.push(payload);
    }

    /// Calls a guest. What an earlier guest of this run did is stored first, so that a crash repeats at most one.
    async fn guest(&mut self, flow: &Arc<Flow>, node: &Node) -> Result<Next> {
        if self.run()?.effects {
            self.checkpoint().await?;
        }
        self.run_mut()?.effects = true;
        let env = self.environment(flow, node)?;
        let run = self.run()?;
        let vars = run.top()?.vars();
        let called = match &node.action {
            Action::Provider(call) => node::provider(env, node, call, &vars).await?,
            Action::Component(call) => node::component(env, node, call, &vars).await?,
            Action::Wait { .. } | Action::Call { .. } | Action::Emit { .. } => {
                return Err(Error::new(Code::Internal, "a node without a guest was called"));
            }
        };
        self.guest_done(flow, node, called)
    }

    fn guest_done(&mut self, flow: &Arc<Flow>, node: &Node, called: Called) -> Result<Next> {
        for (number, attempt) in (1u32..).zip(called.attempts) {
            self.tell_attempt(flow, node, number, attempt);
        }
        self.run_mut()?.add_writes(called.writes);
        match called.result {
            Ok(output) => self.after(output),
            Err(error) if catches(&node.route) && !node::is_fatal(&error) => {
                self.after(node::failed(&error, called.failure))
            }
            Err(error) => Err(error),
        }
    }

    fn environment(&self, flow: &Flow, node: &Node) -> Result<Environment<'a>> {
        let run = self.run()?;
        let (component, provider) = match &node.action {
            Action::Provider(call) => {
                (self.program.provider(&call.provider)?.component_id.clone(), Some(call.provider.clone()))
            }
            Action::Component(call) => (call.component.clone(), None),
            Action::Wait { .. } | Action::Call { .. } | Action::Emit { .. } => (Id::from(""), None),
        };
        let scope = Scope {
            tenant: self.program.tenant.clone(),
            env: self.program.env.clone(),
            pack: self.program.pack.clone(),
            component,
            provider,
            flow: flow.id.clone(),
            node: node.id.clone(),
            lane: self.claim.token.lane.clone(),
            session: self.session.clone(),
            user: self.record.user.clone(),
            attempt: 1,
            idempotency_key: format!("{}-{}", run.id.0.simple(), run.steps),
            correlation_id: self.record.correlation_id.clone(),
        };
        Ok(Environment {
            program: self.program,
            scope,
            state: Arc::clone(&self.services.store) as _,
            writes: Arc::clone(&run.writes),
            deadline: self.deadline,
            trace: self.observer().is_some(),
        })
    }

    /// Records a node's result and goes where its route leads.
    fn after(&mut self, output: NodeOutput) -> Result<Next> {
        let mut output = output;
        loop {
            let flow = Arc::clone(&self.run()?.top()?.flow);
            let at = self.run()?.top()?.at;
            let node = flow.nodes.get(at).ok_or_else(|| Error::new(Code::Internal, "a run points beyond its flow"))?;
            if let Some(map) = &node.output {
                let frame = self.run()?.top()?;
                output.payload = map.render(&frame.vars().with_result(&output.payload))?;
            }
            let output_of_node = self.run_mut()?.record(output)?;
            let decision = choose(&node.route, &self.run()?.top()?.vars(), &output_of_node)?;
            let is_reply = match decision {
                Decision::Node(to) => return self.go(to),
                Decision::End => false,
                Decision::NoMatch => {
                    tracing::warn!(flow = %flow.id, node = %node.id, "no route fits the node's result; the flow ends");
                    false
                }
                Decision::Reply => true,
            };
            let payload = output_of_node.payload.clone();
            if !self.run_mut()?.leave() {
                self.last_word(node, payload, is_reply)?;
                return Ok(Next::Finish);
            }
            // The calling node's result is what the called flow ended with.
            output = NodeOutput { ok: true, payload, meta: Value::Null };
        }
    }

    fn go(&mut self, to: NodeIx) -> Result<Next> {
        self.run_mut()?.go(to);
        Ok(Next::Go)
    }

    /// The payload with which the outermost flow ends is a reply if the route says so, or if there was none.
    fn last_word(&mut self, node: &Node, payload: Value, is_reply: bool) -> Result<()> {
        let emitted = matches!(&node.action, Action::Emit { channel, .. } if channel != "log");
        if emitted || (self.run()?.replied && !is_reply) {
            return Ok(());
        }
        match payload {
            Value::Array(items) => items.into_iter().for_each(|item| self.reply(item)),
            other => self.reply(other),
        }
        Ok(())
    }

    async fn checkpoint(&mut self) -> Result<()> {
        let replies = self.take_replies();
        let program = self.program;
        let run = self.run_mut()?;
        let (head, journal) = run.save(program)?;
        let (id, state, steps) = (run.id, run.take_writes(), run.steps);
        run.stored = true;
        run.effects = false;
        let checkpoint = Checkpoint { run: id, head, journal, state, replies };
        self.services.store.checkpoint(&self.claim.token, checkpoint).await?;
        self.tell_replies();
        self.tell(What::Checkpoint { steps });
        Ok(())
    }

    /// The replies since the last checkpoint, as the store takes them.
    fn take_replies(&mut self) -> Vec<NewReply> {
        let new = self.replies.get(self.replies_stored..).unwrap_or_default();
        let replies = match &self.record.reply_to {
            ReplyTo::Caller => Vec::new(),
            ReplyTo::Route(route) => {
                let at = self.services.clock.now();
                new.iter()
                    .map(|reply| NewReply { route: route.clone(), payload: reply.to_string().into(), at })
                    .collect()
            }
        };
        self.replies_stored = self.replies.len();
        replies
    }

    fn tell_replies(&self) {
        if let ReplyTo::Route(route) = &self.record.reply_to {
            self.services.watch.tell(route);
        }
    }

    fn park(&mut self, reason: Option<String>) -> Result<(Outcome, Completion)> {
        let program = self.program;
        let expires_at = Some(self.services.clock.now().plus(program.wait_ttl));
        let replies = self.take_replies();
        let run = self.run_mut()?;
        let (head, journal) = run.save(program)?;
        let flow = run.flow()?.clone();
        let node = run.top()?.node()?.id.clone();
        let end = End::Waiting { run: run.id, head, journal, flow: flow.clone(), expires_at };
        let completion = Completion { state: run.take_writes(), replies, end };
        self.tell(What::Waiting { node, reason: reason.clone() });
        Ok((self.outcome(Status::Waiting { reason }, flow), completion))
    }

    fn finish(&mut self) -> Result<(Outcome, Completion)> {
        let replies = self.take_replies();
        let accepted = self.claim.accepted_at;
        let run = self.run_mut()?;
        let flow = run.flow()?.clone();
        let end = End::Finished { run: run.stored.then_some(run.id) };
        let steps = run.steps;
        let completion = Completion { state: run.take_writes(), replies, end };
        let took = self.services.clock.now().since(accepted);
        self.tell(What::Finished { steps, micros: micros(took) });
        Ok((self.outcome(Status::Completed, flow), completion))
    }

    fn outcome(&mut self, status: Status, flow: Id) -> Outcome {
        Outcome { status, replies: std::mem::take(&mut self.replies), session: self.session.clone(), flow }
    }

    /// Who watches, if anybody does now.
    fn observer(&self) -> Option<&dyn Observer> {
        self.services.observer.as_deref().filter(|observer| observer.is_watching())
    }

    fn tell(&self, what: What) {
        let Some(observer) = self.observer() else { return };
        observer.observe(&TraceEvent {
            tenant: self.program.tenant.clone(),
            session: self.session.clone(),
            event: self.claim.token.event,
            run: self.run.as_ref().map_or_else(|| self.run_id(), |run| run.id),
            at: self.services.clock.now(),
            what,
        });
    }

    fn tell_node(&self, flow: &Flow, node: &Node, begun: Instant, error: Option<String>) {
        let attempt = Attempt { micros: micros(begun.elapsed()), host_calls: Vec::new(), error };
        self.tell_attempt(flow, node, 1, attempt);
    }

    fn tell_attempt(&self, flow: &Flow, node: &Node, number: u32, attempt: Attempt) {
        if self.observer().is_none() {
            return;
        }
        self.tell(What::Node {
            flow: flow.id.clone(),
            node: node.id.clone(),
            action: action_of(node),
            ok: attempt.error.is_none(),
            attempt: number,
            micros: attempt.micros,
            host_calls: attempt.host_calls,
            error: attempt.error,
        });
    }
}

/// Whether a route says what happens when its node fails.
fn catches(route: &Route) -> bool {
    match route {
        Route::Branch { on_status, .. } => on_status.contains_key("error"),
        Route::Cases(cases) => cases.iter().any(|case| case.status.as_deref() == Some("error")),
        Route::End | Route::Reply | Route::Next(_) => false,
    }
}

fn action_of(node: &Node) -> String {
    match &node.action {
        Action::Provider(call) => format!("provider.invoke {} {}", call.provider, call.op),
        Action::Component(call) => format!("{} {}", call.component, call.op),
        Action::Wait { .. } => "session.wait".to_owned(),
        Action::Call { flow, .. } => format!("flow.call {flow}"),
        Action::Emit { channel, .. } => format!("emit.{channel}"),
    }
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
