//! One node: what it does, by its kind.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use crate::error::{Code, Error, Location};
use crate::flow::cards::Cards;
use crate::flow::compile::route::RouteDraft;
use crate::flow::compile::{Catalog, Known, component, policy, provider, route, tool};
use crate::flow::condition::Condition;
use crate::flow::doc::{FlowDoc, NodeDoc};
use crate::flow::hint;
use crate::flow::model::{Action, Retry};
use crate::flow::template::{Mapping, Root, Site};
use crate::id::{self, Id};

/// The kinds of nodes that the host itself knows, for hints.
pub(super) const BUILTINS: &[&str] = &[
    "component.exec",
    "provider.invoke",
    "session.wait",
    "flow.call",
    "mcp.exec",
    "emit.response",
    "emit.text",
    "emit.log",
    "templating.handlebars",
];

/// A node while its flow is compiled.
#[derive(Debug)]
pub(super) struct NodeDraft<'a> {
    pub(super) location: &'a Location,
    pub(super) when: Option<Condition>,
    /// None if something is wrong with the node.
    pub(super) action: Option<Action>,
    pub(super) output: Option<Mapping>,
    pub(super) route: RouteDraft,
    pub(super) retry: Option<Retry>,
    pub(super) timeout: Option<Duration>,
    pub(super) findings: Vec<Error>,
    pub(super) notes: Vec<Error>,
}

/// What is wrong or odd about one node.
pub(super) struct Findings {
    node: Id,
    location: Location,
    wrong: Vec<Error>,
    odd: Vec<Error>,
}

impl Findings {
    /// Records what keeps the node from running.
    pub(super) fn wrong(&mut self, code: Code, problem: &str, hint: &str) {
        self.wrong.push(self.error(code, problem, hint));
    }

    /// Records what does not keep the node from running.
    pub(super) fn odd(&mut self, code: Code, problem: &str, hint: &str) {
        self.odd.push(self.error(code, problem, hint));
    }

    fn error(&self, code: Code, problem: &str, hint: &str) -> Error {
        Error::new(code, format!("node {:?}: {problem}", &*self.node)).at(self.location.clone()).hint(hint)
    }
}

/// A node as written, and all that it may name.
pub(super) struct Compiler<'a> {
    pub(super) written: &'a NodeDoc,
    pub(super) doc: &'a FlowDoc,
    pub(super) catalog: &'a dyn Catalog,
    pub(super) cards: &'a Cards,
    pub(super) flows: &'a HashSet<&'a str>,
    pub(super) findings: Findings,
}

impl<'a> NodeDraft<'a> {
    /// Compiles the node `id`.
    pub(super) fn of(id: &str, written: &'a NodeDoc, doc: &'a FlowDoc, known: Known<'a>) -> Self {
        let location = written.location.as_ref().unwrap_or(&doc.origin);
        let findings = Findings { node: id.into(), location: location.clone(), wrong: Vec::new(), odd: Vec::new() };
        let Known { catalog, cards, flows } = known;
        let mut compiler = Compiler { written, doc, catalog, cards, flows, findings };
        if !id::is_valid(id) {
            compiler.findings.wrong(
                Code::InvalidId,
                "the id is not valid",
                "use ASCII letters, digits, '.', '-' and '_'",
            );
        }
        let route = RouteDraft::of(&written.routing, doc, &mut compiler.findings);
        let when = compiler.when();
        let action = compiler.action(&route);
        let output = compiler.map(&written.output, Root::OUTPUT, false);
        let retry = policy::retry(&written.retry).unwrap_or_else(|problem| {
            compiler.findings.wrong(Code::NodeInvalid, &problem, policy::RETRY_HINT);
            None
        });
        let timeout = policy::timeout(&written.timeout).unwrap_or_else(|problem| {
            compiler.findings.wrong(Code::NodeInvalid, &problem, policy::TIMEOUT_HINT);
            None
        });
        let Findings { wrong, odd, .. } = compiler.findings;
        let action = action.filter(|_| wrong.is_empty());
        Self { location, when, action, output, route, retry, timeout, findings: wrong, notes: odd }
    }
}

