#[allow(warnings)]
mod bindings;

use bindings::exports::greentic::component::node::{
    ExecCtx, Guest, InvokeResult, LifecycleStatus, NodeError, StreamEvent,
};

struct Component;

impl Guest for Component {
    fn get_manifest() -> String {
        r#"{"name": "shouter", "operations": [{"name": "shout"}]}"#.to_owned()
    }

    fn on_start(_ctx: ExecCtx) -> Result<LifecycleStatus, String> {
        Ok(LifecycleStatus::Ok)
    }

    fn on_stop(_ctx: ExecCtx, _reason: String) -> Result<LifecycleStatus, String> {
        Ok(LifecycleStatus::Ok)
    }

    fn invoke(ctx: ExecCtx, op: String, input: String) -> InvokeResult {
        match op.as_str() {
            // Input is JSON text, and stays JSON text in capitals: it holds letters, quotes and digits here.
            "shout" => InvokeResult::Ok(format!(
                r#"{{"said": {}, "for": "{}"}}"#,
                input.to_uppercase(),
                ctx.tenant.tenant
            )),
            other => InvokeResult::Err(NodeError {
                code: "unknown_op".to_owned(),
                message: format!("there is no operation {other}"),
                retryable: false,
                backoff_ms: None,
                details: None,
            }),
        }
    }

    fn invoke_stream(_ctx: ExecCtx, _op: String, _input: String) -> Vec<StreamEvent> {
        Vec::new()
    }
}

bindings::export!(Component with_types_in bindings);
