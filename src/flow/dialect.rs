//! The dialects in which flows are written, and how each becomes a [`FlowDoc`].
//!
//! A flow names its kind under `type`, `flow_type` or `kind` and its first node under `start` or `entry`. A node is an
//! operation key with its payload, or a mapping of `component` and payload; its routes stand under `routing` or
//! `routes`. All of these circulate, mixed, in flow files and in the JSON of packs, so every word is read wherever it
//! stands, and what says the same thing twice is an error.

mod node;

use indexmap::IndexMap;
use serde_json::Value;

use crate::error::{Code, Error, Location, Result};
use crate::flow::doc::{FlowDoc, FlowKind};
use crate::flow::written::{Nodes, Placed, Written};
use crate::id::{self, Id};

/// Who wrote a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A person, who wants to hear of what means nothing.
    Author,
    /// A tool, older or newer than this host.
    Tool,
}

/// The kind of flow files of the first draft, which name no kind of events.
const FIRST_DRAFT: &str = "flow/v1";

/// The newest version of the flow file's schema.
const NEWEST_SCHEMA: u64 = 2;

/// Reads a flow. All that is wrong is reported in one error.
pub(super) fn read(written: Written, file: &str, source: Source) -> Result<FlowDoc> {
    let mut reader = Reader { file, source, schema: NEWEST_SCHEMA, findings: Vec::new() };
    match reader.flow(written) {
        Some(doc) if reader.findings.is_empty() => Ok(doc),
        _ => Err(Error::from_many(Code::FlowInvalid, "the flow is not valid", reader.findings).in_file(file)),
    }
}

struct Reader<'a> {
    file: &'a str,
    source: Source,
    schema: u64,
    findings: Vec<Error>,
}

type Top = IndexMap<String, Placed<Value>>;

impl Reader<'_> {
    fn finding(&mut self, at: Location, message: String, hint: &str) {
        self.findings.push(Error::new(Code::FlowInvalid, message).at(at).hint(hint));
    }

    fn dialect(&mut self, at: Location, message: String, hint: &str) {
        self.findings.push(Error::new(Code::FlowDialect, message).at(at).hint(hint));
    }

    fn flow(&mut self, written: Written) -> Option<FlowDoc> {
        let Written { mut top, nodes } = written;
        let origin = Location { file: self.file.to_owned(), position: None };
        if let Some(list @ Placed { value: Nodes::Listed(1..), .. }) = &nodes {
            let hint = "write `nodes` as a mapping of ids to nodes, each with its routes";
            self.dialect(list.at(self.file), "`nodes` is a list, which no host reads".to_owned(), hint);
            return None;
        }
        self.schema(&top);
        let id = self.id(&top, &origin);
        let kind = self.kind(&top, &origin);
        let entrypoints = self.entrypoints(&mut top);
        let title = self.text(&top, "title");
        let description = self.text(&top, "description");
        let tags = self.tags(&mut top);
        let nodes = match nodes {
            Some(Placed { value: Nodes::Named(nodes), .. }) => {
                nodes.into_iter().filter_map(|(key, body)| self.node(key, body)).collect()
            }
            Some(Placed { value: Nodes::Listed(_), .. }) | None => IndexMap::new(),
        };
        let parameters = top.swap_remove("parameters").map(|placed| placed.value).unwrap_or_default();
        Some(FlowDoc { id: id?, kind: kind?, title, description, tags, entrypoints, parameters, nodes, origin })
    }

    /// Refuses schemas that are newer than this host.
    fn schema(&mut self, top: &Top) {
        let Some(version) = top.get("schema_version") else { return };
        match &version.value {
            Value::Number(number) if number.as_u64().is_some_and(|number| number <= NEWEST_SCHEMA) => {
                self.schema = number.as_u64().unwrap_or(NEWEST_SCHEMA);
            }
            // Tools also write versions of compiled flows here.
            Value::Null => {}
            Value::String(_) if self.source == Source::Tool => {}
            other => {
                let message = format!("schema_version {} is not known", id::clip(&other.to_string()));
                self.dialect(version.at(self.file), message, "this host reads schema_version 1 and 2");
            }
        }
    }

    fn id(&mut self, top: &Top, origin: &Location) -> Option<Id> {
        let Some(written) = top.get("id") else {
            self.finding(origin.clone(), "the flow has no `id`".to_owned(), "add `id: my-flow` at the top");
            return None;
        };
        let at = written.at(self.file);
        let Value::String(text) = &written.value else {
            self.finding(at, "the flow's `id` is not text".to_owned(), "write `id: my-flow`");
            return None;
        };
        id::parse("flow id", text).map_err(|error| self.findings.push(error.at(at))).ok()
    }

    fn kind(&mut self, top: &Top, origin: &Location) -> Option<FlowKind> {
        let hint = format!("`type` is one of: {}", FlowKind::spellings().collect::<Vec<_>>().join(", "));
        let named = ["type", "flow_type", "kind"].into_iter().filter_map(|key| top.get(key));
        let mut named = named.filter(|placed| !placed.value.is_null()).peekable();
        if named.peek().is_none() {
            self.finding(origin.clone(), "the flow has no `type`".to_owned(), &hint);
            return None;
        }
        for placed in named {
            match placed.value.as_str() {
                Some(FIRST_DRAFT) => {}
                Some(name) if FlowKind::named(name).is_some() => return FlowKind::named(name),
                _ => {
                    let message = format!("flow type {} is not known", id::clip(&placed.value.to_string()));
                    self.finding(placed.at(self.file), message, &hint);
                    return None;
                }
            }
        }
        // No event means such a flow; who names it starts it.
        Some(FlowKind::Job)
    }

    fn entrypoints(&mut self, top: &mut Top) -> IndexMap<String, String> {
        let mut out = IndexMap::new();
        if let Some(points) = top.swap_remove("entrypoints").filter(|points| !points.value.is_null()) {
            let at = points.at(self.file);
            match points.value {
                Value::Object(points) => {
                    for (name, target) in points {
                        match target {
                            Value::String(target) => _ = out.insert(name, target),
                            _ => self.not_an_entrypoint(&at, &name),
                        }
                    }
                }
                _ => self.not_an_entrypoint(&at, "entrypoints"),
            }
        }
        for key in ["entry", "start"] {
            let Some(start) = top.swap_remove(key).filter(|start| !start.value.is_null()) else { continue };
            let at = start.at(self.file);
            match start.value {
                Value::String(node) => _ = out.insert("default".to_owned(), node),
                _ => self.not_an_entrypoint(&at, key),
            }
        }
        out
    }

    /// Tools keep other things among the entry points, for their own use.
    fn not_an_entrypoint(&mut self, at: &Location, name: &str) {
        if self.source == Source::Author {
            let message = format!("entry point {:?} names no node", id::clip(name));
            self.finding(at.clone(), message, "write `name: node-id`");
        }
    }

    fn text(&mut self, top: &Top, key: &str) -> Option<String> {
        let placed = top.get(key)?;
        match &placed.value {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            _ => {
                self.finding(placed.at(self.file), format!("`{key}` is not text"), "put it in quotes");
                None
            }
        }
    }

    fn tags(&mut self, top: &mut Top) -> Vec<String> {
        let Some(tags) = top.swap_remove("tags").filter(|tags| !tags.value.is_null()) else { return Vec::new() };
        let at = tags.at(self.file);
        serde_json::from_value(tags.value).unwrap_or_else(|_| {
            self.finding(at, "`tags` is not a list of texts".to_owned(), "write `tags: [one, two]`");
            Vec::new()
        })
    }
}
