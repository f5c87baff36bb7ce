//! Rebuilding a run from what is stored of it, in a program that may be another one than that in which it stopped.
//!
//! A run goes on where it stands if what it stands in is still there: every flow that has not ended, in each the node,
//! and that node still does what the run is in the middle of: it calls a flow, or it waits. What has ended is asked no
//! questions; its outputs stay readable. All else ends the run with [`Code::ResumeImpossible`].

use std::sync::Arc;

use super::Run;
use crate::error::{Code, Error, Result};
use crate::flow::model::{Action, Flow, FlowState, NodeIx};
use crate::id::Id;
use crate::run::program::Program;
use crate::run::record::{Entry, HeadRecord, decode};
use crate::store::StoredRun;

impl Run {
    /// Rebuilds a run from what is stored of it.
    pub(in crate::run) fn restore(stored: &StoredRun, program: &Program) -> Result<Self> {
        let head: HeadRecord = decode(&stored.head)?;
        let HeadRecord { steps, total, replied, redirects, trace, .. } = head;
        let mut run = Self { steps, total, replied, redirects, trace, stored: true, ..Self::new(stored.id) };
        let entries: Vec<Entry> = stored.journal.iter().map(|entry| decode(entry)).collect::<Result<_>>()?;
        let over = over(&entries);
        for (entry, over) in entries.into_iter().zip(over) {
            run.replay(entry, over, program)?;
        }
        run.entries = stored.journal.len();
        if run.frames.len() != head.at.len() || run.frames.is_empty() {
            return Err(Error::new(Code::StoreFormat, "a stored run's journal does not fit its head"));
        }
        for (frame, pointer) in run.frames.iter_mut().zip(&head.at) {
            frame.at = node_named(&frame.flow, &pointer.node)?;
        }
        run.check_calls()?;
        Ok(run)
    }

    /// `over` tells whether the entry is of a flow that ended later. Of that nothing is left but what it was told, which
    /// all flows of the run were.
    fn replay(&mut self, entry: Entry, over: bool, program: &Program) -> Result<()> {
        match entry {
            Entry::Resume { input } => self.hear(input),
            _ if over => {}
            Entry::Begin { flow, entry } => self.push(flow_named(program, &flow)?, entry),
            Entry::Step { node, output } => self.put(node, output, false),
            Entry::End => self.pop(),
        }
        Ok(())
    }

    /// All flows but the innermost stand at the call of another.
    fn check_calls(&self) -> Result<()> {
        let outer = self.frames.split_last().map_or(&[][..], |(_, outer)| outer);
        for frame in outer {
            let node = frame.node()?;
            if !matches!(node.action, Action::Call { .. }) {
                let (node, flow) = (&node.id, &frame.flow.id);
                return Err(gone(format!(
                    "node {node} of flow {flow}, which was calling a flow, is of another kind now"
                )));
            }
        }
        Ok(())
    }

    /// The innermost flow stands at a node that waits.
    pub(in crate::run) fn check_waits(&self) -> Result<()> {
        let frame = self.top()?;
        let node = frame.node()?;
        if matches!(node.action, Action::Wait { .. }) {
            return Ok(());
        }
        let (node, flow) = (&node.id, &frame.flow.id);
        Err(gone(format!("node {node} of flow {flow}, in which the run waits, is of another kind now")))
    }
}

/// Which entries are of flows that have ended.
fn over(entries: &[Entry]) -> Vec<bool> {
    let mut over = vec![false; entries.len()];
    let mut begun = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        match entry {
            Entry::Begin { .. } => begun.push(at),
            Entry::End => {
                let from = begun.pop().unwrap_or(at);
                over.iter_mut().take(at + 1).skip(from).for_each(|over| *over = true);
            }
            Entry::Step { .. } | Entry::Resume { .. } => {}
        }
    }
    over
}

fn flow_named(program: &Program, id: &Id) -> Result<Arc<Flow>> {
    match program.flows.flows.get(id) {
        Some(FlowState::Ready(flow)) => Ok(Arc::clone(flow)),
        Some(FlowState::Disabled { .. }) => Err(gone(format!("flow {id}, in which the run stands, is disabled now"))),
        None => Err(gone(format!("flow {id}, in which the run stands, is not in the pack any more"))),
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
