//! A run in memory: the flows that are being executed, what their nodes gave, what is not yet stored.

mod restore;

use std::sync::Arc;

use bytes::Bytes;
use indexmap::IndexMap;
use serde_json::Value;

use crate::capabilities::state_view::{Overlay, writes_of};
use crate::error::{Code, Error, Result};
use crate::flow::model::{Flow, Node, NodeIx};
use crate::flow::template::{NodeOutput, Outputs, Vars};
use crate::id::Id;
use crate::run::program::Program;
use crate::run::record::{Entry, HeadRecord, Pointer, encode};
use crate::run::value::{MAX_DEPTH, is_too_deep, weight};
use crate::store::{RunId, StateWrite};
use crate::telemetry::TraceContext;

/// A journal is rewritten when it holds this many entries more than the run has results.
const SLACK: usize = 64;

/// A run of a flow.
pub(super) struct Run {
    pub(super) id: RunId,
    /// The flows that are being executed, the innermost last. Never empty while the run lives.
    frames: Vec<Frame>,
    /// Steps for the current event.
    pub(super) steps: u32,
    /// Steps over the run's whole life: the number of a step is never used again.
    pub(super) total: u64,
    /// Whether anything was replied in this event.
    pub(super) replied: bool,
    /// Jumps to other flows for the current event.
    pub(super) redirects: u32,
    /// Whether the store knows the run.
    pub(super) stored: bool,
    /// Whether a guest ran since the last checkpoint.
    pub(super) effects: bool,
    /// Whether the run ended with the answer that it waited for.
    pub(super) finished: bool,
    /// What frames, their inputs and results take, and the current event's input.
    bytes: usize,
    event_bytes: usize,
    /// Entries of the journal, stored or not.
    entries: usize,
    unsaved: Vec<Entry>,
    /// State writes of this event that are not yet stored.
    pub(super) writes: Arc<Overlay>,
    /// The span in which it began to wait, for as long as it does.
    pub(super) trace: Option<TraceContext>,
}

/// A run as the store takes it.
pub(super) struct Saved {
    pub(super) head: Bytes,
    pub(super) journal: Vec<Bytes>,
}

/// A flow that is being executed.
pub(super) struct Frame {
    pub(super) flow: Arc<Flow>,
    pub(super) at: NodeIx,
    entry: Arc<Value>,
    input: Arc<Value>,
    outputs: NodeOutputs,
    prev: Arc<NodeOutput>,
    /// The node that gave `prev`.
    last: Option<Id>,
    /// Whether `prev` was replied. It is asked for before the next checkpoint only, so the store need not know it.
    said: bool,
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
        let input = Arc::clone(&entry);
        Self { flow, at, input, entry, outputs: NodeOutputs::default(), prev, last: None, said: false }
    }

    /// The node that the frame stands at.
    pub(super) fn node(&self) -> Result<&Node> {
        self.flow.nodes.get(self.at).ok_or_else(|| Error::new(Code::Internal, "a run points beyond its flow"))
    }

    /// What the node before gave, and whether that was replied; none at the flow's start.
    pub(super) fn before(&self) -> (Arc<NodeOutput>, Option<bool>) {
        (Arc::clone(&self.prev), self.last.as_ref().map(|_| self.said))
    }

    /// The inputs that may say something about the user: that of the current event, and that of the flow.
    pub(super) fn events(&self) -> [&Value; 2] {
        [&self.input, &self.entry]
    }

    fn bytes(&self) -> usize {
        weight(&self.entry) + self.outputs.0.values().map(|output| weight(&output.payload)).sum::<usize>()
    }

    /// The entries that rebuild the frame, its last node last.
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![Entry::Begin { flow: self.flow.id.clone(), entry: Arc::clone(&self.entry) }];
        let step = |(node, output): (&Id, &Arc<NodeOutput>)| Entry::Step { node: node.clone(), output: output.clone() };
        let (last, others): (Vec<_>, Vec<_>) =
            self.outputs.0.iter().partition(|(id, _)| self.last.as_ref() == Some(*id));
        entries.extend(others.into_iter().chain(last).map(step));
        if !Arc::ptr_eq(&self.entry, &self.input) {
            entries.push(Entry::Resume { input: Arc::clone(&self.input) });
        }
        entries
    }
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

