//! One step of a run: executing a node, recording its result, going where its route leads.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tracing::Instrument as _;

use super::{Execution, Next};
use crate::capabilities::scope::Scope;
use crate::error::{Code, Error, Result};
use crate::flow::cards::locale;
use crate::flow::condition::Condition;
use crate::flow::model::{Action, Flow, FlowState, Node, NodeIx, Route};
use crate::flow::route::{Decision, choose};
use crate::flow::template::NodeOutput;
use crate::id::Id;
use crate::run::control::{Control, Landing};
use crate::run::node::{self, Called, Environment};
use crate::run::tool;
use crate::run::trace::What;
use crate::telemetry::{Redaction, spans};

impl<'a> Execution<'a> {
    pub(super) async fn step(&mut self) -> Result<Next> {
        if self.run()?.finished {
            return Ok(Next::Finish);
        }
        self.check_limits()?;
        let (flow, at) = {
            let frame = self.run()?.top()?;
            (Arc::clone(&frame.flow), frame.at)
        };
        let node = node_at(&flow, at)?;
        let result = match &node.when {
            Some(when) if !self.runs(when)? => self.skip(&flow, node),
            _ => self.watched(&flow, node).await,
        };
        result.map_err(|error| node::in_node(error, &flow.id, &node.id))
    }

    /// Executes a node, in a span of its own.
    async fn watched(&mut self, flow: &Arc<Flow>, node: &Node) -> Result<Next> {
        let kind = kind_of(node);
        let span = spans::node(&flow.id, &node.id, kind);
        let begun = Instant::now();
        let result = self.node(flow, node).instrument(span.clone()).await;
        if let Err(error) = &result {
            spans::failed(&span, error.code());
        }
        self.services.metrics.node_ended(&self.program.tenant, kind, result.is_ok(), begun.elapsed());
        result
    }

    /// Whether a node's condition holds.
    fn runs(&self, when: &Condition) -> Result<bool> {
        let (before, _) = self.run()?.top()?.before();
        Ok(when.holds(&self.run()?.vars()?, &before))
    }

    /// Leaves a node out: the run goes along its route with the output of the node before.
    fn skip(&mut self, flow: &Flow, node: &Node) -> Result<Next> {
        self.run_mut()?.count_step();
        self.tell(What::Skipped { flow: flow.id.clone(), node: node.id.clone() });
        let (before, said) = self.run()?.top()?.before();
        // Where nothing came before there is nothing to reply.
        let led = self.lead(node, &before, said.unwrap_or(true))?;
        self.conclude(match led {
            // What is left out makes no reply of its own; a calling flow may reply what was not said yet.
            Led::Ended { payload, word: Word::IfSilent | Word::Said } if said != Some(true) => {
                Led::Ended { payload, word: Word::None }
            }
            led => led,
        })
    }

    fn check_limits(&self) -> Result<()> {
        let limits = &self.program.run_limits;
        if Instant::now() >= self.deadline {
            return Err(Error::new(Code::DeadlinePassed, "the event's time is up")
                .hint("raise limits.event_deadline in the bindings, or make the flow do less for one event"));
        }
        let run = self.run()?;
        if run.steps >= limits.steps {
            return Err(Error::new(Code::StepLimit, format!("the run took {} steps for one event", limits.steps))
                .hint("look for a cycle in the flow, or raise limits.steps in the bindings"));
        }
        if run.bytes() > limits.run_bytes {
            return Err(Error::new(Code::RunTooLarge, format!("the run holds more than {} bytes", limits.run_bytes))
                .hint("pass less between nodes, or raise limits.run_bytes in the bindings"));
        }
        Ok(())
    }

