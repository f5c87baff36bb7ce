//! What a run knows, as templates see it: references only, so that a step costs what its templates use.

use std::borrow::Cow;
use std::sync::LazyLock;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::flow::template::path::{Root, Segment, VarPath, walk};
use crate::id::{self, Id};

/// The recorded output of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeOutput {
    /// Whether the node did what it should.
    pub ok: bool,
    /// The output itself: `node.<id>` in templates.
    pub payload: Value,
    /// What is known about the output.
    #[serde(default)]
    pub meta: Value,
}

/// The outputs of the nodes that ran.
pub trait Outputs: Sync {
    /// The output of one node.
    fn get(&self, node: &str) -> Option<&NodeOutput>;

    /// All outputs in the order in which the nodes first ran. Costs as much as the run is long.
    fn all(&self) -> Box<dyn Iterator<Item = (&str, &NodeOutput)> + '_>;
}

impl Outputs for IndexMap<Id, NodeOutput> {
    fn get(&self, node: &str) -> Option<&NodeOutput> {
        Self::get(self, node)
    }

    fn all(&self) -> Box<dyn Iterator<Item = (&str, &NodeOutput)> + '_> {
        Box::new(self.iter().map(|(id, output)| (&**id, output)))
    }
}

/// What templates and conditions may use.
#[derive(Clone, Copy)]
pub struct Vars<'a> {
    pub(crate) entry: &'a Value,
    pub(crate) event: &'a Value,
    pub(crate) prev: &'a Value,
    pub(crate) nodes: &'a dyn Outputs,
    input: Option<&'a Value>,
    result: Option<&'a Value>,
    error: Option<&'a Value>,
    parameters: &'a Value,
    redirects: u32,
}

/// Stands for a flow input or an output before the first node that is null.
static NOTHING: LazyLock<Value> = LazyLock::new(|| Value::Object(Map::new()));

impl<'a> Vars<'a> {
    /// The flow's input, the output of the node before, and the outputs of all nodes. Null counts as `{}`.
    pub fn new(entry: &'a Value, prev: &'a Value, nodes: &'a dyn Outputs) -> Self {
        let or_nothing = |value: &'a Value| if value.is_null() { &*NOTHING } else { value };
        let entry = or_nothing(entry);
        let (prev, parameters) = (or_nothing(prev), &*NOTHING);
        Self { entry, event: entry, prev, nodes, input: None, result: None, error: None, parameters, redirects: 0 }
    }

    /// Makes `in` the input of another event than the one that started the flow. Null counts as `{}`.
    #[must_use]
    pub fn with_event(self, event: &'a Value) -> Self {
        Self { event: if event.is_null() { &NOTHING } else { event }, ..self }
    }

    /// Adds the flow's parameters. Null counts as `{}`.
    #[must_use]
    pub fn with_parameters(self, parameters: &'a Value) -> Self {
        Self { parameters: if parameters.is_null() { &NOTHING } else { parameters }, ..self }
    }

    /// Adds how often components made this run jump to another flow, for the event that is worked on.
    #[must_use]
    pub fn with_redirects(self, redirects: u32) -> Self {
        Self { redirects, ..self }
    }

    /// Adds `input`, what a call was given.
    #[must_use]
    pub fn with_input(self, input: &'a Value) -> Self {
        Self { input: Some(input), ..self }
    }

    /// Adds `result`, what a call answered.
    #[must_use]
    pub fn with_result(self, result: &'a Value) -> Self {
        Self { result: Some(result), ..self }
    }

    /// Adds `error`, why a call failed.
    #[must_use]
    pub fn with_error(self, error: &'a Value) -> Self {
        Self { error: Some(error), ..self }
    }

