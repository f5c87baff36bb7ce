//! Compiles flows: every name resolved, every template parsed, every finding reported at once.
//!
//! A flow with findings is disabled and says all of them; the pack's other flows run. What is odd but does not keep
//! a flow from running is a note.

mod builtin;
mod calls;
mod card;
mod component;
mod graph;
mod node;
mod policy;
mod provider;
mod route;
mod tool;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use crate::error::{Code, Error};
use crate::flow::cards::Cards;
use crate::flow::compile::node::NodeDraft;
use crate::flow::doc::FlowDoc;
use crate::flow::hint;
use crate::flow::model::{Flow, FlowSet, FlowState, Node, NodeIx};
use crate::id::{self, Id};

pub use tool::tools_named;

/// Whether `name` stands for what the host itself does, and for no component.
pub fn is_builtin(name: &str) -> bool {
    name.starts_with("emit.") || node::BUILTINS.contains(&name)
}

/// What a pack offers to its flows.
pub trait Catalog {
    /// The component with this id.
    fn component(&self, id: &str) -> Option<ComponentInfo>;
    /// The ids of all components.
    fn component_ids(&self) -> Vec<Id>;
    /// The provider with this id.
    fn provider(&self, id: &str) -> Option<ProviderInfo>;
    /// The ids of the providers of a type.
    fn providers_of_type(&self, provider_type: &str) -> Vec<Id>;
    /// The ids of all providers.
    fn provider_ids(&self) -> Vec<Id>;
    /// Whether the server or component `name` can be called as a tool, or why not. Who does not know says that it can.
    fn tool(&self, _name: &str) -> Result<(), Error> {
        Ok(())
    }
    /// The component that was published under a reference such as `oci://host/path/name:tag`.
    fn published(&self, _reference: &str) -> Option<Id> {
        None
    }
    /// The pack's cards and translations. Asked once for all flows.
    fn cards(&self) -> Cards {
        Cards::default()
    }
    /// The operation of a component that is not told which one is called; a node that calls it need not name one.
    fn only_op(&self, _component: &str) -> Option<&'static str> {
        None
    }
    /// Whether the operations are all that there will be; not while the components themselves are still to be asked.
    fn is_complete(&self) -> bool {
        true
    }
}

/// Findings, and notes, that are kept of one flow: who repairs a hundred sees the rest.
const MAX_FINDINGS: usize = 100;

/// What is known about a component.
#[derive(Clone, Debug)]
pub struct ComponentInfo {
    /// Whether flows can call it, or why not.
    pub callable: Result<(), Error>,
    /// Its operations; none if they are unknown, and then any is allowed.
    pub ops: Option<Vec<String>>,
    /// Whether it has no others. Manifests leave some out, so that only what a component itself describes is complete;
    /// else others are allowed too, and noted.
    pub complete: bool,
}

/// What is known about a provider.
#[derive(Clone, Debug)]
pub struct ProviderInfo {
    /// Whether flows can call it, or why not.
    pub callable: Result<(), Error>,
    /// Its operations; none if they are unknown, and then any is allowed.
    pub ops: Option<Vec<String>>,
}

/// Compiles the flows of a pack.
pub fn compile(docs: &[FlowDoc], catalog: &dyn Catalog) -> FlowSet {
    let flows: HashSet<&str> = docs.iter().map(|doc| &*doc.id).collect();
    let cards = catalog.cards();
    let known = Known { catalog, cards: &cards, flows: &flows };
    let mut drafts: IndexMap<Id, Draft<'_>> = IndexMap::new();
    let mut notes = Vec::new();
    for doc in docs {
        if let Some(first) = drafts.get_mut(&doc.id) {
            let message = format!("flow {:?} is defined twice", &*doc.id);
            let hint = format!("the other one is in {}", first.doc.origin);
            first.findings.push(Error::new(Code::FlowInvalid, message).at(doc.origin.clone()).hint(hint));
            continue;
        }
        let mut own = Vec::new();
        drafts.insert(doc.id.clone(), Draft::of(doc, known, &mut own));
        shorten(&mut own, doc, "notes");
        notes.append(&mut own);
    }
    calls::check(&mut drafts, &mut notes);
    let flows = drafts.into_iter().map(|(id, draft)| (id, draft.finish())).collect();
    FlowSet { flows, notes }
}

/// What the nodes of a pack's flows may name.
#[derive(Clone, Copy)]
struct Known<'a> {
    catalog: &'a dyn Catalog,
    cards: &'a Cards,
    flows: &'a HashSet<&'a str>,
}

/// A flow while it is compiled.
struct Draft<'a> {
    doc: &'a FlowDoc,
    /// None if the flow cannot run.
    flow: Option<Flow>,
    /// Flows that every run of this one calls.
    certain_calls: Vec<Id>,
    findings: Vec<Error>,
}