    async fn node(&mut self, flow: &Arc<Flow>, node: &Node) -> Result<Next> {
        let begun = Instant::now();
        if matches!(node.action, Action::Provider(_) | Action::Component(_) | Action::Tool(_)) {
            return self.guest(flow, node).await;
        }
        self.run_mut()?.count_step();
        let vars = self.run()?.vars()?;
        match &node.action {
            Action::Wait { reason } => {
                let reason = reason.as_ref().map(|map| map.render(&vars)).transpose()?;
                self.tell_node(flow, node, begun);
                Ok(Next::Wait(reason.and_then(text_of)))
            }
            Action::Call { flow: callee, input } => {
                let input = input.render(&vars)?;
                self.tell_node(flow, node, begun);
                self.call(callee, input)
            }
            Action::Emit { channel, payload } => {
                let payload = payload.render(&vars)?;
                self.emit(channel, &payload, node);
                self.tell_node(flow, node, begun);
                self.after(NodeOutput { ok: true, payload, meta: Value::Null })
            }
            Action::Text { payload, json } => {
                let payload = payload.render(&vars)?;
                self.tell_node(flow, node, begun);
                let payload = if *json { parsed(payload) } else { payload };
                self.after(NodeOutput { ok: true, payload, meta: Value::Null })
            }
            Action::Provider(_) | Action::Component(_) | Action::Tool(_) => {
                Err(Error::new(Code::Internal, "a guest was not called"))
            }
        }
    }

