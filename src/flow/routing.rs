//! Routing as authors write it, in flow files and in manifests, and as tools compile it.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::flow::doc::RoutingDoc;
use crate::id;

/// What a route may look like, for errors.
pub const HINT: &str =
    "routing is absent, `out`, `reply`, or a list of `{to, status?, condition?}`, `{out: true}` or `{reply: true}`";

/// One entry of a routing list.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where it leads.
    pub target: Target,
    /// The status that the node's result must have.
    pub status: Option<String>,
    /// The condition that must hold.
    pub condition: Option<String>,
}

/// Where an [`Entry`] leads.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// To the node with this id.
    Node(String),
    /// The flow ends.
    End,
    /// The flow ends and the node's output is its reply.
    Reply,
}

/// Reads the `routing` of a node in a flow file. The error says what is wrong, without place.
pub fn read(written: Value) -> Result<RoutingDoc, String> {
    let entries = match &written {
        Value::Null => return Ok(RoutingDoc::End),
        Value::String(word) if word == "out" || word == "end" => return Ok(RoutingDoc::End),
        Value::String(word) if word == "reply" => return Ok(RoutingDoc::Reply),
        Value::String(word) => return Err(format!("routing {:?} is not known", id::clip(word))),
        other => match compiled(other) {
            Some(routing) => return routing,
            None => entries(other)?,
        },
    };
    Ok(summary(&entries).unwrap_or(RoutingDoc::Custom(written)))
}

/// The form of compiled flows: a mapping of one word and what belongs to it. Nothing if `written` is none such.
fn compiled(written: &Value) -> Option<Result<RoutingDoc, String>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Compiled {
        Next { node_id: String },
        Branch { on_status: IndexMap<String, String>, default: Option<String> },
        Custom(Value),
    }
    let fields = written.as_object().filter(|fields| fields.len() == 1)?;
    if !fields.iter().any(|(word, below)| matches!(word.as_str(), "next" | "branch" | "custom") && !below.is_string()) {
        return None;
    }
    Some(match Compiled::deserialize(written) {
        Ok(Compiled::Next { node_id }) => Ok(RoutingDoc::Next(node_id)),
        Ok(Compiled::Branch { on_status, default }) => Ok(RoutingDoc::Branch { on_status, default }),
        Ok(Compiled::Custom(list)) => entries(&list).map(|_| RoutingDoc::Custom(list)),
        Err(error) => Err(id::clip(&error.to_string())),
    })
}

/// The entries of a routing list; a single mapping counts as a list of one.
pub fn entries(written: &Value) -> Result<Vec<Entry>, String> {
    match written {
        Value::Array(list) => list.iter().enumerate().map(|(at, item)| entry(at, item)).collect(),
        Value::Object(_) => Ok(vec![entry(0, written)?]),
        _ => Err("routing is neither text nor a list".to_owned()),
    }
}

fn entry(at: usize, written: &Value) -> Result<Entry, String> {
    let Value::Object(keys) = written else {
        return Err(format!("route {} is not a mapping", at + 1));
    };
    if let Some(unknown) = keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("route {} has the unknown key {:?}", at + 1, id::clip(unknown)));
    }
    let named = |key: &str| text(keys, key).map_err(|problem| format!("route {}: {problem}", at + 1));
    let set = |key: &str| flag(keys, key).map_err(|problem| format!("route {}: {problem}", at + 1));
    let node = match (named("to")?, named("next")?) {
        (Some(to), Some(next)) if to != next => {
            return Err(format!("route {} has both `to` and `next`", at + 1));
        }
        (to, next) => to.or(next),
    };
    let target = match node.as_deref() {
        Some("out") => Target::End,
        Some("reply") => Target::Reply,
        Some(node) if set("out")? || set("reply")? => {
            return Err(format!("route {} leads to {:?} and ends the flow", at + 1, id::clip(node)));
        }
        Some(node) => Target::Node(node.to_owned()),
        None if set("reply")? => Target::Reply,
        None if set("out")? => Target::End,
        None => return Err(format!("route {} leads nowhere", at + 1)),
    };
    Ok(Entry { target, status: named("status")?, condition: named("condition")? })
}

const KEYS: &[&str] = &["to", "next", "out", "status", "reply", "condition"];

