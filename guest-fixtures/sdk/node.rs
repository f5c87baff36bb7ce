//! The node that every version of the SDK makes: the versions differ in what a call's context is.
//!
//! - `echo` answers its input.
//! - `context` answers the context of the call, field by field.
//! - `count` adds one to `count` in the state store, naming a tenant that is not its own, and answers the count.
//! - `fail` fails in a way that another attempt may mend.

use greentic_interfaces_guest::component::node::{
    ExecCtx, Guest, InvokeResult, LifecycleStatus, NodeError, StreamEvent,
};
use greentic_interfaces_guest::stream_from_invoke_result;
use serde_json::json;

pub(crate) struct Node;

impl Guest for Node {
    fn get_manifest() -> String {
        json!({ "name": env!("CARGO_PKG_NAME"), "operations": ["echo", "context", "count", "fail"] }).to_string()
    }

    fn on_start(_ctx: ExecCtx) -> Result<LifecycleStatus, String> {
        Ok(LifecycleStatus::Ok)
    }

    fn on_stop(_ctx: ExecCtx, _reason: String) -> Result<LifecycleStatus, String> {
        Ok(LifecycleStatus::Ok)
    }

    fn invoke(ctx: ExecCtx, op: String, input: String) -> InvokeResult {
        match op.as_str() {
            "echo" => InvokeResult::Ok(input),
            "context" => InvokeResult::Ok(crate::context(&ctx).to_string()),
            "count" => match crate::counter::count(Some(&crate::stranger())) {
                Ok(count) => InvokeResult::Ok(json!({ "count": count }).to_string()),
                Err(message) => failed(message),
            },
            "fail" => InvokeResult::Err(NodeError {
                code: "busy".to_owned(),
                message: "it was asked to fail this once".to_owned(),
                retryable: true,
                backoff_ms: Some(1),
                details: Some(input),
            }),
            other => failed(format!("no operation `{other}`")),
        }
    }

    fn invoke_stream(ctx: ExecCtx, op: String, input: String) -> Vec<StreamEvent> {
        stream_from_invoke_result(Self::invoke(ctx, op, input))
    }
}

fn failed(message: String) -> InvokeResult {
    InvokeResult::Err(NodeError {
        code: "failed".to_owned(),
        message,
        retryable: false,
        backoff_ms: None,
        details: None,
    })
}