impl Compiler<'_> {
    fn action(&mut self, route: &RouteDraft) -> Option<Action> {
        let written = self.written;
        let (kind, payload) =
            component::exec(written).unwrap_or((written.component.as_str(), Cow::Borrowed(&written.input)));
        match kind {
            "provider.invoke" => provider::call(self, &payload).map(Action::Provider),
            "session.wait" => Some(self.wait(&payload, route)),
            "flow.call" => self.call(&payload),
            tool::EXEC => tool::call(self, &payload).map(Action::Tool),
            _ => match kind.strip_prefix("emit.") {
                Some(channel) => Some(self.emit(channel, &payload)),
                None => component::call(self, kind),
            },
        }
    }

    /// The condition under which the node runs.
    fn when(&mut self) -> Option<Condition> {
        match &self.written.when {
            Value::Null => None,
            Value::Bool(runs) => route::condition(&runs.to_string(), self.doc, &mut self.findings),
            Value::String(text) => route::condition(text, self.doc, &mut self.findings),
            _ => {
                let hint = "write `when: path == \"value\"`";
                self.findings.wrong(Code::ConditionInvalid, "`when` is no condition", hint);
                None
            }
        }
    }

    fn wait(&mut self, payload: &Value, route: &RouteDraft) -> Action {
        if route.targets().is_empty() {
            self.findings.wrong(
                Code::WaitWithoutNext,
                "it waits, but no node comes next",
                "add `routing: [{to: next-node}]`: that node runs with the next event of the session",
            );
        }
        let reason = match payload {
            Value::Object(fields) => fields.get("reason").unwrap_or(&Value::Null),
            other => other,
        };
        Action::Wait { reason: (!reason.is_null()).then(|| self.payload(reason)) }
    }

    fn call(&mut self, payload: &Value) -> Option<Action> {
        let named = match payload {
            Value::Object(fields) => fields.get("flow_id").or_else(|| fields.get("flow")).and_then(Value::as_str),
            other => other.as_str(),
        };
        let Some(named) = named else {
            self.findings.wrong(Code::FlowCallUnknown, "it names no flow", "write `flow.call: { flow: id, input: … }`");
            return None;
        };
        let Some(flow) = self.flows.get(named) else {
            let mut known: Vec<&str> = self.flows.iter().copied().collect();
            known.sort_unstable();
            let hint = hint::did_you_mean(named, "flows", known.into_iter());
            let problem = format!("it calls the unknown flow {:?}", id::clip(named));
            self.findings.wrong(Code::FlowCallUnknown, &problem, &hint);
            return None;
        };
        let flow = Id::from(*flow);
        let input = self.payload(payload.get("input").unwrap_or(&Value::Null));
        Some(Action::Call { flow, input })
    }

    fn emit(&mut self, channel: &str, payload: &Value) -> Action {
        let inner = payload.get("input").or_else(|| payload.get("payload")).unwrap_or(payload);
        Action::Emit { channel: channel.to_owned(), payload: self.payload(inner) }
    }

    /// A payload, with what every payload may use.
    pub(super) fn payload(&mut self, value: &Value) -> Mapping {
        self.mapping(value, Root::PAYLOAD, false)
    }

    /// A map; null, `{}` and `""` are none.
    pub(super) fn map(&mut self, value: &Value, roots: &'static [Root], pointers: bool) -> Option<Mapping> {
        let none = match value {
            Value::Null => true,
            Value::Object(fields) => fields.is_empty(),
            Value::String(text) => text.is_empty(),
            _ => false,
        };
        (!none).then(|| self.mapping(value, roots, pointers))
    }

    pub(super) fn mapping(&mut self, value: &Value, roots: &'static [Root], pointers: bool) -> Mapping {
        let nodes = &self.doc.nodes;
        let has_node = |node: &str| nodes.contains_key(node);
        let mut site = Site {
            node: self.findings.node.clone(),
            roots,
            pointers,
            has_node: &has_node,
            parameters: &self.doc.parameters,
            location: self.findings.location.clone(),
            findings: Vec::new(),
            notes: Vec::new(),
        };
        let mapping = Mapping::parse(value, &mut site);
        self.findings.wrong.append(&mut site.findings);
        self.findings.odd.append(&mut site.notes);
        mapping
    }

    /// The operation that is called: the one that is named, else the only one there is. `complete` says whether `ops` are
    /// all there are.
    pub(super) fn operation(
        &mut self,
        named: Option<&str>,
        ops: Option<&[String]>,
        complete: bool,
        callee: &str,
    ) -> Option<String> {
        let callee = id::clip(callee);
        let is_complete = self.catalog.is_complete();
        match (named, ops) {
            (Some(named), Some(ops)) if !ops.iter().any(|op| op == named) => {
                let hint = hint::did_you_mean(named, "operations", ops.iter().map(String::as_str));
                if complete {
                    let problem = format!("{callee:?} has no operation {:?}", id::clip(named));
                    self.findings.wrong(Code::OpUnknown, &problem, &hint);
                    return None;
                }
                let problem = format!("{callee:?} declares no operation {:?}", id::clip(named));
                self.findings.odd(Code::OpUnknown, &problem, &hint);
                Some(named.to_owned())
            }
            // The component may have a single one, which is then the one.
            (None, None) if !is_complete => Some(String::new()),
            (Some(named), _) => Some(named.to_owned()),
            (None, Some([only])) => Some(only.clone()),
            (None, ops) => {
                let hint = match ops {
                    Some(ops) if !ops.is_empty() => format!("`operation:` is one of: {}", ops.join(", ")),
                    _ => "add `operation: name`".to_owned(),
                };
                self.findings.wrong(
                    Code::OpMissing,
                    &format!("it does not say which operation of {callee:?} to call"),
                    &hint,
                );
                None
            }
        }
    }
}
