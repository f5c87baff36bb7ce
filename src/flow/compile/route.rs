//! A node's routing: conditions parsed, targets checked, and at the end resolved to places.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::error::Code;
use crate::flow::compile::node::Findings;
use crate::flow::condition::Condition;
use crate::flow::doc::{FlowDoc, RoutingDoc};
use crate::flow::hint;
use crate::flow::model::{Case, NodeIx, Route, Target};
use crate::flow::routing::{self, Entry};
use crate::id;

/// A route whose targets are still ids.
#[derive(Debug)]
pub(super) enum RouteDraft {
    End,
    Reply,
    Next(String),
    Branch { on_status: IndexMap<String, String>, default: Option<String> },
    Cases(Vec<CaseDraft>),
}

#[derive(Debug)]
pub(super) struct CaseDraft {
    condition: Option<Condition>,
    status: Option<String>,
    target: routing::Target,
}

impl RouteDraft {
    /// Reads a node's routing and checks that what it names exists.
    pub(super) fn of(written: &RoutingDoc, doc: &FlowDoc, findings: &mut Findings) -> Self {
        let route = match written {
            RoutingDoc::End => Self::End,
            RoutingDoc::Reply => Self::Reply,
            RoutingDoc::Next(node) => Self::Next(node.clone()),
            RoutingDoc::Branch { on_status, default } => {
                Self::Branch { on_status: on_status.clone(), default: default.clone() }
            }
            RoutingDoc::Custom(list) => match routing::entries(list) {
                Ok(entries) => Self::cases(entries, doc, findings),
                Err(problem) => {
                    findings.wrong(Code::FlowInvalid, &problem, routing::HINT);
                    Self::End
                }
            },
        };
        for target in route.targets() {
            check_node(target, "routes to", Code::NodeUnknown, doc, findings);
        }
        route
    }

    /// Cases; one that always fits ends them, and alone it is a plain route.
    fn cases(entries: Vec<Entry>, doc: &FlowDoc, findings: &mut Findings) -> Self {
        let count = entries.len();
        let mut cases = Vec::with_capacity(count);
        for entry in entries {
            let always = entry.condition.is_none() && entry.status.is_none();
            let condition = entry.condition.and_then(|text| condition(&text, doc, findings));
            cases.push(CaseDraft { condition, status: entry.status, target: entry.target });
            if always {
                break;
            }
        }
        if cases.len() < count {
            let message = format!("routes after the {}. are never taken", cases.len());
            findings.odd(Code::FlowInvalid, &message, "a route without status and condition belongs last");
        }
        match cases.as_slice() {
            [] => Self::End,
            [CaseDraft { condition: None, status: None, target }] => match target {
                routing::Target::Node(node) => Self::Next(node.clone()),
                routing::Target::End => Self::End,
                routing::Target::Reply => Self::Reply,
            },
            _ => Self::Cases(cases),
        }
    }

    /// The ids of the nodes that it leads to.
    pub(super) fn targets(&self) -> Vec<&str> {
        match self {
            Self::End | Self::Reply => Vec::new(),
            Self::Next(node) => vec![node],
            Self::Branch { on_status, default } => on_status.values().chain(default).map(String::as_str).collect(),
            Self::Cases(cases) => cases
                .iter()
                .filter_map(|case| match &case.target {
                    routing::Target::Node(node) => Some(node.as_str()),
                    routing::Target::End | routing::Target::Reply => None,
                })
                .collect(),
        }
    }

    /// The node to which every run goes, where nothing decides.
    pub(super) fn certain(&self) -> Option<&str> {
        match self {
            Self::Next(node) => Some(node),
            _ => None,
        }
    }

    /// Replaces ids by places; nothing if a place is missing.
    pub(super) fn resolve(self, places: &HashMap<String, NodeIx>) -> Option<Route> {
        let place = |node: &String| places.get(node).copied();
        Some(match self {
            Self::End => Route::End,
            Self::Reply => Route::Reply,
            Self::Next(node) => Route::Next(place(&node)?),
            Self::Branch { on_status, default } => Route::Branch {
                on_status: on_status
                    .into_iter()
                    .map(|(status, node)| Some((status, place(&node)?)))
                    .collect::<Option<_>>()?,
                default: match default {
                    Some(node) => Some(place(&node)?),
                    None => None,
                },
            },
            Self::Cases(cases) => Route::Cases(
                cases
                    .into_iter()
                    .map(|case| {
                        let target = match &case.target {
                            routing::Target::Node(node) => Target::Node(place(node)?),
                            routing::Target::End => Target::End,
                            routing::Target::Reply => Target::Reply,
                        };
                        Some(Case { condition: case.condition, status: case.status, target })
                    })
                    .collect::<Option<_>>()?,
            ),
        })
    }
}

pub(super) fn condition(text: &str, doc: &FlowDoc, findings: &mut Findings) -> Option<Condition> {
    match Condition::parse(text) {
        Ok(condition) => {
            for node in condition.nodes() {
                check_node(node, "has a condition on", Code::ConditionInvalid, doc, findings);
            }
            Some(condition)
        }
        Err(problem) => {
            let message = format!("condition {:?}: {problem}", id::clip(text));
            findings.wrong(Code::ConditionInvalid, &message, "write `path == \"value\"`, joined by `&&` and `||`");
            None
        }
    }
}

fn check_node(node: &str, verb: &str, code: Code, doc: &FlowDoc, findings: &mut Findings) {
    if !doc.nodes.contains_key(node) {
        let hint = hint::did_you_mean(node, "nodes", doc.nodes.keys().map(String::as_str));
        findings.wrong(code, &format!("{verb} the unknown node {:?}", id::clip(node)), &hint);
    }
}