    fn call(&mut self, callee: &Id, input: Value) -> Result<Next> {
        let limit = self.program.run_limits.call_depth;
        if self.run()?.depth() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(Error::new(Code::CallDepth, format!("flows call each other more than {limit} deep"))
                .hint("look for flows that call each other without end, or raise limits.call_depth in the bindings"));
        }
        match self.program.flows.flows.get(callee) {
            Some(FlowState::Ready(flow)) => {
                let flow = Arc::clone(flow);
                self.run_mut()?.enter(flow, input)?;
                Ok(Next::Go)
            }
            Some(FlowState::Disabled { reason, .. }) => {
                let error = Error::new(Code::FlowDisabled, format!("the called flow {callee} is disabled"));
                Err(error.with_details(vec![reason.clone()]))
            }
            None => Err(Error::new(Code::FlowCallUnknown, format!("the called flow {callee} does not exist"))),
        }
    }

    fn emit(&mut self, channel: &str, payload: &Value, node: &Node) {
        if channel == "log" {
            let payload = payload.to_string();
            let payload = Redaction::of_process().text(&payload);
            tracing::info!(tenant = %self.program.tenant, node = %node.id, %payload, "emit.log");
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

    /// Calls a guest. What an earlier guest of this run did is stored first, so that a crash repeats at most one; the
    /// step is counted after that, so that the repetition has the same number and the same idempotency key.
    async fn guest(&mut self, flow: &Arc<Flow>, node: &Node) -> Result<Next> {
        if self.run()?.effects {
            self.checkpoint().await?;
        }
        let run = self.run_mut()?;
        run.count_step();
        run.effects = true;
        let env = self.environment(flow, node)?;
        let vars = self.run()?.vars()?;
        let events = self.run()?.top()?.events();
        let called = match &node.action {
            Action::Provider(call) => node::provider(env, node, call, &vars).await?,
            Action::Component(call) => node::component(env, node, call, &vars, &events).await?,
            Action::Tool(call) => tool::call(env, node, call, &vars).await?,
            Action::Wait { .. } | Action::Call { .. } | Action::Text { .. } | Action::Emit { .. } => {
                return Err(Error::new(Code::Internal, "a node without a guest was called"));
            }
        };
        self.guest_done(flow, node, called)
    }

    fn guest_done(&mut self, flow: &Arc<Flow>, node: &Node, called: Called) -> Result<Next> {
        for (number, attempt) in (1u32..).zip(called.attempts) {
            self.tell_attempt(flow, node, number, attempt);
        }
        self.retryable = called.retryable;
        self.run_mut()?.add_writes(called.writes);
        match called.result.and_then(|output| self.obey(node, output)) {
            Ok(Obeyed::Output(output)) => self.after(output),
            Ok(Obeyed::Jump(landing)) => self.jump(landing),
            Ok(Obeyed::Respond(payload)) => {
                self.reply(payload.clone());
                self.conclude(Led::Ended { payload, word: Word::Said })
            }
            Err(error) if catches(&node.route) && !node::is_fatal(&error) => {
                self.after(node::failed(&error, called.failure))
            }
            Err(error) => Err(error),
        }
    }

    /// Looks at a component's result for what it asks of the host.
    fn obey(&self, node: &Node, output: NodeOutput) -> Result<Obeyed> {
        if !output.ok || !matches!(node.action, Action::Component(_)) {
            return Ok(Obeyed::Output(output));
        }
        match Control::of(&output.payload)? {
            None => Ok(Obeyed::Output(output)),
            Some(Control::Respond(payload)) => Ok(Obeyed::Respond(payload)),
            Some(Control::Jump(jump)) => jump.land(self.program, self.run()?.redirects).map(Obeyed::Jump),
        }
    }

    fn jump(&mut self, landing: Landing) -> Result<Next> {
        let Landing { flow, at, input, reason } = landing;
        let what = What::Jumped { flow: flow.id.clone(), node: node_at(&flow, at)?.id.clone(), reason };
        self.run_mut()?.jump(flow, at, input)?;
        self.tell(what);
        Ok(Next::Go)
    }

    fn environment(&self, flow: &Flow, node: &Node) -> Result<Environment<'a>> {
        let run = self.run()?;
        let (component, provider) = match &node.action {
            Action::Provider(call) => {
                // The call itself says why there is none.
                let provider = self.program.provider(&call.provider);
                let component = provider.map_or_else(|_| Id::from(""), |provider| provider.component_id.clone());
                (component, Some(call.provider.clone()))
            }
            Action::Component(call) => (call.component.clone(), None),
            Action::Tool(call) => (call.tool.clone(), None),
            Action::Wait { .. } | Action::Call { .. } | Action::Text { .. } | Action::Emit { .. } => {
                (Id::from(""), None)
            }
        };
        // The event is part of the key: two events may resume the same wait, one after the other failed.
        let key = format!("{}-{}-{}", run.id.0.simple(), self.claim.origin.0, run.total);
        let scope = Scope {
            tenant: self.program.tenant.clone(),
            env: self.program.env.clone(),
            pack: self.program.pack.clone(),
            component,
            provider,
            flow: flow.id.clone(),
            flow_type: Some(flow.kind.name()),
            node: node.id.clone(),
            lane: self.claim.token.lane.clone(),
            session: self.session.clone(),
            user: self.record.user.clone(),
            locale: locale(&run.top()?.events()).map(str::to_owned),
            attempt: 1,
            idempotency_key: key,
            correlation_id: self.record.correlation_id.clone(),
        };
        Ok(Environment {
            program: self.program,
            scope,
            state: Arc::clone(&self.services.store) as _,
            writes: Arc::clone(&run.writes),
            deadline: self.deadline,
            trace: self.observer().is_some(),
            metrics: &self.services.metrics,
        })
    }

    /// Records a node's result and goes where its route leads.
    pub(super) fn after(&mut self, output: NodeOutput) -> Result<Next> {
        self.retryable &= !output.ok;
        let led = self.recorded(output, false)?;
        self.conclude(led)
    }

    /// Ends flows as long as one ends: the calling node's result is what the called flow ended with.
    fn conclude(&mut self, mut led: Led) -> Result<Next> {
        loop {
            let Led::Ended { payload, word } = led else { return Ok(Next::Go) };
            if !self.run_mut()?.leave() {
                self.last_word(payload, word)?;
                return Ok(Next::Finish);
            }
            let output = NodeOutput { ok: true, payload, meta: Value::Null };
            led = self.recorded(output, word == Word::Said)?;
        }
    }

    /// Records the result of the node that the run stands at, and follows its route. `was_said` tells whether a called
    /// flow replied the result already.
    fn recorded(&mut self, mut output: NodeOutput, was_said: bool) -> Result<Led> {
        let flow = Arc::clone(&self.run()?.top()?.flow);
        let node = node_at(&flow, self.run()?.top()?.at)?;
        let mut said = was_said || is_reply(node);
        // An output map says what to make of a result; a failure is for error maps and routes.
        if let Some(map) = node.output.as_ref().filter(|_| output.ok) {
            let mapped = map.render(&self.run()?.vars()?.with_result(&output.payload))?;
            // What a map makes of a reply was not said yet.
            said = said && mapped == output.payload;
            output.payload = mapped;
        }
        let recorded = self.run_mut()?.record(output, said)?;
        self.lead(node, &recorded, said)
    }

    /// Follows the route of the node that the run stands at. `was_said` tells whether the output was replied already.
    fn lead(&mut self, node: &Node, output: &NodeOutput, was_said: bool) -> Result<Led> {
        let word = if was_said { Word::Said } else { Word::IfSilent };
        let word = match choose(&node.route, &self.run()?.vars()?, output)? {
            Decision::Node(to) => {
                self.run_mut()?.go(to);
                return Ok(Led::On);
            }
            Decision::End => word,
            Decision::Reply if word == Word::Said => word,
            Decision::Reply => Word::Reply,
            Decision::NoMatch => {
                let flow = &self.run()?.top()?.flow.id;
                tracing::warn!(%flow, node = %node.id, "no route fits the node's result; the flow ends");
                word
            }
        };
        Ok(Led::Ended { payload: output.payload.clone(), word })
    }

    /// The payload with which the outermost flow ends is a reply if the route says so, or if there was none.
    fn last_word(&mut self, payload: Value, word: Word) -> Result<()> {
        let stays_silent = match word {
            Word::Said | Word::None => true,
            Word::IfSilent => self.run()?.replied,
            Word::Reply => false,
        };
        if stays_silent {
            return Ok(());
        }
        match payload {
            Value::Array(items) => items.into_iter().for_each(|item| self.reply(item)),
            other => self.reply(other),
        }
        Ok(())
    }
}

