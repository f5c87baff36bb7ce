//! What a component asks of the host in its result: to go on in another flow, or to answer and end.
//!
//! A result with the key `greentic_control` is `{v: 1, action, …}`. `jump` names `flow`, perhaps `node`, and the
//! `payload` that is the flow's input there; `respond` has `text`, `card_cbor` and `needs_user` for the reply. Some
//! components write the jump's flow and node below `target`, and its payload as `params`. Other actions are for others.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::{Code, Error, Result};
use crate::flow::hint;
use crate::flow::model::{Flow, FlowState, NodeIx};
use crate::id;
use crate::run::program::Program;

/// How often one event may be led on by jumps, unless the component says otherwise.
const MAX_REDIRECTS: u32 = 3;

/// What a component asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Control {
    Jump(Jump),
    /// The reply with which the flow ends.
    Respond(Value),
}

/// A jump as the component wrote it.
#[derive(Debug, PartialEq)]
pub(super) struct Jump {
    flow: String,
    node: Option<String>,
    payload: Value,
    max_redirects: u32,
    reason: Option<String>,
}

/// Where a jump leads.
#[derive(Debug)]
pub(super) struct Landing {
    pub(super) flow: Arc<Flow>,
    pub(super) at: NodeIx,
    pub(super) input: Value,
    pub(super) reason: Option<String>,
}

impl Control {
    /// What a result asks for, if anything.
    pub(super) fn of(result: &Value) -> Result<Option<Self>> {
        let Some(control) = result.get("greentic_control") else { return Ok(None) };
        let Value::Object(fields) = control else {
            return Err(failed("jump_failed: greentic_control is not an object".to_owned()));
        };
        if fields.get("v").and_then(Value::as_u64) != Some(1) {
            return Err(failed("jump_failed: greentic_control is not of version 1".to_owned()));
        }
        match text(fields, "action") {
            Some("jump") => Jump::of(fields).map(|jump| Some(Self::Jump(jump))),
            Some("respond") => Ok(Some(Self::Respond(response(fields)))),
            other => {
                tracing::debug!(action = other, "a component asks for what this host does not do");
                Ok(None)
            }
        }
    }
}

impl Jump {
    fn of(fields: &Map<String, Value>) -> Result<Self> {
        let target = fields.get("target").and_then(Value::as_object);
        let named = |key: &str| text(fields, key).or_else(|| text(target?, key)).map(str::to_owned);
        let payload = fields.get("payload").or_else(|| fields.get("params"));
        let limit = fields.get("max_redirects").and_then(Value::as_u64);
        Ok(Self {
            flow: named("flow").ok_or_else(|| failed("missing_flow: the jump names no flow".to_owned()))?,
            node: named("node"),
            payload: payload.cloned().unwrap_or_default(),
            max_redirects: limit.map_or(MAX_REDIRECTS, |limit| u32::try_from(limit).unwrap_or(u32::MAX)),
            reason: text(fields, "reason").map(id::clip),
        })
    }

    /// Finds the place in the pack. `redirects` is how often the event was led on already.
    pub(super) fn land(self, program: &Program, redirects: u32) -> Result<Landing> {
        if redirects >= self.max_redirects {
            let message = format!("redirect_limit: the event was led on {redirects} times already");
            return Err(failed(message).hint("look for flows that jump to each other without end"));
        }
        let flow = match program.flows.flows.get(self.flow.as_str()) {
            Some(FlowState::Ready(flow)) => Arc::clone(flow),
            Some(FlowState::Disabled { reason, .. }) => {
                let error = Error::new(Code::FlowDisabled, format!("the flow {} is disabled", id::clip(&self.flow)));
                return Err(error.with_details(vec![reason.clone()]));
            }
            None => {
                let flows = program.flows.flows.keys().map(|id| &**id);
                let hint = hint::did_you_mean(&self.flow, "flows", flows);
                return Err(failed(format!("unknown_flow:{}", id::clip(&self.flow))).hint(hint));
            }
        };
        let at = match &self.node {
            None => flow.entry,
            Some(node) => flow.nodes.iter().position(|known| *known.id == **node).ok_or_else(|| {
                let nodes = flow.nodes.iter().map(|node| &*node.id);
                failed(format!("unknown_node:{}", id::clip(node))).hint(hint::did_you_mean(node, "nodes", nodes))
            })?,
        };
        Ok(Landing { flow, at, input: self.payload, reason: self.reason })
    }
}

