//! A run in memory: the flows that are being executed, what their nodes gave, what is not yet stored.

use std::sync::Arc;

use bytes::Bytes;
use indexmap::IndexMap;
use serde_json::Value;

use crate::capabilities::state_view::{Overlay, writes_of};
use crate::error::{Code, Error, Result};
use crate::flow::model::{Flow, FlowState, Node, NodeIx};
use crate::flow::template::{NodeOutput, Outputs, Vars};
use crate::id::Id;
use crate::run::program::Program;
use crate::run::record::{Entry, HeadRecord, Pointer, decode, encode};
use crate::store::{RunId, StateWrite, StoredRun};

/// A run of a flow.
pub(super) struct Run {
    pub(super) id: RunId,
    /// The flows that are being executed, the innermost last. Never empty while the run lives.
    frames: Vec<Frame>,
    pub(super) steps: u32,
    /// Whether anything was replied in this event.
    pub(super) replied: bool,
    /// Whether the store knows the run.
    pub(super) stored: bool,
    /// Whether a guest ran since the last checkpoint.
    pub(super) effects: bool,
    /// Whether the run ended with the answer that it waited for.
    pub(super) finished: bool,
    bytes: usize,
    unsaved: Vec<Entry>,
    /// State writes of this event that are not yet stored.
    pub(super) writes: Arc<Overlay>,
}

/// A flow that is being executed.
pub(super) struct Frame {
    pub(super) flow: Arc<Flow>,
    pub(super) at: NodeIx,
    entry: Arc<Value>,
    input: Arc<Value>,
    outputs: NodeOutputs,
    prev: Arc<NodeOutput>,
}

/// In the order in which the nodes first ran.
#[derive(Default)]
struct NodeOutputs(IndexMap<Id, Arc<NodeOutput>>);

impl Outputs for NodeOutputs {
    fn get(&self, node: &str) -> Option<&NodeOutput> {
        self.0.get(node).map(AsRef::as_ref)
    }

    fn all(&self) -> Box<dyn Iterator<Item = (&str, &NodeOutput)> + '_> {
        Box::new(self.0.iter().map(|(id, output)| (&**id, &**output)))
    }
}

impl Frame {
    fn new(flow: Arc<Flow>, at: NodeIx, entry: Arc<Value>) -> Self {
        let prev = Arc::new(NodeOutput { ok: true, payload: empty(), meta: Value::Null });
        Self { flow, at, input: Arc::clone(&entry), entry, outputs: NodeOutputs::default(), prev }
    }

    /// The node that the frame stands at.
    pub(super) fn node(&self) -> Result<&Node> {
        self.flow.nodes.get(self.at).ok_or_else(|| Error::new(Code::Internal, "a run points beyond its flow"))
    }

    /// What templates of this frame see.
    pub(super) fn vars(&self) -> Vars<'_> {
        Vars::new(&self.entry, &self.prev.payload, &self.outputs).with_event(&self.input)
    }
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

impl Run {
    /// A run that stands at the entry of `flow`.
    pub(super) fn start(id: RunId, flow: Arc<Flow>, input: Value) -> Self {
        let mut run = Self {
            id,
            frames: Vec::new(),
            steps: 0,
            replied: false,
            stored: false,
            effects: false,
            finished: false,
            bytes: 0,
            unsaved: Vec::new(),
            writes: Arc::default(),
        };
        run.enter(flow, input);
        run
    }

    /// Rebuilds a run from what is stored of it.
    pub(super) fn restore(stored: &StoredRun, program: &Program) -> Result<Self> {
        let head: HeadRecord = decode(&stored.head)?;
        if head.pack != program.pack {
            return Err(gone(format!(
                "the run belongs to pack {}, and pack {} is loaded now",
                head.pack, program.pack
            )));
        }
        let mut run = Self {
            id: stored.id,
            frames: Vec::new(),
            steps: head.steps,
            replied: head.replied,
            stored: true,
            effects: false,
            finished: false,
            bytes: 0,
            unsaved: Vec::new(),
            writes: Arc::default(),
        };
        let mut flows = Replay { program, pointers: &head.at };
        for entry in &stored.journal {
            run.replay(decode(entry)?, &mut flows)?;
        }
        for (frame, pointer) in run.frames.iter_mut().zip(&head.at) {
            frame.at = node_named(&frame.flow, &pointer.node)?;
        }
        if run.frames.len() == head.at.len() && !run.frames.is_empty() {
            return Ok(run);
        }
        Err(Error::new(Code::StoreFormat, "a stored run's journal does not fit its head"))
    }

    fn replay(&mut self, entry: Entry, flows: &mut Replay<'_>) -> Result<()> {
        match entry {
            Entry::Begin { flow, entry } => {
                let flow = flows.flow(&flow)?;
                self.bytes += weight(&entry);
                self.frames.push(Frame::new(Arc::clone(&flow), flow.entry, entry));
            }
            Entry::Step { node, output } => self.put(node, output),
            Entry::End => drop(self.frames.pop()),
            Entry::Resume { input } => {
                self.bytes += weight(&input);
                if let Some(frame) = self.frames.last_mut() {
                    frame.input = input;
                }
            }
        }
        Ok(())
    }

