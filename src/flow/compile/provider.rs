//! Nodes that call a provider: `provider.invoke`.

use serde_json::Value;

use crate::error::Code;
use crate::flow::compile::component::EXEC;
use crate::flow::compile::node::Compiler;
use crate::flow::hint;
use crate::flow::model::ProviderCall;
use crate::flow::template::Root;
use crate::id::{self, Id};

const KEYS: &[&str] = &["provider_id", "provider_type", "op", "operation", "input", "in_map", "out_map", "err_map"];

/// Compiles a `provider.invoke` node.
pub(super) fn call(compiler: &mut Compiler<'_>, payload: &Value) -> Option<ProviderCall> {
    let Value::Object(fields) = payload else {
        let hint = "write `provider.invoke: { provider_type: …, op: …, input: … }`";
        compiler.findings.wrong(Code::NodeInvalid, "its payload is not a mapping", hint);
        return None;
    };
    for key in fields.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        let problem = format!("`{}` means nothing to `provider.invoke`", id::clip(key));
        compiler.findings.odd(Code::NodeInvalid, &problem, "what the provider gets stands below `input`");
    }
    let text = |key: &str| fields.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let field = |key: &str| fields.get(key).unwrap_or(&Value::Null);
    let provider = provider(compiler, text("provider_id"), text("provider_type"));
    let input = compiler.payload(field("input"));
    let in_map = compiler.map(field("in_map"), Root::CALL, true);
    let out_map = compiler.map(field("out_map"), Root::CALL, true);
    let own_err_map = field("err_map");
    let err_map = if own_err_map.is_null() { &compiler.written.err_map } else { own_err_map };
    let err_map = compiler.map(err_map, Root::FAILURE, true);
    let provider = provider?;
    let node_op = compiler.written.operation.as_deref().filter(|op| *op != "provider.invoke" && *op != EXEC);
    let named = node_op.or_else(|| text("op")).or_else(|| text("operation"));
    let info = compiler.catalog.provider(&provider);
    if let Some(Err(reason)) = info.as_ref().map(|info| &info.callable) {
        let problem = format!("provider {:?} cannot be called: {}", &*provider, reason.message());
        compiler.findings.wrong(reason.code(), &problem, reason.hint_text().unwrap_or("replace its component"));
    }
    let ops = info.and_then(|info| info.ops);
    let op = compiler.operation(named, ops.as_deref(), compiler.catalog.is_complete(), &provider)?;
    Some(ProviderCall { provider, op, input, in_map, out_map, err_map })
}

/// Finds the provider by its id, else by its type.
fn provider(compiler: &mut Compiler<'_>, by_id: Option<&str>, by_type: Option<&str>) -> Option<Id> {
    match (by_id, by_type) {
        (Some(id), _) if compiler.catalog.provider(id).is_some() => Some(Id::from(id)),
        (Some(id), _) => {
            unknown(compiler, &format!("the pack declares no provider {:?}", id::clip(id)), id);
            None
        }
        (None, Some(of_type)) => match compiler.catalog.providers_of_type(of_type).as_slice() {
            [only] => Some(only.clone()),
            [] => {
                unknown(compiler, &format!("the pack declares no provider of type {:?}", id::clip(of_type)), of_type);
                None
            }
            several => {
                let problem = format!("several providers have the type {:?}", id::clip(of_type));
                let hint = format!("add `provider_id:` with one of: {}", several.join(", "));
                compiler.findings.wrong(Code::ProviderAmbiguous, &problem, &hint);
                None
            }
        },
        (None, None) => {
            let hint = "add `provider_id:` or `provider_type:`";
            compiler.findings.wrong(Code::ProviderUnknown, "it names no provider", hint);
            None
        }
    }
}

fn unknown(compiler: &mut Compiler<'_>, problem: &str, named: &str) {
    let ids = compiler.catalog.provider_ids();
    let hint = hint::did_you_mean(named, "providers", ids.iter().map(|id| &**id));
    compiler.findings.wrong(Code::ProviderUnknown, problem, &hint);
}