/// The reply: those of its fields that the component gave.
fn response(fields: &Map<String, Value>) -> Value {
    let given = ["text", "card_cbor", "needs_user"].into_iter().filter_map(|key| {
        let value = fields.get(key).filter(|value| !value.is_null())?;
        Some((key.to_owned(), value.clone()))
    });
    Value::Object(given.collect())
}

fn text<'f>(fields: &'f Map<String, Value>, key: &str) -> Option<&'f str> {
    fields.get(key)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

fn failed(message: String) -> Error {
    Error::new(Code::JumpFailed, message).hint("a jump is `{v: 1, action: \"jump\", flow, node?, payload?}`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(control: Value) -> Result<Option<Control>> {
        Control::of(&json!({ "greentic_control": control, "text": "beside it" }))
    }

    #[test]
    fn both_forms_of_a_jump_are_read() {
        let jump = |flow: &str, node: Option<&str>, payload, max_redirects, reason: Option<&str>| {
            let (flow, node, reason) = (flow.to_owned(), node.map(str::to_owned), reason.map(str::to_owned));
            Some(Control::Jump(Jump { flow, node, payload, max_redirects, reason }))
        };
        let table = [
            (json!({ "v": 1, "action": "jump", "flow": " a " }), jump("a", None, Value::Null, 3, None)),
            (
                json!({ "v": 1, "action": "jump", "flow": "a", "node": "n", "payload": {"x": 1}, "max_redirects": 9, "reason": "r" }),
                jump("a", Some("n"), json!({"x": 1}), 9, Some("r")),
            ),
            (
                json!({ "v": 1, "action": "jump", "target": {"flow": "a", "node": null}, "params": [1], "max_redirects": u64::MAX }),
                jump("a", None, json!([1]), u32::MAX, None),
            ),
        ];
        for (control, expected) in table {
            assert_eq!(of(control.clone()).unwrap(), expected, "{control}");
        }
    }

    #[test]
    fn a_response_holds_what_was_given() {
        let respond = |control| match of(control).unwrap() {
            Some(Control::Respond(reply)) => reply,
            other => panic!("{other:?}"),
        };
        let whole =
            json!({ "v": 1, "action": "respond", "text": "t", "card_cbor": [1, 2], "needs_user": true, "x": 1 });
        assert_eq!(respond(whole), json!({ "text": "t", "card_cbor": [1, 2], "needs_user": true }));
        assert_eq!(respond(json!({ "v": 1, "action": "respond", "text": null })), json!({}));
    }

    #[test]
    fn other_results_are_results() {
        for result in [json!(null), json!("greentic_control"), json!({ "control": 1 }), json!([1])] {
            assert_eq!(Control::of(&result).unwrap(), None, "{result}");
        }
        for control in [json!({ "v": 1, "action": "dance" }), json!({ "v": 1 })] {
            assert_eq!(of(control.clone()).unwrap(), None, "{control}");
        }
    }

    #[test]
    fn a_control_that_cannot_be_read_is_a_failure() {
        for (control, part) in [
            (json!("jump"), "not an object"),
            (json!({ "action": "jump", "flow": "a" }), "version 1"),
            (json!({ "v": 2, "action": "jump", "flow": "a" }), "version 1"),
            (json!({ "v": 1, "action": "jump" }), "missing_flow"),
            (json!({ "v": 1, "action": "jump", "flow": " " }), "missing_flow"),
        ] {
            let error = of(control.clone()).unwrap_err();
            assert_eq!(error.code(), Code::JumpFailed);
            assert!(error.message().contains(part), "{control}: {error}");
        }
    }
}