    /// The innermost frame.
    pub(super) fn top(&self) -> Result<&Frame> {
        self.frames.last().ok_or_else(|| Error::new(Code::Internal, "a run has no frame"))
    }

    /// The outermost flow.
    pub(super) fn flow(&self) -> Result<&Id> {
        self.frames.first().map(|frame| &frame.flow.id).ok_or_else(|| Error::new(Code::Internal, "a run has no frame"))
    }

    /// How deep flows call each other now.
    pub(super) fn depth(&self) -> usize {
        self.frames.len()
    }

    /// How much the run holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Begins a flow inside the current one.
    pub(super) fn enter(&mut self, flow: Arc<Flow>, input: Value) {
        let input = Arc::new(input);
        self.bytes += weight(&input);
        self.unsaved.push(Entry::Begin { flow: flow.id.clone(), entry: Arc::clone(&input) });
        let at = flow.entry;
        self.frames.push(Frame::new(flow, at, input));
    }

    /// Ends the innermost flow. False if it was the outermost, which stays.
    pub(super) fn leave(&mut self) -> bool {
        if self.frames.len() < 2 {
            return false;
        }
        self.frames.pop();
        self.unsaved.push(Entry::End);
        true
    }

    /// Gives a waiting run its event.
    pub(super) fn resume(&mut self, input: Value) {
        let input = Arc::new(input);
        self.replied = false;
        self.bytes += weight(&input);
        self.unsaved.push(Entry::Resume { input: Arc::clone(&input) });
        if let Some(frame) = self.frames.last_mut() {
            frame.input = input;
        }
    }

    /// Records the result of the node that the innermost frame stands at.
    pub(super) fn record(&mut self, output: NodeOutput) -> Result<Arc<NodeOutput>> {
        let node = self.top()?.node()?.id.clone();
        let output = Arc::new(output);
        self.unsaved.push(Entry::Step { node: node.clone(), output: Arc::clone(&output) });
        self.put(node, Arc::clone(&output));
        Ok(output)
    }

    fn put(&mut self, node: Id, output: Arc<NodeOutput>) {
        self.bytes += weight(&output.payload);
        if let Some(frame) = self.frames.last_mut() {
            frame.prev = Arc::clone(&output);
            frame.outputs.0.insert(node, output);
        }
    }

    /// Moves the innermost frame to another node.
    pub(super) fn go(&mut self, to: NodeIx) {
        if let Some(frame) = self.frames.last_mut() {
            frame.at = to;
        }
    }

    /// Where the run stands, and what it did since this was asked last, as the store takes it.
    pub(super) fn save(&mut self, program: &Program) -> Result<(Bytes, Vec<Bytes>)> {
        let mut at = Vec::with_capacity(self.frames.len());
        for frame in &self.frames {
            at.push(Pointer { flow: frame.flow.id.clone(), node: frame.node()?.id.clone() });
        }
        let head = HeadRecord {
            pack: program.pack.clone(),
            digest: program.digest.to_string(),
            at,
            steps: self.steps,
            replied: self.replied,
        };
        let journal = self.unsaved.drain(..).map(|entry| encode(&entry)).collect::<Result<_>>()?;
        Ok((encode(&head)?, journal))
    }

    /// The state writes since this was asked last, as the store takes them.
    pub(super) fn take_writes(&mut self) -> Vec<StateWrite> {
        writes_of(&std::mem::take(Arc::make_mut(&mut self.writes)))
    }

    /// Adds what an invocation wrote.
    pub(super) fn add_writes(&mut self, writes: Overlay) {
        if !writes.is_empty() {
            Arc::make_mut(&mut self.writes).extend(writes);
        }
    }
}

/// Finds flows while a journal is replayed.
struct Replay<'a> {
    program: &'a Program,
    pointers: &'a [Pointer],
}

impl Replay<'_> {
    fn flow(&self, id: &Id) -> Result<Arc<Flow>> {
        match self.program.flows.flows.get(id) {
            Some(FlowState::Ready(flow)) => Ok(Arc::clone(flow)),
            _ if self.pointers.iter().any(|p| p.flow == *id) => {
                Err(gone(format!("flow {id}, in which the run waits, is not in the pack any more")))
            }
            _ => Err(gone(format!("flow {id}, which the run used, is not in the pack any more"))),
        }
    }
}

fn node_named(flow: &Flow, node: &Id) -> Result<NodeIx> {
    flow.nodes.iter().position(|n| n.id == *node).ok_or_else(|| {
        gone(format!("node {node} of flow {}, at which the run stands, does not exist any more", flow.id))
    })
}

fn gone(message: String) -> Error {
    Error::new(Code::ResumeImpossible, message)
        .hint("the pack was changed while a session waited; the session's next event starts anew")
}

/// The size of a value, roughly: what it takes to write it down.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => 8 + text.len(),
        Value::Array(items) => 8 + items.iter().map(weight).sum::<usize>(),
        Value::Object(map) => 8 + map.iter().map(|(key, value)| key.len() + weight(value)).sum::<usize>(),
    }
}
