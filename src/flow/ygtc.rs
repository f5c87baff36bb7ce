//! Flow files (`.ygtc`): YAML as authors write it, read within bounds into a [`FlowDoc`].
//!
//! A node holds exactly one operation key besides the keys that every node may have; the key is a builtin
//! (`provider.invoke`, `session.wait`, `flow.call`, `emit.*`, `component.exec`) or a component id, its value the
//! payload. The keys `telemetry`, `when`, `annotations`, `meta` and the top-level `parameters` and `meta` are part
//! of the format and describe a flow to other tools; the host does not act on them.

use std::fmt;

use indexmap::IndexMap;
use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::error::{Code, Error, Location, Result};
use crate::flow::doc::{FlowDoc, FlowKind, NodeDoc, RoutingDoc};
use crate::flow::routing;
use crate::id;

/// The largest flow file that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Node keys that are not the operation.
const NODE_KEYS: &[&str] = &[
    "routing",
    "telemetry",
    "output",
    "retry",
    "timeout",
    "when",
    "annotations",
    "meta",
    "operation",
    "in_map",
    "out_map",
    "err_map",
];

type Map<V> = IndexMap<Spanned<String>, V>;

#[derive(Deserialize)]
struct Top {
    id: Option<Spanned<String>>,
    #[serde(rename = "type")]
    kind: Option<Spanned<String>>,
    title: Option<String>,
    description: Option<String>,
    start: Option<Spanned<String>>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    entrypoints: Map<Value>,
    nodes: Option<Spanned<Nodes>>,
    #[serde(rename = "kind")]
    dialect_kind: Option<Spanned<IgnoredAny>>,
    entry: Option<Spanned<IgnoredAny>>,
}

/// The nodes, or how many items an older dialect lists instead.
enum Nodes {
    Named(Map<Spanned<Value>>),
    Listed(usize),
}

impl<'de> Deserialize<'de> for Nodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodesVisitor)
    }
}

struct NodesVisitor;

impl<'de> Visitor<'de> for NodesVisitor {
    type Value = Nodes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of node ids to nodes")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Nodes, A::Error> {
        Map::deserialize(MapAccessDeserializer::new(map)).map(Nodes::Named)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Nodes, A::Error> {
        let mut count = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Nodes::Listed(count))
    }

    fn visit_unit<E>(self) -> Result<Nodes, E> {
        Ok(Nodes::Listed(0))
    }
}

/// Reads the flow file `text`; `file` is its name in errors.
///
/// All that is wrong is reported in one error, each finding with line and column.
pub fn parse(text: &str, file: &str) -> Result<FlowDoc> {
    let origin = Location { file: file.to_owned(), position: None };
    if text.len() > MAX_BYTES {
        return Err(Error::new(Code::TooLarge, format!("the flow file has {} bytes", text.len()))
            .at(origin)
            .hint(format!("at most {MAX_BYTES} bytes are read; split the flow")));
    }
    let top: Top = serde_saphyr::from_str_with_options(text, options()).map_err(|error| yaml_error(&error, file))?;
    let mut reader = Reader { file, findings: Vec::new() };
    let doc = reader.flow(top, origin.clone());
    match doc {
        Some(doc) if reader.findings.is_empty() => Ok(doc),
        _ => Err(Error::from_many(Code::FlowInvalid, "the flow file is not valid", reader.findings).in_file(file)),
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: 200_000,
            max_nodes: 100_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_depth: 48,
            flow_nesting_limit: 48,
            max_documents: 1,
            max_total_scalar_bytes: 2 * MAX_BYTES,
            max_recorded_anchor_events: 100_000,
            max_recorded_anchor_bytes: 2 * MAX_BYTES,
            max_merge_keys: 1_000,
        },
    }
}

fn yaml_error(error: &serde_saphyr::Error, file: &str) -> Error {
    let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    let location = Location { file: file.to_owned(), position: error.location().and_then(position) };
    Error::new(Code::FlowInvalid, id::clip(&message))
        .at(location)
        .hint("a flow file is one YAML mapping of `id`, `type` and `nodes`; look at indentation and quotes here")
}

fn position(at: serde_saphyr::Location) -> Option<(u32, u32)> {
    let line = u32::try_from(at.line()).ok().filter(|line| *line > 0)?;
    Some((line, u32::try_from(at.column()).ok()?))
}

struct Reader<'a> {
    file: &'a str,
    findings: Vec<Error>,
}