/// What became of a component's result.
enum Obeyed {
    Output(NodeOutput),
    Jump(Landing),
    Respond(Value),
}

/// Where a route led.
enum Led {
    /// To another node.
    On,
    /// To the flow's end.
    Ended { payload: Value, word: Word },
}

/// What the payload is with which a flow ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    /// A reply that was given already.
    Said,
    /// No reply.
    None,
    /// A reply if there was none.
    IfSilent,
    /// A reply.
    Reply,
}

/// What a node does, in a word.
fn kind_of(node: &Node) -> &'static str {
    match node.action {
        Action::Provider(_) => "provider",
        Action::Component(_) => "component",
        Action::Tool(_) => "tool",
        Action::Wait { .. } => "wait",
        Action::Call { .. } => "call",
        Action::Text { .. } => "template",
        Action::Emit { .. } => "emit",
    }
}

/// Whether a node's output was replied when the node ran.
fn is_reply(node: &Node) -> bool {
    matches!(&node.action, Action::Emit { channel, .. } if channel != "log")
}

/// The object that a rendered text spells, if it spells one.
fn parsed(payload: Value) -> Value {
    let object = payload.get("text").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
    object.filter(Value::is_object).unwrap_or(payload)
}

fn node_at(flow: &Flow, at: NodeIx) -> Result<&Node> {
    flow.nodes.get(at).ok_or_else(|| Error::new(Code::Internal, "a run points beyond its flow"))
}

/// Whether a route says what happens when its node fails.
fn catches(route: &Route) -> bool {
    match route {
        Route::Branch { on_status, .. } => on_status.contains_key("error"),
        Route::Cases(cases) => cases.iter().any(|case| case.status.as_deref() == Some("error")),
        Route::End | Route::Reply | Route::Next(_) => false,
    }
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}