impl Run {
    fn new(id: RunId) -> Self {
        Self {
            id,
            frames: Vec::new(),
            steps: 0,
            total: 0,
            replied: false,
            redirects: 0,
            stored: false,
            effects: false,
            finished: false,
            bytes: 0,
            event_bytes: 0,
            entries: 0,
            unsaved: Vec::new(),
            writes: Arc::default(),
            trace: None,
        }
    }

    /// A run that stands at the entry of `flow`.
    pub(super) fn start(id: RunId, flow: Arc<Flow>, input: Value) -> Result<Self> {
        let mut run = Self::new(id);
        run.enter(flow, input)?;
        Ok(run)
    }

    fn push(&mut self, flow: Arc<Flow>, entry: Arc<Value>) {
        self.bytes += weight(&entry);
        let at = flow.entry;
        self.frames.push(Frame::new(flow, at, entry));
    }

    fn pop(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.bytes = self.bytes.saturating_sub(frame.bytes());
        }
    }

    fn put(&mut self, node: Id, output: Arc<NodeOutput>, said: bool) {
        let Some(frame) = self.frames.last_mut() else { return };
        self.bytes += weight(&output.payload);
        frame.prev = Arc::clone(&output);
        frame.said = said;
        frame.last = Some(node.clone());
        if let Some(before) = frame.outputs.0.insert(node, output) {
            self.bytes = self.bytes.saturating_sub(weight(&before.payload));
        }
    }

    fn hear(&mut self, input: Arc<Value>) {
        let bytes = weight(&input);
        self.bytes = (self.bytes + bytes).saturating_sub(self.event_bytes);
        self.event_bytes = bytes;
        for frame in &mut self.frames {
            frame.input = Arc::clone(&input);
        }
    }

    /// The innermost frame.
    pub(super) fn top(&self) -> Result<&Frame> {
        self.frames.last().ok_or_else(|| Error::new(Code::Internal, "a run has no frame"))
    }

    /// What templates of the innermost frame see.
    pub(super) fn vars(&self) -> Result<Vars<'_>> {
        let frame = self.top()?;
        let vars = Vars::new(&frame.entry, &frame.prev.payload, &frame.outputs).with_event(&frame.input);
        Ok(vars.with_parameters(&frame.flow.parameters).with_redirects(self.redirects))
    }

    /// The outermost flow.
    pub(super) fn outermost(&self) -> Result<&Arc<Flow>> {
        let outermost = self.frames.first().map(|frame| &frame.flow);
        outermost.ok_or_else(|| Error::new(Code::Internal, "a run has no frame"))
    }

    /// The outermost flow's id.
    pub(super) fn flow(&self) -> Result<&Id> {
        self.outermost().map(|flow| &flow.id)
    }

    /// How deep flows call each other now.
    pub(super) fn depth(&self) -> usize {
        self.frames.len()
    }

    /// How much the run holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Begins a step.
    pub(super) fn count_step(&mut self) {
        self.steps = self.steps.saturating_add(1);
        self.total = self.total.saturating_add(1);
    }

    /// Begins a flow inside the current one.
    pub(super) fn enter(&mut self, flow: Arc<Flow>, input: Value) -> Result<()> {
        let input = shallow(input)?;
        self.note(Entry::Begin { flow: flow.id.clone(), entry: Arc::clone(&input) });
        self.push(flow, input);
        Ok(())
    }

    /// Ends the innermost flow, and begins another in its place at the node `at`. Without an input of its own the new
    /// flow has the old one's.
    pub(super) fn jump(&mut self, flow: Arc<Flow>, at: NodeIx, input: Value) -> Result<()> {
        let frame = self.top()?;
        let (entry, event) = match input {
            Value::Null => (Arc::clone(&frame.entry), Arc::clone(&frame.input)),
            input => {
                let input = shallow(input)?;
                (Arc::clone(&input), input)
            }
        };
        self.pop();
        self.note(Entry::End);
        self.note(Entry::Begin { flow: flow.id.clone(), entry: Arc::clone(&entry) });
        self.push(flow, Arc::clone(&entry));
        if !Arc::ptr_eq(&entry, &event) {
            self.note(Entry::Resume { input: Arc::clone(&event) });
            self.hear(event);
        }
        self.go(at);
        self.redirects = self.redirects.saturating_add(1);
        Ok(())
    }

    /// Ends the innermost flow. False if it was the outermost, which stays.
    pub(super) fn leave(&mut self) -> bool {
        if self.frames.len() < 2 {
            return false;
        }
        self.pop();
        self.note(Entry::End);
        true
    }

    /// Gives a waiting run its event.
    pub(super) fn resume(&mut self, input: Value) -> Result<()> {
        let input = shallow(input)?;
        self.replied = false;
        self.redirects = 0;
        self.steps = 0;
        self.note(Entry::Resume { input: Arc::clone(&input) });
        self.hear(input);
        Ok(())
    }

    /// Records the result of the node that the innermost frame stands at. `said` tells whether it was replied already.
    pub(super) fn record(&mut self, output: NodeOutput, said: bool) -> Result<Arc<NodeOutput>> {
        if is_too_deep(&output.payload) {
            return Err(too_deep("the node's result"));
        }
        let node = self.top()?.node()?.id.clone();
        let output = Arc::new(output);
        self.note(Entry::Step { node: node.clone(), output: Arc::clone(&output) });
        self.put(node, Arc::clone(&output), said);
        Ok(output)
    }

    fn note(&mut self, entry: Entry) {
        self.entries += 1;
        self.unsaved.push(entry);
    }

    /// Moves the innermost frame to another node.
    pub(super) fn go(&mut self, to: NodeIx) {
        if let Some(frame) = self.frames.last_mut() {
            frame.at = to;
        }
    }

    /// Where the run stands, and what it did since it was saved last.
    pub(super) fn save(&mut self, program: &Program) -> Result<Saved> {
        let head = self.head(program)?;
        let journal = self.unsaved.drain(..).map(|entry| encode(&entry)).collect::<Result<_>>()?;
        Ok(Saved { head, journal })
    }

    /// The whole run in as few entries as rebuild it, if its journal has grown far beyond that: then the second part
    /// of the answer is true. Else what [`Run::save`] gives.
    pub(super) fn save_compact(&mut self, program: &Program) -> Result<(Saved, bool)> {
        let needed: usize = self.frames.iter().map(|frame| frame.outputs.0.len() + 1).sum();
        if self.entries <= 2 * needed + SLACK {
            return Ok((self.save(program)?, false));
        }
        let entries: Vec<_> = self.frames.iter().flat_map(Frame::entries).collect();
        self.unsaved.clear();
        self.entries = entries.len();
        let journal = entries.iter().map(encode).collect::<Result<_>>()?;
        Ok((Saved { head: self.head(program)?, journal }, true))
    }

    fn head(&self, program: &Program) -> Result<Bytes> {
        let mut at = Vec::with_capacity(self.frames.len());
        for frame in &self.frames {
            at.push(Pointer { flow: frame.flow.id.clone(), node: frame.node()?.id.clone() });
        }
        encode(&HeadRecord {
            digest: program.digest.to_string(),
            at,
            steps: self.steps,
            total: self.total,
            replied: self.replied,
            redirects: self.redirects,
            trace: self.trace.clone(),
        })
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

fn shallow(input: Value) -> Result<Arc<Value>> {
    if is_too_deep(&input) { Err(too_deep("the input")) } else { Ok(Arc::new(input)) }
}

fn too_deep(what: &str) -> Error {
    Error::new(Code::RunTooLarge, format!("{what} is nested deeper than {MAX_DEPTH} levels"))
        .hint("pass on the parts that are needed, not a whole result inside the next one")
}