    /// The value at `path`. Borrowed, unless the path asks for `node` or `state` as a whole.
    pub(crate) fn get(&self, path: &VarPath) -> Option<Cow<'a, Value>> {
        self.resolve(path.root, &path.rest)
    }

    pub(crate) fn resolve(&self, root: Root, rest: &[Segment]) -> Option<Cow<'a, Value>> {
        let base = match root {
            Root::Entry => self.entry,
            Root::Event => self.event,
            Root::Prev => self.prev,
            Root::Parameters => self.parameters,
            Root::Input => self.input?,
            Root::Result => self.result?,
            Root::Error => self.error?,
            Root::Node => return self.node(rest),
            Root::State => return self.state(rest),
        };
        let found = walk(base, rest).or_else(|| match root {
            Root::Entry | Root::Event => walk(base, unwrapped(base, rest)?),
            _ => None,
        });
        found.map(Cow::Borrowed)
    }

    fn node(&self, rest: &[Segment]) -> Option<Cow<'a, Value>> {
        let Some((id, rest)) = rest.split_first() else {
            let all = self.nodes.all().map(|(id, output)| (id.to_owned(), output.payload.clone()));
            return Some(Cow::Owned(Value::Object(all.collect())));
        };
        walk(&self.nodes.get(&id.key)?.payload, rest).map(Cow::Borrowed)
    }

    fn state(&self, rest: &[Segment]) -> Option<Cow<'a, Value>> {
        let Some((part, rest)) = rest.split_first() else {
            let whole = json!({ "entry": self.entry, "input": self.event, "nodes": self.all_outputs(), "redirect_count": self.redirects });
            return Some(Cow::Owned(whole));
        };
        match (part.key.as_str(), rest.split_first()) {
            ("entry", _) => walk(self.entry, rest).map(Cow::Borrowed),
            ("input", _) => walk(self.event, rest).map(Cow::Borrowed),
            ("redirect_count", None) => Some(Cow::Owned(Value::from(self.redirects))),
            ("nodes", None) => Some(Cow::Owned(self.all_outputs())),
            ("nodes", Some((id, rest))) => output_part(self.nodes.get(&id.key)?, rest),
            _ => None,
        }
    }

    fn all_outputs(&self) -> Value {
        Value::Object(self.nodes.all().map(|(id, output)| (id.to_owned(), output_value(output))).collect())
    }

    /// What a path without value could mean: how far it leads, and what stands there.
    pub(crate) fn nearest(&self, path: &VarPath) -> String {
        const SHOWN: usize = 8;
        let node = match (path.root, path.rest.as_slice()) {
            (Root::Node, [id, ..]) => Some(id),
            (Root::State, [part, id, ..]) if part.key == "nodes" => Some(id),
            _ => None,
        };
        if let Some(node) = node.filter(|node| self.nodes.get(&node.key).is_none()) {
            return format!("node {:?} has not run yet", id::clip(&node.key));
        }
        let shortest = if node.is_some() { 1 } else { 0 };
        let reached = (shortest..path.rest.len()).rev().find_map(|len| {
            let prefix = path.rest.get(..len)?;
            self.resolve(path.root, prefix).map(|value| (prefix, value))
        });
        let Some((prefix, value)) = reached else {
            return "nothing of the path exists".to_owned();
        };
        let names: Vec<&str> =
            std::iter::once(path.root.name()).chain(prefix.iter().map(|segment| segment.key.as_str())).collect();
        let place = id::clip(&names.join("."));
        match &*value {
            Value::Object(fields) if fields.is_empty() => format!("`{place}` is empty"),
            Value::Object(fields) => {
                let keys: Vec<String> = fields.keys().take(SHOWN).map(|key| id::clip(key)).collect();
                format!("`{place}` has: {}", keys.join(", "))
            }
            Value::Array(items) => format!("`{place}` is a list of {}", items.len()),
            _ => format!("`{place}` has no fields"),
        }
    }
}

/// What follows `input` in a path into an event without such a key. Events come as `{text, …}` or as
/// `{input: {text, …}}`; a flow that is written for the second form finds the first one there too.
fn unwrapped<'p>(event: &Value, path: &'p [Segment]) -> Option<&'p [Segment]> {
    let (first, rest) = path.split_first()?;
    is_unwrapped(event).then_some(rest).filter(|_| first.key == INPUT)
}

/// The key that wraps an event in the second of its forms.
pub(super) const INPUT: &str = "input";

/// Whether an event came without being wrapped.
pub(super) fn is_unwrapped(event: &Value) -> bool {
    event.as_object().is_some_and(|fields| !fields.contains_key(INPUT))
}

fn output_part<'a>(output: &'a NodeOutput, rest: &[Segment]) -> Option<Cow<'a, Value>> {
    let Some((field, rest)) = rest.split_first() else {
        return Some(Cow::Owned(output_value(output)));
    };
    match field.key.as_str() {
        "ok" if rest.is_empty() => Some(Cow::Owned(Value::Bool(output.ok))),
        "payload" => walk(&output.payload, rest).map(Cow::Borrowed),
        "meta" => walk(&output.meta, rest).map(Cow::Borrowed),
        _ => None,
    }
}

fn output_value(output: &NodeOutput) -> Value {
    json!({ "ok": output.ok, "payload": output.payload, "meta": output.meta })
}
