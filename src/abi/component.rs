//! A component as flow nodes call it, whatever its generation.

use bytes::Bytes;
use greentic_runner_bindings::component_runtime_v0_6::ComponentRuntimePre;
use greentic_runner_bindings::node_v0_6::{InvocationEnvelope, InvocationResult, NodeError, NodePre};
use greentic_runner_bindings::runtime_v0_6_1::RuntimePre;
use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::{InstancePre, Val};

use super::answer::{self, Rejection};
use super::call::Call;
use super::circumstances::Circumstances;
use super::named::NamedNode;
use super::{cbor, node, val};
use crate::capabilities::HostCtx;
use crate::capabilities::state::component_state;
use crate::conform::{Chosen, Generation};
use crate::engine::Subject;
use crate::error::{Code, Error, Result};
use crate::telemetry::trace_id;

/// The state of a component that has none yet: an empty CBOR map.
const NO_STATE: &[u8] = &[0xa0];

/// A component that flow nodes can call.
pub(super) struct Component {
    pub(super) generation: Generation,
    callee: Callee,
}

enum Callee {
    Node(NodePre<HostCtx>),
    Named(Box<NamedNode>),
    Runtime(RuntimePre<HostCtx>),
    Stateful(ComponentRuntimePre<HostCtx>),
}

/// A call that is ready to be made.
pub(super) enum Pending<'a> {
    Node(&'a NodePre<HostCtx>, Box<InvocationEnvelope>),
    Named(&'a NamedNode, Vec<Val>),
    Runtime(&'a RuntimePre<HostCtx>, Vec<u8>),
    Stateful { pre: &'a ComponentRuntimePre<HostCtx>, input: Vec<u8>, state: Option<Bytes> },
}

/// What a call gave, not yet read.
pub(super) enum Raw<'a> {
    Node(std::result::Result<InvocationResult, NodeError>),
    Named(&'a NamedNode, Val),
    Bytes(Vec<u8>),
    /// The new state, if it is another one.
    Stateful(Vec<u8>, Option<Vec<u8>>),
}

/// What an answer means.
pub(super) struct Read {
    pub(super) outcome: std::result::Result<Value, Rejection>,
    /// What the component wants to find as its state at its next run in this session; none if nothing changed.
    pub(super) state: Option<Vec<u8>>,
}

impl Component {
    /// The component called `name`, as it was `chosen` to be called.
    pub(super) fn find(name: &str, chosen: Chosen, pre: &InstancePre<HostCtx>) -> Result<Self> {
        let Chosen { generation, call } = chosen;
        let interface = generation.interface;
        let lost = |e: wasmtime::Error| Error::new(Code::Internal, format!("component {name} cannot be called: {e:#}"));
        let callee = match (call, interface) {
            (Some(call), _) => Callee::Named(Box::new(NamedNode::find(name, interface, call, pre)?)),
            (None, "greentic:component/node@0.6.0") => Callee::Node(NodePre::new(pre.clone()).map_err(lost)?),
            (None, "greentic:component/runtime@0.6.1") => Callee::Runtime(RuntimePre::new(pre.clone()).map_err(lost)?),
            (None, "greentic:component/component-runtime@0.6.0") => {
                Callee::Stateful(ComponentRuntimePre::new(pre.clone()).map_err(lost)?)
            }
            (None, _) => {
                return Err(Error::new(Code::Internal, format!("nothing calls {interface}, which is looked for")));
            }
        };
        Ok(Self { generation, callee })
    }

    /// Makes `call` ready. Only `component-runtime` has to read something for it: the state that it left.
    pub(super) async fn pending(&self, call: &Call<'_>, subject: Subject<'_>) -> Result<Pending<'_>> {
        let deadline = call.deadline.min(std::time::Instant::now() + call.limits.timeout);
        let trace = trace_id();
        let known = Circumstances { trace: trace.as_deref(), ..Circumstances::new(&call.scope, deadline) };
        let payload = || cbor::encode(call.input).map_err(|why| unencodable(subject, &why));
        Ok(match &self.callee {
            Callee::Node(pre) => Pending::Node(pre, Box::new(node::envelope(&known, payload()?))),
            Callee::Named(node) => {
                let arguments = node.arguments(&known, call.op, call.input);
                Pending::Named(node, arguments.map_err(|why| unencodable(subject, &why))?)
            }
            Callee::Runtime(pre) => Pending::Runtime(pre, payload()?),
            Callee::Stateful(pre) => {
                let state = component_state(&call.state, &call.scope).await?;
                Pending::Stateful { pre, input: payload()?, state }
            }
        })
    }

    /// The node that is called by names, if it is one: only such nodes have hooks.
    pub(super) fn named(&self) -> Option<&NamedNode> {
        match &self.callee {
            Callee::Named(node) => Some(node),
            _ => None,
        }
    }

    /// Whether it is told which operation is called. One that is not serves whatever a flow calls it.
    pub(super) fn takes_operation(&self) -> bool {
        !matches!(self.callee, Callee::Stateful(_))
    }
}

impl<'a> Pending<'a> {
    /// Makes an instance in `store` and calls it.
    pub(super) async fn call(self, store: &mut Store<HostCtx>, op: &str) -> wasmtime::Result<Raw<'a>> {
        Ok(match self {
            Self::Node(pre, envelope) => Raw::Node(node::call(pre, store, op, &envelope).await?),
            Self::Named(node, arguments) => Raw::Named(node, node.call(store, &arguments).await?),
            Self::Runtime(pre, input) => {
                let instance = pre.instantiate_async(&mut *store).await?;
                Raw::Bytes(instance.greentic_component_runtime().call_invoke(store, op, &input).await?)
            }
            Self::Stateful { pre, input, state } => {
                let instance = pre.instantiate_async(&mut *store).await?;
                let given = state.as_deref().unwrap_or(NO_STATE);
                let result = instance.greentic_component_component_runtime().call_run(store, &input, given).await?;
                let new = result.new_state;
                let same = new == given || new.is_empty() && state.is_none();
                Raw::Stateful(result.output, (!same).then_some(new))
            }
        })
    }
}

impl Raw<'_> {
    /// Bytes that the answer holds.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Node(answer) => node::answer_bytes(answer),
            Self::Named(_, answer) => val::size(answer),
            Self::Bytes(output) => output.len(),
            Self::Stateful(output, state) => output.len() + state.as_ref().map_or(0, Vec::len),
        }
    }

    /// What the answer means.
    pub(super) fn read(self, subject: Subject<'_>) -> Result<Read> {
        let (outcome, state) = match self {
            Self::Node(answer) => (node::read(subject, answer)?, None),
            Self::Named(node, answer) => (node.read(subject, answer)?, None),
            Self::Bytes(output) => (answer::from_cbor(subject, &output, true)?, None),
            Self::Stateful(output, state) => (answer::from_cbor(subject, &output, true)?, state),
        };
        Ok(Read { outcome, state })
    }
}

pub(super) fn unencodable(subject: Subject<'_>, why: &str) -> Error {
    Error::new(Code::Internal, format!("{subject}: the payload cannot be encoded: {why}"))
}
