//! Nodes that call a component: which one, which operation, and what of the node's mapping is the payload.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::error::Code;
use crate::flow::cards::Texts;
use crate::flow::compile::node::{BUILTINS, Compiler};
use crate::flow::compile::{ComponentInfo, builtin, card, tool};
use crate::flow::doc::NodeDoc;
use crate::flow::hint;
use crate::flow::model::{Action, ComponentCall};
use crate::flow::template::Root;
use crate::id::{self, Id};

/// The kind of node that names in its mapping what it calls.
pub(super) const EXEC: &str = "component.exec";

/// Keys that may name the operation, in this order.
const OP_KEYS: &[&str] = &["operation", "op", "operation_name"];

/// Keys that name a component.
const TARGET: &[&str] = &["component", "component_ref"];

/// Keys that say what is called; they are no part of a payload.
const CONTROL: &[&str] = &["component", "component_ref", "operation"];

/// A mapping with only these keys, `input` or `payload` among them, wraps the payload.
const WRAPPER: &[&str] =
    &["input", "payload", "config", "metadata", "component", "component_ref", "operation", "op", "operation_name"];

/// What a `component.exec` node stands for, and its payload: the builtin that its mapping names as component or as
/// operation, else the component. None if the node is of another kind.
pub(super) fn exec(written: &NodeDoc) -> Option<(&str, Cow<'_, Value>)> {
    if !is_exec(written) {
        return None;
    }
    let mapping = &written.input;
    // It has a component of its own to name, which is none of the pack's.
    if node_op(written) == Some(tool::EXEC) {
        return Some((tool::EXEC, Cow::Borrowed(mapping)));
    }
    let target = target(mapping).or(Some(written.component.as_str()).filter(|id| *id != EXEC));
    let is_builtin = |op: &str| op.starts_with("emit.") || target.is_none() && BUILTINS.contains(&op);
    let in_mapping = op_in_mapping(written, true).filter(|(_, op)| is_builtin(op));
    Some(match (node_op(written).filter(|op| is_builtin(op)), in_mapping, target) {
        (Some(builtin), _, _) => (builtin, Cow::Owned(without(mapping, TARGET))),
        (None, Some((key, builtin)), _) => (builtin, Cow::Owned(without(mapping, &[TARGET, &[key]].concat()))),
        (None, None, Some(emit)) if emit.starts_with("emit.") => (emit, Cow::Owned(without(mapping, CONTROL))),
        (None, None, Some(target)) => (target, Cow::Owned(without(mapping, TARGET))),
        (None, None, None) => (EXEC, Cow::Borrowed(mapping)),
    })
}

fn is_exec(written: &NodeDoc) -> bool {
    written.component == EXEC || written.operation.as_deref() == Some(EXEC)
}

/// The operation that stands beside the payload.
fn node_op(written: &NodeDoc) -> Option<&str> {
    written.operation.as_deref().filter(|op| *op != EXEC)
}

/// What a node calls.
struct Callee {
    id: Id,
    info: ComponentInfo,
    /// The operation, where the way in which the component is named says it.
    op: Option<String>,
}