fn text(keys: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match keys.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{key}` is not text")),
    }
}

fn flag(keys: &Map<String, Value>, key: &str) -> Result<bool, String> {
    match keys.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(set)) => Ok(*set),
        Some(_) => Err(format!("`{key}` is neither true nor false")),
    }
}

/// The simple form that says the same as `entries`, if there is one.
fn summary(entries: &[Entry]) -> Option<RoutingDoc> {
    if entries.iter().any(|entry| entry.condition.is_some()) {
        return None;
    }
    match entries {
        [] => Some(RoutingDoc::End),
        [Entry { status: None, target, .. }] => Some(match target {
            Target::Node(node) => RoutingDoc::Next(node.clone()),
            Target::End => RoutingDoc::End,
            Target::Reply => RoutingDoc::Reply,
        }),
        [_] => None,
        several => branch(several),
    }
}

/// A branch by status. Entries that end the flow, repeat a status, or shadow later ones need the list form.
fn branch(entries: &[Entry]) -> Option<RoutingDoc> {
    let mut on_status = IndexMap::new();
    let mut default = None;
    for entry in entries {
        let Target::Node(node) = &entry.target else { return None };
        let replaced = match &entry.status {
            Some(status) => on_status.insert(status.clone(), node.clone()),
            None => default.replace(node.clone()),
        };
        if replaced.is_some() {
            return None;
        }
    }
    Some(RoutingDoc::Branch { on_status, default })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn branch_of(on_status: &[(&str, &str)], default: Option<&str>) -> RoutingDoc {
        RoutingDoc::Branch {
            on_status: on_status.iter().map(|(status, node)| ((*status).to_owned(), (*node).to_owned())).collect(),
            default: default.map(str::to_owned),
        }
    }

    #[test]
    fn every_form_is_read() {
        let custom = json!([{"condition": "a == \"b\"", "to": "x"}, {"to": "y"}]);
        let single_status = json!([{"status": "ok", "to": "x"}]);
        let ending = json!([{"status": "ok", "to": "x"}, {"out": true}]);
        let table = [
            (Value::Null, RoutingDoc::End),
            (json!([]), RoutingDoc::End),
            (json!("out"), RoutingDoc::End),
            (json!("reply"), RoutingDoc::Reply),
            (json!([{"out": true}]), RoutingDoc::End),
            (json!([{"to": "out"}]), RoutingDoc::End),
            (json!([{"reply": true}]), RoutingDoc::Reply),
            (json!([{"to": "x"}]), RoutingDoc::Next("x".into())),
            (json!([{"next": "x"}]), RoutingDoc::Next("x".into())),
            (json!({"to": "x"}), RoutingDoc::Next("x".into())),
            (json!("end"), RoutingDoc::End),
            (json!({"next": "x"}), RoutingDoc::Next("x".into())),
            (json!({"next": {"node_id": "x"}}), RoutingDoc::Next("x".into())),
            (
                json!({"branch": {"on_status": {"ok": "x"}, "default": null}}),
                RoutingDoc::Branch { on_status: IndexMap::from([("ok".into(), "x".into())]), default: None },
            ),
            (json!({"custom": [{"next": "x"}]}), RoutingDoc::Custom(json!([{"next": "x"}]))),
            (json!([{"to": "x", "out": false}]), RoutingDoc::Next("x".into())),
            (
                json!([{"status": "ok", "to": "x"}, {"status": "error", "to": "y"}, {"to": "z"}]),
                branch_of(&[("ok", "x"), ("error", "y")], Some("z")),
            ),
            (
                json!([{"status": "ok", "to": "x"}, {"status": "e", "to": "y"}]),
                branch_of(&[("ok", "x"), ("e", "y")], None),
            ),
            (custom.clone(), RoutingDoc::Custom(custom)),
            (single_status.clone(), RoutingDoc::Custom(single_status)),
            (ending.clone(), RoutingDoc::Custom(ending)),
        ];
        for (written, expected) in table {
            assert_eq!(read(written.clone()), Ok(expected), "{written}");
        }
    }

    #[test]
    fn what_is_no_route_is_named() {
        let table = [
            (json!("x"), "\"x\" is not known"),
            (json!(3), "neither text nor a list"),
            (json!(["x"]), "route 1 is not a mapping"),
            (json!([{"to": "a"}, {}]), "route 2 leads nowhere"),
            (json!([{"to": 3}]), "`to` is not text"),
            (json!([{"to": "a", "next": "b"}]), "both `to` and `next`"),
            (json!([{"to": "a", "out": true}]), "ends the flow"),
            (json!([{"out": "yes"}]), "neither true nor false"),
            (json!({"next": {"id": "x"}}), "missing field"),
            (json!({"custom": 7}), "neither text nor a list"),
            (json!([{"goto": "a"}]), "unknown key \"goto\""),
        ];
        for (written, part) in table {
            let problem = read(written.clone()).unwrap_err();
            assert!(problem.contains(part), "{written}: {problem}");
        }
    }
}
