//! What follows from the routes of a flow alone. Nothing here recurses: flows may be long.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::error::{Code, Error};
use crate::flow::compile::node::NodeDraft;
use crate::flow::model::Action;
use crate::id::Id;

type Nodes<'n, 'd> = IndexMap<&'n str, NodeDraft<'d>>;

/// The nodes that some route reaches from `starts`.
pub(super) fn reachable<'n>(starts: impl Iterator<Item = &'n str>, nodes: &Nodes<'n, '_>) -> HashSet<&'n str> {
    let mut found: HashSet<&str> = HashSet::new();
    let mut open: Vec<&str> = starts.collect();
    while let Some(id) = open.pop() {
        if !found.insert(id) {
            continue;
        }
        let targets = nodes.get(id).map(|node| node.route.targets()).unwrap_or_default();
        open.extend(targets.into_iter().filter_map(|target| nodes.get_key_value(target).map(|(id, _)| *id)));
    }
    found.retain(|id| nodes.contains_key(id));
    found
}

/// The nodes that cannot be used: those with findings, and those from which a route leads to one of them.
pub(super) fn broken<'n>(nodes: &Nodes<'n, '_>) -> HashSet<&'n str> {
    let mut leads_here: HashMap<&str, Vec<&'n str>> = HashMap::new();
    for (id, node) in nodes {
        node.route.targets().into_iter().for_each(|target| leads_here.entry(target).or_default().push(id));
    }
    let mut found: HashSet<&'n str> = HashSet::new();
    let mut open: Vec<&'n str> = nodes.iter().filter(|(_, node)| node.action.is_none()).map(|(id, _)| *id).collect();
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(leads_here.get(id).into_iter().flatten());
        }
    }
    found
}

/// Cycles that nothing ends: no wait, no branch, no condition, no component. One finding per cycle.
pub(super) fn endless(reachable: &HashSet<&str>, nodes: &Nodes<'_, '_>) -> Vec<Error> {
    let mut done: HashSet<&str> = HashSet::new();
    let mut findings = Vec::new();
    for start in nodes.keys().filter(|id| reachable.contains(*id)) {
        let mut trail: Vec<&str> = Vec::new();
        let mut at = Some(*start);
        while let Some(id) = at.filter(|id| !done.contains(id)) {
            done.insert(id);
            trail.push(id);
            at = nodes.get(id).and_then(certain_next);
            let seen_before = at.filter(|next| done.contains(next));
            let cycle = seen_before.and_then(|next| trail.iter().position(|seen| *seen == next));
            if let Some(cycle) = cycle.and_then(|from| trail.get(from..)) {
                findings.extend(endless_finding(cycle, nodes));
            }
        }
    }
    findings
}

fn endless_finding(cycle: &[&str], nodes: &Nodes<'_, '_>) -> Option<Error> {
    const SHOWN: usize = 8;
    let first = cycle.first()?;
    let mut path: Vec<&str> = cycle.iter().copied().take(SHOWN).collect();
    if cycle.len() > SHOWN {
        path.push("…");
    }
    path.push(first);
    let error = Error::new(Code::FlowCycle, format!("the nodes {} go round without end", path.join(" → ")));
    Some(error.at(nodes.get(first)?.location.clone()).hint("add a `session.wait`, a condition or a route by status"))
}

/// Where every run goes after `node`. A wait ends the event, and a component may jump elsewhere or end the flow.
fn certain_next<'n>(node: &'n NodeDraft<'_>) -> Option<&'n str> {
    let decides = matches!(node.action, Some(Action::Wait { .. } | Action::Component(_)));
    node.route.certain().filter(|_| !decides)
}

/// The flows that every run calls before anything is decided.
pub(super) fn certain_calls(entry: &str, nodes: &Nodes<'_, '_>) -> Vec<Id> {
    let mut calls = Vec::new();
    let mut seen = HashSet::new();
    let mut at = Some(entry);
    while let Some(node) = at.filter(|id| seen.insert(*id)).and_then(|id| nodes.get(id)) {
        if let Some(Action::Call { flow, .. }) = &node.action
            && node.when.is_none()
        {
            calls.push(flow.clone());
        }
        at = certain_next(node);
    }
    calls
}
