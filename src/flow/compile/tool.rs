//! Nodes that call a tool: `mcp.exec`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::error::Code;
use crate::flow::compile::component;
use crate::flow::compile::node::Compiler;
use crate::flow::doc::{FlowDoc, NodeDoc};
use crate::flow::model::ToolCall;
use crate::flow::template::Root;
use crate::id;

/// The kind of such nodes.
pub(super) const EXEC: &str = "mcp.exec";

/// Keys under which the server or component, its tool, and the arguments may stand.
const TOOL: &[&str] = &["component", "server"];
const ACTION: &[&str] = &["action", "tool", "operation"];
const ARGS: &[&str] = &["args", "arguments", "input"];

const HINT: &str = "write `mcp.exec: { component: SERVER, action: TOOL, args: {…} }`";

/// The servers and components that the nodes of `docs` name, so that they can be made ready before flows are compiled.
pub fn tools_named(docs: &[FlowDoc]) -> BTreeSet<String> {
    let nodes = docs.iter().flat_map(|doc| doc.nodes.values());
    nodes.filter_map(payload).filter_map(|payload| text(&payload, TOOL).map(str::to_owned)).collect()
}

fn payload(written: &NodeDoc) -> Option<std::borrow::Cow<'_, Value>> {
    match component::exec(written) {
        Some((EXEC, payload)) => Some(payload),
        Some(_) => None,
        None => (written.component == EXEC).then_some(std::borrow::Cow::Borrowed(&written.input)),
    }
}

/// Compiles an `mcp.exec` node.
pub(super) fn call(compiler: &mut Compiler<'_>, payload: &Value) -> Option<ToolCall> {
    if !crate::mcp::OFFERED {
        let hint = "build the host with `--features mcp`, or remove the node";
        compiler.findings.wrong(
            Code::ToolsMissing,
            "it calls a tool, and this host was built without the feature `mcp`",
            hint,
        );
        return None;
    }
    let Value::Object(fields) = payload else {
        compiler.findings.wrong(Code::NodeInvalid, "its payload is not a mapping", HINT);
        return None;
    };
    let known = |key: &str| [TOOL, ACTION, ARGS, &["err_map"]].concat().contains(&key);
    for key in fields.keys().filter(|key| !known(key)) {
        let problem = format!("`{}` means nothing to `mcp.exec`", id::clip(key));
        compiler.findings.odd(Code::NodeInvalid, &problem, "what the tool gets stands below `args`");
    }
    let field = |keys: &[&str]| keys.iter().find_map(|key| fields.get(*key)).filter(|value| !value.is_null());
    let tool = text(payload, TOOL);
    let named = compiler.written.operation.as_deref().filter(|op| *op != EXEC && *op != component::EXEC);
    let action = named.map(|op| Value::String(op.to_owned())).or_else(|| field(ACTION).cloned());
    let args = compiler.payload(field(ARGS).unwrap_or(&Value::Object(Map::new())));
    let own_err_map = fields.get("err_map").filter(|map| !map.is_null());
    let err_map = own_err_map.unwrap_or(&compiler.written.err_map);
    let err_map = compiler.map(err_map, Root::FAILURE, true);
    let Some(tool) = tool else {
        compiler.findings.wrong(Code::NodeInvalid, "it names no server and no component", HINT);
        return None;
    };
    let Some(action @ Value::String(_)) = action else {
        compiler.findings.wrong(Code::NodeInvalid, "it does not say which tool to call", HINT);
        return None;
    };
    if let Err(reason) = compiler.catalog.tool(tool) {
        let problem = format!("tool {:?} cannot be called: {}", id::clip(tool), reason.message());
        compiler.findings.wrong(reason.code(), &problem, reason.hint_text().unwrap_or("see `mcp` in the bindings"));
    }
    let action = compiler.payload(&action);
    Some(ToolCall { tool: tool.into(), action, args, err_map })
}

fn text<'v>(mapping: &'v Value, keys: &[&str]) -> Option<&'v str> {
    keys.iter().find_map(|key| mapping.get(*key)?.as_str()).filter(|text| !text.is_empty())
}