impl<'a> Draft<'a> {
    fn of(doc: &'a FlowDoc, known: Known<'_>, notes: &mut Vec<Error>) -> Self {
        let mut draft = Self { doc, flow: None, certain_calls: Vec::new(), findings: Vec::new() };
        let Some(entry) = draft.entry() else { return draft };
        if !matches!(doc.parameters, Value::Null | Value::Object(_)) {
            let message = format!("flow {:?}: `parameters` is not a mapping", &*doc.id);
            let error = Error::new(Code::FlowInvalid, message).at(doc.origin.clone());
            draft.findings.push(error.hint("write `parameters: { name: value }`"));
        }
        let mut nodes: IndexMap<&str, NodeDraft<'_>> =
            doc.nodes.iter().map(|(id, written)| (id.as_str(), NodeDraft::of(id, written, doc, known))).collect();
        let entrypoints = draft.entrypoints(notes);
        let starts = || std::iter::once(entry).chain(entrypoints.values().copied());
        let reachable = graph::reachable(starts(), &nodes);
        for (id, node) in &mut nodes {
            notes.append(&mut node.notes);
            if reachable.contains(id) {
                draft.findings.append(&mut node.findings);
            } else {
                let message = format!("flow {:?}: no route reaches node {id:?}", &*doc.id);
                let note = Error::new(Code::NodeUnreachable, message).at(node.location.clone());
                notes.push(note.hint("add a route to it, or remove it"));
                notes.append(&mut node.findings);
            }
        }
        draft.findings.extend(graph::endless(&reachable, &nodes));
        draft.certain_calls = graph::certain_calls(entry, &nodes);
        draft.flow = assemble(doc, entry, &entrypoints, nodes);
        draft
    }

    /// The node where the flow starts.
    fn entry(&mut self) -> Option<&'a str> {
        let doc = self.doc;
        let Some((first, _)) = doc.nodes.first() else {
            let error = Error::new(Code::FlowEmpty, format!("flow {:?} has no nodes", &*doc.id));
            self.findings.push(error.at(doc.origin.clone()).hint("add nodes, or remove the flow"));
            return None;
        };
        let Some(named) = doc.entrypoints.get("default") else {
            return Some(if doc.nodes.contains_key("in") { "in" } else { first });
        };
        if !doc.nodes.contains_key(named) {
            self.findings.push(self.no_entry("default", named));
            return None;
        }
        Some(named)
    }

    /// The other entry points; one that leads nowhere is noted and left out.
    fn entrypoints(&self, notes: &mut Vec<Error>) -> HashMap<&'a str, &'a str> {
        let mut found = HashMap::new();
        for (name, node) in self.doc.entrypoints.iter().filter(|(name, _)| *name != "default") {
            if self.doc.nodes.contains_key(node) {
                found.insert(name.as_str(), node.as_str());
            } else {
                notes.push(self.no_entry(name, node));
            }
        }
        found
    }

    fn no_entry(&self, name: &str, node: &str) -> Error {
        let (name, shown) = (id::clip(name), id::clip(node));
        let message = format!("flow {:?}: entry point {name:?} names the unknown node {shown:?}", &*self.doc.id);
        let hint = hint::did_you_mean(node, "nodes", self.doc.nodes.keys().map(String::as_str));
        Error::new(Code::NodeUnknown, message).at(self.doc.origin.clone()).hint(hint)
    }

    fn finish(mut self) -> FlowState {
        match self.flow {
            Some(flow) if self.findings.is_empty() => FlowState::Ready(Arc::new(flow)),
            _ => {
                let summary = format!("flow {:?} cannot run", &*self.doc.id);
                shorten(&mut self.findings, self.doc, "reasons why it cannot run");
                let reason = Error::from_many(Code::FlowInvalid, summary, self.findings).in_file(&self.doc.origin.file);
                FlowState::Disabled { kind: self.doc.kind, reason }
            }
        }
    }
}

/// Keeps the first of `list`, and says how many more there are.
fn shorten(list: &mut Vec<Error>, doc: &FlowDoc, what: &str) {
    if list.len() > MAX_FINDINGS {
        let message = format!("flow {:?}: {} more {what} are not listed", &*doc.id, list.len() - MAX_FINDINGS);
        list.truncate(MAX_FINDINGS);
        list.push(Error::new(Code::FlowInvalid, message).at(doc.origin.clone()));
    }
}

/// Puts the nodes in their places. Nodes that no route reaches stay, unless something is wrong with them.
fn assemble(
    doc: &FlowDoc,
    entry: &str,
    entrypoints: &HashMap<&str, &str>,
    mut nodes: IndexMap<&str, NodeDraft<'_>>,
) -> Option<Flow> {
    let broken = graph::broken(&nodes);
    nodes.retain(|id, _| !broken.contains(id));
    let places: HashMap<String, NodeIx> =
        nodes.keys().enumerate().map(|(place, id)| ((*id).to_owned(), place)).collect();
    let nodes = nodes.into_iter().map(|(id, draft)| {
        Some(Node {
            id: Id::from(id),
            when: draft.when,
            action: draft.action?,
            output: draft.output,
            route: draft.route.resolve(&places)?,
            retry: draft.retry,
            timeout: draft.timeout,
        })
    });
    Some(Flow {
        id: doc.id.clone(),
        kind: doc.kind,
        title: doc.title.clone(),
        parameters: doc.parameters.clone(),
        entry: places.get(entry).copied()?,
        nodes: nodes.collect::<Option<_>>()?,
        entrypoints: entrypoints
            .iter()
            .map(|(name, node)| Some(((*name).to_owned(), places.get(*node).copied()?)))
            .collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests;
