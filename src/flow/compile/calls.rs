//! What follows from the calls between flows.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::error::{Code, Error};
use crate::flow::compile::Draft;
use crate::flow::model::Action;
use crate::id::Id;

/// Finds flows that call each other without end, and notes calls of flows that cannot run.
pub(super) fn check(drafts: &mut IndexMap<Id, Draft<'_>>, notes: &mut Vec<Error>) {
    for (id, finding) in endless(drafts) {
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

/// The findings for flows whose calls come back to themselves with nothing decided on the way.
fn endless(drafts: &IndexMap<Id, Draft<'_>>) -> Vec<(Id, Error)> {
    let calls: Vec<(&Id, &Id)> =
        drafts.iter().flat_map(|(id, draft)| draft.certain_calls.iter().map(move |call| (id, call))).collect();
    let endless = without_ends(&calls);
    let called: Vec<(&Id, &Id)> = endless.iter().map(|(from, to)| (*to, *from)).collect();
    let mut findings: IndexMap<&Id, Error> = IndexMap::new();
    for (to, from) in without_ends(&called) {
        let Some(draft) = drafts.get(from) else { continue };
        let message = match from == to {
            true => format!("flow {:?} calls itself without end", &**from),
            false => format!("flow {:?} calls flow {:?}, and the calls go round without end", &**from, &**to),
        };
        let error = Error::new(Code::FlowCycle, message).at(draft.doc.origin.clone());
        findings.entry(from).or_insert_with(|| error.hint("call the flow behind a condition or a route by status"));
    }
    findings.into_iter().map(|(id, finding)| (id.clone(), finding)).collect()
}

/// The calls that remain when those of flows that end are taken away, again and again.
fn without_ends<'i>(calls: &[(&'i Id, &'i Id)]) -> Vec<(&'i Id, &'i Id)> {
    let mut left: HashMap<&Id, usize> = HashMap::new();
    let mut callers: HashMap<&Id, Vec<&'i Id>> = HashMap::new();
    for (from, to) in calls {
        *left.entry(from).or_default() += 1;
        left.entry(to).or_default();
        callers.entry(to).or_default().push(from);
    }
    let mut open: Vec<&Id> = left.iter().filter(|(_, calls)| **calls == 0).map(|(id, _)| *id).collect();
    while let Some(ended) = open.pop() {
        for caller in callers.get(ended).into_iter().flatten() {
            if let Some(calls) = left.get_mut(caller) {
                *calls -= 1;
                if *calls == 0 {
                    open.push(caller);
                }
            }
        }
    }
    let goes_on = |id: &Id| left.get(id).is_some_and(|calls| *calls > 0);
    calls.iter().filter(|(from, to)| goes_on(from) && goes_on(to)).copied().collect()
}