/// Compiles the call of the component that `named` (or the node's mapping) means, or what the host does in the place of
/// a well-known component that the pack does not have.
pub(super) fn call(compiler: &mut Compiler<'_>, named: &str) -> Option<Action> {
    let written = compiler.written;
    let Some(callee) = callee(compiler, named) else {
        let named = target(&written.input).filter(|_| is_exec(written)).unwrap_or(named);
        if let Some(builtin) = builtin::of(named) {
            return builtin::compile(compiler, builtin, own_payload(&written.input));
        }
        unknown(compiler, named);
        compiler.payload(&written.input);
        return None;
    };
    if let Err(reason) = &callee.info.callable {
        let problem = format!("component {:?} cannot be called: {}", &*callee.id, reason.message());
        compiler.findings.wrong(reason.code(), &problem, reason.hint_text().unwrap_or("replace the component"));
    }
    let wrapped = wrapped(&written.input);
    let in_mapping = op_in_mapping(written, wrapped.is_some());
    let named_op = node_op(written).or(in_mapping.map(|(_, op)| op)).or(callee.op.as_deref());
    let ops = callee.info.ops.as_deref();
    let named_op = named_op.or_else(|| by_id(&callee.id, ops)).or_else(|| by_dialect(written, &callee.info));
    let named_op = named_op.or_else(|| compiler.catalog.only_op(&callee.id));
    let op = compiler.operation(named_op, callee.info.ops.as_deref(), callee.info.complete, &callee.id);
    let payload = match wrapped {
        Some(inner) => {
            if written.input.get("config").is_some_and(|config| !config.is_null()) {
                let problem = "`config` beside `input` does not reach the component";
                compiler.findings.odd(Code::NodeInvalid, problem, "move it into `input`");
            }
            inner.clone()
        }
        None => {
            let op_key = in_mapping.map(|(key, _)| key);
            let keys: Vec<&str> = CONTROL.iter().copied().chain(op_key).collect();
            without(&written.input, &keys)
        }
    };
    card::check(compiler, &payload);
    let texts = Texts::of(&payload, &compiler.doc.parameters);
    let input = compiler.payload(&payload);
    let err_map = compiler.map(&written.err_map, Root::FAILURE, false);
    Some(Action::Component(ComponentCall { component: callee.id, op: op?, input, texts, err_map }))
}

/// The operation with which a component's id ends, if it is one of several.
fn by_id<'n>(id: &'n str, ops: Option<&[String]>) -> Option<&'n str> {
    let (_, last) = id.rsplit_once('.')?;
    ops.filter(|ops| ops.len() > 1 && ops.iter().any(|op| op == last)).map(|_| last)
}

/// The operation that the node's dialect means, unless the component has just one or is known not to have that one.
fn by_dialect<'n>(written: &'n NodeDoc, info: &ComponentInfo) -> Option<&'n str> {
    let may_be = |op: &str, ops: &[String]| !info.complete || ops.iter().any(|known| known == op);
    let fits = |op: &&str| info.ops.as_deref().is_none_or(|ops| ops.len() != 1 && may_be(op, ops));
    written.default_operation.as_deref().filter(fits)
}

/// The payload proper, where it may stand among the words of a call.
fn own_payload(mapping: &Value) -> Value {
    wrapped(mapping).cloned().unwrap_or_else(|| without(mapping, CONTROL))
}

/// Finds the component: the exact id, then what the mapping names, then the id before the last dot, or with the operation
/// behind it.
fn callee(compiler: &Compiler<'_>, named: &str) -> Option<Callee> {
    let known = |id: &str, op: Option<&str>| {
        let info = compiler.catalog.component(id)?;
        Some(Callee { id: Id::from(id), info, op: op.map(str::to_owned) })
    };
    let written = compiler.written;
    let known = |id: &str, op: Option<&str>| {
        let by_reference =
            || compiler.catalog.published(id).and_then(|id| known(&id, op)).or_else(|| known(image_name(id)?, op));
        known(id, op).or_else(|| id.contains("://").then(by_reference).flatten())
    };
    let direct = known(named, None);
    if direct.is_some() {
        return direct;
    }
    let op = (named != EXEC).then_some(named);
    let in_mapping = target(&written.input).filter(|target| *target != named);
    if let Some(target) = in_mapping {
        let found = known(target, op);
        if found.is_some() {
            return found;
        }
    }
    // Some manifests name a component with its operation.
    let named_op = op.filter(|_| in_mapping.is_some()).or_else(|| node_op(written));
    let named_op = named_op.or_else(|| op_in_mapping(written, true).map(|(_, op)| op));
    let joined = named_op.map(|op| format!("{}.{op}", in_mapping.unwrap_or(named)));
    if let Some(found) = joined.and_then(|id| known(&id, named_op)) {
        return Some(found);
    }
    let (prefix, op) = named.rsplit_once('.')?;
    known(prefix, Some(op)).filter(|_| written.operation.is_none())
}

