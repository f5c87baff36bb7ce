//! One node, as an operation key with its payload or as a mapping of `component` and payload.

use serde_json::{Map, Value, json};

use crate::error::Location;
use crate::flow::dialect::{NEWEST_SCHEMA, Reader, Source};
use crate::flow::doc::{NodeDoc, RoutingDoc};
use crate::flow::routing;
use crate::flow::written::Placed;
use crate::id;

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

/// Keys under which the component stands, where it is not the operation key.
const COMPONENT: &[&str] = &["component", "component_id"];

/// Keys under which the payload stands beside the component.
const PAYLOAD: &[&str] = &[EXPRESSION, "payload", "operation_payload", "input"];

/// The payload of compiled flows, in which `{"from_node": "id"}` stands for an output.
const EXPRESSION: &str = "payload_expr";

/// The key of an expression that stands for another node's output.
const FROM_NODE: &str = "from_node";

/// A node whose parts are told apart.
struct Parts {
    component: String,
    operation: Option<String>,
    input: Value,
    /// The routes, where they stand under the older name.
    routes: Value,
    /// Whether the node is of the form that always meant a component, with an operation by convention.
    by_convention: bool,
}

impl Reader<'_> {
    pub(super) fn node(&mut self, key: Placed<String>, body: Value) -> Option<(String, NodeDoc)> {
        let at = key.at(self.file);
        let name = id::clip(&key.value);
        if !self.is_node_id(&key.value) {
            let message = format!("node id {name:?} is not valid");
            self.finding(at, message, "begin with a letter or '_', then letters, digits, '_' and '-'");
            return None;
        }
        let Value::Object(mut keys) = body else {
            self.finding(at, format!("node {name:?} is not a mapping"), "write `component-id: {…}` below the node");
            return None;
        };
        let mut common = Map::new();
        for known in NODE_KEYS {
            if let Some(value) = keys.shift_remove(*known) {
                common.insert((*known).to_owned(), value);
            }
        }
        let named = COMPONENT.iter().find(|key| keys.get(**key).is_some_and(Value::is_string));
        let parts = match named {
            Some(named) => self.component_form(&name, &at, named, keys),
            None => self.operation_form(&name, &at, keys),
        };
        self.node_doc(&name, at, parts?, common).map(|doc| (key.value, doc))
    }

    /// What people write keeps to the published pattern; tools made other ids as well.
    fn is_node_id(&self, text: &str) -> bool {
        let well_formed = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        id::is_valid(text) && (well_formed || self.source == Source::Tool)
    }

    /// `{vendor.component: payload}`.
    fn operation_form(&mut self, name: &str, at: &Location, keys: Map<String, Value>) -> Option<Parts> {
        let ops: Vec<String> = keys.keys().map(|key| format!("`{}`", id::clip(key))).collect();
        let Some((component, input)) = keys.into_iter().next().filter(|_| ops.len() == 1) else {
            let (message, hint) = match ops.is_empty() {
                true => (format!("node {name:?} has no operation key"), "add one, such as `emit.response:`"),
                false => (
                    format!("node {name:?} has several operation keys: {}", ops.join(", ")),
                    "keep one of them; the payload of an operation stands below its key",
                ),
            };
            self.finding(at.clone(), message, hint);
            return None;
        };
        let by_convention = self.source == Source::Tool || self.schema < NEWEST_SCHEMA;
        Some(Parts { component, operation: None, input, routes: Value::Null, by_convention })
    }

    /// `{component: vendor.component, payload: …, routes: […]}`.
    fn component_form(
        &mut self,
        name: &str,
        at: &Location,
        named: &str,
        mut keys: Map<String, Value>,
    ) -> Option<Parts> {
        let Some(Value::String(component)) = keys.shift_remove(named) else { return None };
        let mut take = |key: &str| keys.shift_remove(key).unwrap_or(Value::Null);
        let routes = take("routes");
        let operation = match take("operation_name") {
            Value::String(operation) => Some(operation),
            _ => None,
        };
        let payloads: Vec<&&str> = PAYLOAD.iter().filter(|key| keys.contains_key(**key)).collect();
        let input = match payloads.as_slice() {
            [] if keys.is_empty() => Value::Null,
            [] => Value::Object(keys),
            [only] => {
                let payload = keys.shift_remove(**only).unwrap_or(Value::Null);
                let payload = if **only == EXPRESSION { from_nodes(payload) } else { payload };
                if keys.is_empty() {
                    payload
                } else {
                    // What stands beside the payload is for the compiler to judge.
                    keys.insert("input".to_owned(), payload);
                    Value::Object(keys)
                }
            }
            several => {
                let several: Vec<String> = several.iter().map(|key| format!("`{key}`")).collect();
                let message = format!("node {name:?} has several payloads: {}", several.join(", "));
                self.finding(at.clone(), message, "keep one of them");
                return None;
            }
        };
        Some(Parts { component, operation, input, routes, by_convention: true })
    }

    fn node_doc(&mut self, name: &str, at: Location, parts: Parts, mut common: Map<String, Value>) -> Option<NodeDoc> {
        let Parts { component, operation, mut input, routes, by_convention } = parts;
        let mut take = |key: &str| common.shift_remove(key).unwrap_or(Value::Null);
        let routing = self.routing(name, &at, take("routing"), routes);
        let operation = match take("operation") {
            Value::Null => operation,
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
            operation: operation.filter(|operation| !operation.is_empty()),
            default_operation: by_convention.then(|| conventional(&component).to_owned()),
            component,
            input,
            output: if output.is_null() { out_map } else { output },
            err_map: take("err_map"),
            routing,
            retry: take("retry"),
            timeout: take("timeout"),
            when: take("when"),
            location: Some(at),
        })
    }

    fn routing(&mut self, name: &str, at: &Location, routing: Value, routes: Value) -> RoutingDoc {
        let written = match (routing.is_null(), routes.is_null()) {
            (false, false) => {
                let message = format!("node {name:?} has both `routing` and `routes`");
                self.finding(at.clone(), message, "keep `routing`");
                return RoutingDoc::End;
            }
            (true, false) => routes,
            _ => routing,
        };
        routing::read(written).unwrap_or_else(|problem| {
            self.finding(at.clone(), format!("node {name:?}: {problem}"), routing::HINT);
            RoutingDoc::End
        })
    }
}

/// The operation that older hosts called where a node named none.
fn conventional(component: &str) -> &'static str {
    if component.starts_with("templating.") { "render" } else { "invoke" }
}

/// Replaces `{"from_node": "id"}` by the template that inserts that node's output.
fn from_nodes(value: Value) -> Value {
    match value {
        Value::Object(fields) if fields.len() == 1 => match fields.get(FROM_NODE) {
            Some(Value::String(node)) => json!(format!("{{{{node[{}]}}}}", json!(node))),
            _ => from_nodes_in(fields),
        },
        Value::Object(fields) => from_nodes_in(fields),
        Value::Array(items) => items.into_iter().map(from_nodes).collect(),
        other => other,
    }
}

fn from_nodes_in(fields: Map<String, Value>) -> Value {
    Value::Object(fields.into_iter().map(|(key, field)| (key, from_nodes(field))).collect())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}