impl Reader<'_> {
    fn at<T>(&self, spanned: &Spanned<T>) -> Location {
        Location { file: self.file.to_owned(), position: position(spanned.referenced) }
    }

    fn finding(&mut self, at: Location, message: String, hint: &str) {
        self.findings.push(Error::new(Code::FlowInvalid, message).at(at).hint(hint));
    }

    fn flow(&mut self, top: Top, origin: Location) -> Option<FlowDoc> {
        let old_key = top.dialect_kind.as_ref().or(top.entry.as_ref()).filter(|_| top.kind.is_none());
        let old_list = top.nodes.as_ref().filter(|nodes| matches!(nodes.value, Nodes::Listed(1..)));
        let dialect = old_key.map(|key| (self.at(key), "`kind`, `entry`"));
        if let Some((at, sign)) = dialect.or_else(|| old_list.map(|list| (self.at(list), "`nodes` is a list"))) {
            let error = Error::new(Code::FlowDialect, format!("the flow is written in an older dialect ({sign})"));
            self.findings
                .push(error.at(at).hint("write `type`, and `nodes` as a mapping with one operation key per node"));
            return None;
        }
        let flow_id = self.id(top.id, &origin);
        let kind = self.kind(top.kind, &origin);
        let mut entrypoints = self.entrypoints(top.entrypoints);
        if let Some(start) = top.start {
            entrypoints.insert("default".to_owned(), start.value);
        }
        let nodes = match top.nodes.map(|nodes| nodes.value) {
            Some(Nodes::Named(nodes)) => nodes.into_iter().filter_map(|(key, body)| self.node(key, body)).collect(),
            Some(Nodes::Listed(_)) | None => IndexMap::new(),
        };
        Some(FlowDoc {
            id: flow_id?,
            kind: kind?,
            title: top.title,
            description: top.description,
            tags: top.tags,
            entrypoints,
            nodes,
            origin,
        })
    }

    fn id(&mut self, written: Option<Spanned<String>>, origin: &Location) -> Option<id::Id> {
        let Some(written) = written else {
            self.finding(origin.clone(), "the flow has no `id`".to_owned(), "add `id: my-flow` at the top");
            return None;
        };
        let at = self.at(&written);
        id::parse("flow id", &written.value).map_err(|error| self.findings.push(error.at(at))).ok()
    }

    fn kind(&mut self, written: Option<Spanned<String>>, origin: &Location) -> Option<FlowKind> {
        let hint = format!("`type` is one of: {}", FlowKind::spellings().collect::<Vec<_>>().join(", "));
        let Some(written) = written else {
            self.finding(origin.clone(), "the flow has no `type`".to_owned(), &hint);
            return None;
        };
        let kind = FlowKind::named(&written.value);
        if kind.is_none() {
            let message = format!("flow type {:?} is not known", id::clip(&written.value));
            let at = self.at(&written);
            self.finding(at, message, &hint);
        }
        kind
    }

    fn entrypoints(&mut self, written: Map<Value>) -> IndexMap<String, String> {
        let mut out = IndexMap::new();
        for (name, target) in written {
            if let Value::String(target) = target {
                out.insert(name.value, target);
            } else {
                let at = self.at(&name);
                let message = format!("entry point {:?} names no node", id::clip(&name.value));
                self.finding(at, message, "write `name: node-id`");
            }
        }
        out
    }

    fn node(&mut self, key: Spanned<String>, body: Spanned<Value>) -> Option<(String, NodeDoc)> {
        let at = self.at(&key);
        let name = id::clip(&key.value);
        if !is_node_id(&key.value) {
            let message = format!("node id {name:?} is not valid");
            self.finding(at, message, "begin with a letter or '_', then letters, digits, '_' and '-'");
            return None;
        }
        let Value::Object(mut keys) = body.value else {
            self.finding(at, format!("node {name:?} is not a mapping"), "write `component-id: {…}` below the node");
            return None;
        };
        let mut common = serde_json::Map::new();
        for known in NODE_KEYS {
            if let Some(value) = keys.shift_remove(*known) {
                common.insert((*known).to_owned(), value);
            }
        }
        let ops: Vec<String> = keys.keys().map(|key| format!("`{}`", id::clip(key))).collect();
        let Some((component, input)) = keys.into_iter().next().filter(|_| ops.len() == 1) else {
            let (message, hint) = not_one_operation(&name, &ops);
            self.finding(at, message, hint);
            return None;
        };
        if component == "component" && matches!(input, Value::String(_)) {
            let error = Error::new(Code::FlowDialect, format!("node {name:?} is written in an older dialect"));
            self.findings.push(error.at(at).hint("make the component id itself the key of the payload"));
            return None;
        }
        self.node_doc(&name, at, component, input, common).map(|doc| (key.value, doc))
    }

    fn node_doc(
        &mut self,
        name: &str,
        at: Location,
        component: String,
        mut input: Value,
        mut common: serde_json::Map<String, Value>,
    ) -> Option<NodeDoc> {
        let mut take = |key: &str| common.shift_remove(key).unwrap_or(Value::Null);
        let routing = match routing::read(take("routing")) {
            Ok(routing) => routing,
            Err(problem) => {
                self.finding(at.clone(), format!("node {name:?}: {problem}"), routing::HINT);
                RoutingDoc::End
            }
        };
        let operation = match take("operation") {
            Value::Null => None,
            Value::String(operation) => Some(operation),
            _ => {
                self.finding(at, format!("node {name:?}: `operation` is not text"), "write `operation: name`");
                return None;
            }
        };
        let in_map = take("in_map");
        if !in_map.is_null() {
            if !is_empty(&input) {
                let message = format!("node {name:?} has both a payload and `in_map`");
                self.finding(at, message, "keep one of them: both say what the node's input is");
                return None;
            }
            input = in_map;
        }
        let (output, out_map) = (take("output"), take("out_map"));
        Some(NodeDoc {
            component,
            operation,
            input,
            output: if output.is_null() { out_map } else { output },
            err_map: take("err_map"),
            routing,
            retry: take("retry"),
            timeout: take("timeout"),
            location: Some(at),
        })
    }
}

fn not_one_operation(name: &str, ops: &[String]) -> (String, &'static str) {
    if ops.is_empty() {
        return (format!("node {name:?} has no operation key"), "add one, such as `emit.response:`");
    }
    let older = ops.iter().any(|op| op == "`component`") && ops.iter().any(|op| op == "`payload`" || op == "`routes`");
    let hint = if older {
        "this is an older dialect: make the component id itself the key of the payload, and rename `routes` to `routing`"
    } else {
        "keep one of them; the payload of an operation stands below its key"
    };
    (format!("node {name:?} has several operation keys: {}", ops.join(", ")), hint)
}

fn is_node_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        && id::is_valid(text)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
