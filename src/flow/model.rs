//! A compiled flow: every reference resolved, every template parsed, nothing left to look up while it runs.

use std::collections::HashMap;
use std::time::Duration;

use crate::error::Error;
use crate::flow::cards::Texts;
use crate::flow::condition::Condition;
use crate::flow::doc::FlowKind;
use crate::flow::template::Mapping;
use crate::id::Id;

/// The place of a node in [`Flow::nodes`].
pub type NodeIx = usize;

/// All flows of a pack.
#[derive(Debug, Default)]
pub struct FlowSet {
    /// The flows by id.
    pub flows: indexmap::IndexMap<Id, FlowState>,
    /// What is odd about the flows but disables none of them.
    pub notes: Vec<Error>,
}

/// A flow, or why it cannot run.
#[derive(Debug)]
pub enum FlowState {
    /// It runs.
    Ready(std::sync::Arc<Flow>),
    /// It is disabled; starting it answers with this error at once.
    Disabled {
        /// The kind that the author gave it.
        kind: FlowKind,
        /// All that is wrong with it.
        reason: Error,
    },
}

/// A flow that can run.
#[derive(Debug)]
pub struct Flow {
    /// The flow's id.
    pub id: Id,
    /// What events it serves.
    pub kind: FlowKind,
    /// A title for people.
    pub title: Option<String>,
    /// What templates and conditions see as `parameters`; an object, or null.
    pub parameters: serde_json::Value,
    /// Where a run starts.
    pub entry: NodeIx,
    /// Other named entry points.
    pub entrypoints: HashMap<String, NodeIx>,
    /// The nodes, in the author's order.
    pub nodes: Vec<Node>,
}

/// A node that can run.
#[derive(Debug)]
pub struct Node {
    /// The node's id, unique in its flow.
    pub id: Id,
    /// The condition under which it runs. Where it does not hold, the run goes on along the node's route with the output
    /// of the node before.
    pub when: Option<Condition>,
    /// What it does.
    pub action: Action,
    /// Maps the node's output before it is recorded: rendered with `result`. None records it as it is.
    pub output: Option<Mapping>,
    /// Where to go next.
    pub route: Route,
    /// How a failed call is repeated; none leaves it to the tenant.
    pub retry: Option<Retry>,
    /// The node's own time limit.
    pub timeout: Option<Duration>,
}

/// What a node does.
#[derive(Debug)]
pub enum Action {
    /// Calls a provider.
    Provider(ProviderCall),
    /// Calls a component of the pack.
    Component(ComponentCall),
    /// Calls a tool of the tenant's.
    Tool(ToolCall),
    /// Waits for the next event of the session.
    Wait {
        /// Shown to the caller and in the admin API.
        reason: Option<Mapping>,
    },
    /// Runs another flow of the pack and takes its result.
    Call {
        /// The flow's id; checked to exist.
        flow: Id,
        /// The flow's input.
        input: Mapping,
    },
    /// Renders a text: what the well-known template components do, where the pack has none of that id.
    Text {
        /// `{text}`.
        payload: Mapping,
        /// Whether a text that is a JSON object becomes that object.
        json: bool,
    },
    /// Emits a reply or a log line.
    Emit {
        /// What stands after `emit.`: `response`, `text`, `log`, …
        channel: String,
        /// The payload.
        payload: Mapping,
    },
}

/// A call of a provider operation.
#[derive(Debug)]
pub struct ProviderCall {
    /// The provider that was resolved at load.
    pub provider: Id,
    /// The operation.
    pub op: String,
    /// The payload's `input`, if any.
    pub input: Mapping,
    /// Replaces the input: rendered with `input` and `result` as the payload's input.
    pub in_map: Option<Mapping>,
    /// Maps the provider's result: rendered with `input` and `result` as the provider's result.
    pub out_map: Option<Mapping>,
    /// Maps the provider's error to an output: rendered with `input` and `error`. With it the node does not fail.
    pub err_map: Option<Mapping>,
}

/// A call of a component operation.
#[derive(Debug)]
pub struct ComponentCall {
    /// The component's id; checked to exist.
    pub component: Id,
    /// The operation.
    pub op: String,
    /// The payload.
    pub input: Mapping,
    /// Where the payload gets the pack's translations.
    pub texts: Texts,
    /// Maps the component's error to an output: rendered with `input` and `error`. With it the node does not fail.
    pub err_map: Option<Mapping>,
}

/// A call of a tool.
#[derive(Debug)]
pub struct ToolCall {
    /// The MCP server, or the component, by its name in the bindings.
    pub tool: Id,
    /// Which of its tools: a text.
    pub action: Mapping,
    /// The arguments.
    pub args: Mapping,
    /// Maps the failure to an output: rendered with `input` and `error`. With it the node does not fail.
    pub err_map: Option<Mapping>,
}

/// How a failed call is repeated: delay doubles from `base_delay`, with jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, at least 1.
    pub max_attempts: u32,
    /// Delay before the second attempt.
    pub base_delay: Duration,
}

impl Retry {
    /// One attempt only.
    pub const NONE: Self = Self { max_attempts: 1, base_delay: Duration::from_millis(250) };
}

/// Where a node leads.
#[derive(Debug)]
pub enum Route {
    /// The flow ends.
    End,
    /// The flow ends and the node's output is its reply.
    Reply,
    /// One next node.
    Next(NodeIx),
    /// By the status of the node's result, see [`crate::flow::route`].
    Branch {
        /// Status to node.
        on_status: HashMap<String, NodeIx>,
        /// Where no status fits; none ends the flow.
        default: Option<NodeIx>,
    },
    /// The first case whose condition holds; no match ends the flow.
    Cases(Vec<Case>),
}

/// One case of [`Route::Cases`].
#[derive(Debug)]
pub struct Case {
    /// Holds always if there is none.
    pub condition: Option<Condition>,
    /// The status that the node's result must have, if any.
    pub status: Option<String>,
    /// Where it leads.
    pub target: Target,
}

/// Where a case leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To a node.
    Node(NodeIx),
    /// The flow ends.
    End,
    /// The flow ends and the node's output is its reply.
    Reply,
}
