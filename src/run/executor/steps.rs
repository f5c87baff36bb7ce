//! One step of a run: executing a node, recording its result, going where its route leads.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::{Execution, Next};
use crate::capabilities::scope::Scope;
use crate::error::{Code, Error, Result};
use crate::flow::model::{Action, Flow, FlowState, Node, NodeIx, Route};
use crate::flow::route::{Decision, choose};
use crate::flow::template::NodeOutput;
use crate::id::Id;
use crate::run::node::{self, Called, Environment};

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
        let result = self.node(&flow, node).await;
        result.map_err(|error| node::in_node(error, &flow.id, &node.id))
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
        if matches!(node.action, Action::Provider(_) | Action::Component(_)) {
            return self.guest(flow, node).await;
        }
        self.run_mut()?.count_step();
        let frame = self.run()?.top()?;
        match &node.action {
            Action::Wait { reason } => {
                let reason = reason.as_ref().map(|map| map.render(&frame.vars())).transpose()?;
                self.tell_node(flow, node, begun);
                Ok(Next::Wait(reason.and_then(text_of)))
            }
            Action::Call { flow: callee, input } => {
                let input = input.render(&frame.vars())?;
                self.tell_node(flow, node, begun);
                self.call(callee, input)
            }
            Action::Emit { channel, payload } => {
                let payload = payload.render(&frame.vars())?;
                self.emit(channel, &payload, node);
                self.tell_node(flow, node, begun);
                self.after(NodeOutput { ok: true, payload, meta: Value::Null })
            }
            Action::Provider(_) | Action::Component(_) => Err(Error::new(Code::Internal, "a guest was not called")),
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
        let vars = self.run()?.top()?.vars();
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
        self.retryable = called.retryable;
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
        // The event is part of the key: two events may resume the same wait, one after the other failed.
        let key = format!("{}-{}-{}", run.id.0.simple(), self.claim.token.event.0, run.total);
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
        })
    }

    /// Records a node's result and goes where its route leads.
    pub(super) fn after(&mut self, mut output: NodeOutput) -> Result<Next> {
        self.retryable &= !output.ok;
        loop {
            let flow = Arc::clone(&self.run()?.top()?.flow);
            let node = node_at(&flow, self.run()?.top()?.at)?;
            // An output map says what to make of a result; a failure is for error maps and routes.
            if let Some(map) = node.output.as_ref().filter(|_| output.ok) {
                output.payload = map.render(&self.run()?.top()?.vars().with_result(&output.payload))?;
            }
            let recorded = self.run_mut()?.record(output)?;
            let is_reply = match choose(&node.route, &self.run()?.top()?.vars(), &recorded)? {
                Decision::Node(to) => {
                    self.run_mut()?.go(to);
                    return Ok(Next::Go);
                }
                Decision::End => false,
                Decision::Reply => true,
                Decision::NoMatch => {
                    tracing::warn!(flow = %flow.id, node = %node.id, "no route fits the node's result; the flow ends");
                    false
                }
            };
            let payload = recorded.payload.clone();
            if !self.run_mut()?.leave() {
                self.last_word(node, payload, is_reply)?;
                return Ok(Next::Finish);
            }
            // The calling node's result is what the called flow ended with.
            output = NodeOutput { ok: true, payload, meta: Value::Null };
        }
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
