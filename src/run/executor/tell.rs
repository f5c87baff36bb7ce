//! Telling observers and watchers what happens.

use std::time::{Duration, Instant};

use super::Execution;
use crate::flow::model::{Action, Flow, Node};
use crate::run::node::Attempt;
use crate::run::trace::{Observer, TraceEvent, What};

impl Execution<'_> {
    /// Who watches, if anybody does now.
    pub(super) fn observer(&self) -> Option<&dyn Observer> {
        self.services.observer.as_deref().filter(|observer| observer.is_watching())
    }

    pub(super) fn tell(&self, what: What) {
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

    pub(super) fn tell_replies(&self) {
        if let Some(route) = self.record.reply_to.route() {
            self.services.watch.tell(route);
        }
    }

    pub(super) fn tell_node(&self, flow: &Flow, node: &Node, begun: Instant) {
        let attempt = Attempt { micros: micros(begun.elapsed()), host_calls: Vec::new(), error: None };
        self.tell_attempt(flow, node, 1, attempt);
    }

    pub(super) fn tell_attempt(&self, flow: &Flow, node: &Node, number: u32, attempt: Attempt) {
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

fn action_of(node: &Node) -> String {
    match &node.action {
        Action::Provider(call) => format!("provider.invoke {} {}", call.provider, call.op),
        Action::Component(call) => format!("{} {}", call.component, call.op),
        Action::Tool(call) => format!("mcp.exec {}", call.tool),
        Action::Wait { .. } => "session.wait".to_owned(),
        Action::Call { flow, .. } => format!("flow.call {flow}"),
        Action::Text { .. } => "template".to_owned(),
        Action::Emit { channel, .. } => format!("emit.{channel}"),
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
