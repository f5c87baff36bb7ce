//! A flow as its author wrote it, before it is checked: the one form that manifests and `.ygtc` files become.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::Value;

use crate::error::Location;
use crate::id::Id;

/// The kind of events that a flow serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowKind {
    /// Chat messages.
    Messaging,
    /// Events of other systems.
    Event,
    /// Configuration of a component.
    ComponentConfig,
    /// Background jobs.
    Job,
    /// HTTP requests.
    Http,
}

/// How flow kinds are spelled, each kind's own name first. The plural and the names of event sources are spellings
/// that circulate: a webhook is an HTTP request, a timer is an event.
const KIND_NAMES: &[(&str, FlowKind)] = &[
    ("messaging", FlowKind::Messaging),
    ("event", FlowKind::Event),
    ("events", FlowKind::Event),
    ("timer", FlowKind::Event),
    ("component-config", FlowKind::ComponentConfig),
    ("job", FlowKind::Job),
    ("http", FlowKind::Http),
    ("webhook", FlowKind::Http),
];

impl FlowKind {
    /// The kind that `name` means; `_` counts as `-`.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.replace('_', "-");
        KIND_NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// The kind's own name, as flow files spell it.
    pub fn name(self) -> &'static str {
        KIND_NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Every spelling that [`FlowKind::named`] knows.
    pub fn spellings() -> impl Iterator<Item = &'static str> + Clone {
        KIND_NAMES.iter().map(|(name, _)| *name)
    }
}

/// A flow before compilation.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowDoc {
    /// The flow's id, unique in its pack.
    pub id: Id,
    /// What events it serves.
    pub kind: FlowKind,
    /// A title for people.
    pub title: Option<String>,
    /// A description for people.
    pub description: Option<String>,
    /// Free tags.
    pub tags: Vec<String>,
    /// Named entry points: name to node id. `default` wins; without it the node `in`, else the first node.
    pub entrypoints: IndexMap<String, String>,
    /// Constants that templates and conditions see as `parameters`; null if there are none.
    pub parameters: Value,
    /// The nodes in the author's order.
    pub nodes: IndexMap<String, NodeDoc>,
    /// The file (and entry) that the flow came from.
    pub origin: Location,
}

impl FlowDoc {
    /// The flow `id` of a component that runs it itself: its only node calls the operation of that name.
    pub(crate) fn of_operation(id: Id, kind: FlowKind, component: &Id, path: &Path) -> Self {
        let node = NodeDoc {
            component: component.to_string(),
            operation: Some(id.to_string()),
            default_operation: None,
            input: Value::String("{{in}}".to_owned()),
            output: Value::Null,
            err_map: Value::Null,
            routing: RoutingDoc::End,
            retry: Value::Null,
            timeout: Value::Null,
            when: Value::Null,
            location: None,
        };
        Self {
            id,
            kind,
            title: None,
            description: None,
            tags: Vec::new(),
            entrypoints: IndexMap::new(),
            parameters: Value::Null,
            nodes: IndexMap::from([("run".to_owned(), node)]),
            origin: Location { file: path.display().to_string(), position: None },
        }
    }
}

/// A node before compilation.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeDoc {
    /// The component id, or a builtin such as `provider.invoke`, `session.wait`, `flow.call`, `emit.response`,
    /// `component.exec`.
    pub component: String,
    /// The operation, where the author named it apart from the payload.
    pub operation: Option<String>,
    /// The operation that the node's dialect means where neither node nor payload names one and the component does not
    /// have just one.
    pub default_operation: Option<String>,
    /// The payload; strings in it may be templates.
    pub input: Value,
    /// The output mapping, null if there is none.
    pub output: Value,
    /// The error mapping, null if there is none.
    pub err_map: Value,
    /// Where to go next.
    pub routing: RoutingDoc,
    /// Retry policy as written (`{max_attempts, base_delay_ms}`), null if there is none.
    pub retry: Value,
    /// Time limit as written (`"5s"`, or a number of milliseconds), null if there is none.
    pub timeout: Value,
    /// The condition under which the node runs, as written; null if it always does.
    pub when: Value,
    /// Where the node stands in its file.
    pub location: Option<Location>,
}

/// A node's routing before compilation.
#[derive(Clone, Debug, PartialEq)]
pub enum RoutingDoc {
    /// The flow ends.
    End,
    /// The flow ends and its last payload is the reply.
    Reply,
    /// One next node.
    Next(String),
    /// By status of the node's result.
    Branch {
        /// Status to node id.
        on_status: IndexMap<String, String>,
        /// Where no status fits.
        default: Option<String>,
    },
    /// A list of `{condition?, to | next, status?, out?, reply?}`, first match wins; kept as written.
    Custom(Value),
}
