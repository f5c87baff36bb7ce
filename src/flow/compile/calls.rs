//! What follows from the calls between flows.

use std::collections::HashSet;

use indexmap::IndexMap;

use crate::error::{Code, Error};
use crate::flow::compile::Draft;
use crate::flow::model::Action;
use crate::id::Id;

/// Finds flows that call each other without end, and notes calls of flows that cannot run.
pub(super) fn check(drafts: &mut IndexMap<Id, Draft<'_>>, notes: &mut Vec<Error>) {
    let endless: Vec<(Id, Error)> = drafts.keys().filter_map(|id| Some((id.clone(), endless(id, drafts)?))).collect();
    for (id, finding) in endless {
        if let Some(draft) = drafts.get_mut(&id) {
            draft.findings.push(finding);
        }
    }
    let broken: HashSet<&Id> =
        drafts.iter().filter(|(_, draft)| !draft.findings.is_empty()).map(|(id, _)| id).collect();
    for draft in drafts.values().filter(|draft| draft.findings.is_empty()) {
        for node in draft.flow.iter().flat_map(|flow| &flow.nodes) {
            if let Action::Call { flow, .. } = &node.action
                && broken.contains(flow)
            {
                let message = format!(
                    "flow {:?}: node {:?} calls flow {:?}, which cannot run",
                    &*draft.doc.id, &*node.id, &**flow
                );
                let note = Error::new(Code::FlowDisabled, message).at(draft.doc.origin.clone());
                notes.push(note.hint("repair the flow that it calls"));
            }
        }
    }
}

/// The finding for a flow whose every run comes back to itself.
fn endless(start: &Id, drafts: &IndexMap<Id, Draft<'_>>) -> Option<Error> {
    let mut seen: HashSet<&Id> = HashSet::new();
    let mut open: Vec<&Id> = vec![start];
    while let Some(id) = open.pop() {
        let calls = drafts.get(id).map(|draft| draft.certain_calls.as_slice()).unwrap_or_default();
        if calls.contains(start) {
            let origin = drafts.get(start)?.doc.origin.clone();
            let message = match id == start {
                true => format!("flow {:?} calls itself without end", &**start),
                false => format!("flows {:?} and {:?} call each other without end", &**start, &**id),
            };
            let error = Error::new(Code::FlowCycle, message);
            return Some(error.at(origin).hint("call the flow behind a condition or a route by status"));
        }
        open.extend(calls.iter().filter(|call| seen.insert(*call)));
    }
    None
}