fn unknown(compiler: &mut Compiler<'_>, named: &str) {
    let named = target(&compiler.written.input).unwrap_or(named);
    if named == EXEC {
        let problem = "`component.exec` names no component";
        compiler.findings.wrong(Code::ComponentUnknown, problem, "add `component: id`");
        return;
    }
    if named.contains("{{") {
        let problem = format!("the component {:?} is a template", id::clip(named));
        compiler.findings.wrong(
            Code::ComponentUnknown,
            &problem,
            "name the component itself: calls are resolved at load",
        );
        return;
    }
    if named.contains("://") {
        let problem = format!("no component of the pack comes from {:?}", id::clip(named));
        let hint = "put the component into the pack: its sources say from where each component comes";
        compiler.findings.wrong(Code::ComponentUnknown, &problem, hint);
        return;
    }
    if named == "questions" {
        let hint = "ask with `emit.response`, wait with `session.wait`; or put a component `questions` into the pack";
        let problem = "the pack has no component \"questions\", and the host has none of its own";
        compiler.findings.wrong(Code::ComponentUnknown, problem, hint);
        return;
    }
    let ids = compiler.catalog.component_ids();
    let candidates = ids.iter().map(|id| &**id);
    let hint = match hint::nearest(named, candidates.clone().chain(BUILTINS.iter().copied())) {
        Some(near) => format!("did you mean {near:?}?"),
        None => hint::did_you_mean(named, "components", candidates),
    };
    let problem = format!("the pack has no component {:?}", id::clip(named));
    compiler.findings.wrong(Code::ComponentUnknown, &problem, &hint);
}

/// The component that a mapping names.
fn target(mapping: &Value) -> Option<&str> {
    text(mapping, TARGET)
}

/// The name in a reference such as `oci://host/path/name:tag`: what packing tools make the component's id.
fn image_name(reference: &str) -> Option<&str> {
    let (_, rest) = reference.split_once("://")?;
    let last = rest.rsplit('/').next()?;
    last.split(['@', ':']).next().filter(|name| !name.is_empty())
}

fn text<'v>(mapping: &'v Value, keys: &[&str]) -> Option<&'v str> {
    keys.iter().find_map(|key| mapping.get(key)?.as_str()).filter(|text| !text.is_empty())
}

/// The payload inside a mapping that does nothing but wrap it. Cards are never wrapped: `payload` is a field of theirs.
fn wrapped(mapping: &Value) -> Option<&Value> {
    let Value::Object(fields) = mapping else { return None };
    let only_wraps = fields.keys().all(|key| WRAPPER.contains(&key.as_str()));
    fields.get("input").or_else(|| fields.get("payload")).filter(|_| only_wraps)
}

/// The operation that the mapping names, and under which key, unless it stands beside the payload. A plain `op` may
/// be data of the component, so it counts only where the mapping is about the call.
fn op_in_mapping(written: &NodeDoc, wrapped: bool) -> Option<(&'static str, &str)> {
    let keys: &[&str] = if wrapped || is_exec(written) { OP_KEYS } else { &["operation", "operation_name"] };
    let named = keys.iter().find_map(|key| Some((*key, text(&written.input, &[key])?)));
    named.filter(|_| node_op(written).is_none())
}

/// The mapping without `keys`; all others stay, `config` too.
fn without(mapping: &Value, keys: &[&str]) -> Value {
    match mapping {
        Value::Object(fields) => {
            let kept: Map<String, Value> = fields
                .iter()
                .filter(|(key, _)| !keys.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            Value::Object(kept)
        }
        other => other.clone(),
    }
}
