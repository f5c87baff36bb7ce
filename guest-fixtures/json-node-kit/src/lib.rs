//! What the guests that export `greentic:component/node` of the 0.4 and 0.5 lines share. They differ in nothing but the
//! WIT that they are built from, so that what each of them answers shows what the host makes of its records.
//!
//! - `echo` answers the context, the operation and the input, all as they came.
//! - `fail` fails with the `code`, `message`, `retryable`, `backoff_ms` and `details` of its input.
//! - `quiet` answers the empty text, `plain` text that is no JSON, `report` an error in a result that is no failure.
//! - `trap` traps.
//!
//! The hook `on-start` fails for the tenant `closed`, and traps for the tenant `broken`; `on-stop` fails for the tenant
//! `sad`, with the reason that it got.

pub use serde;
pub use serde_json::{Value, json};

/// What a guest fails with.
pub struct Failure {
    /// A stable name.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// Whether another attempt may help.
    pub retryable: bool,
    /// How long to wait before it.
    pub backoff_ms: Option<u64>,
    /// JSON text with anything else.
    pub details: Option<String>,
}

/// What the component is, as JSON text.
pub fn manifest(version: &str) -> String {
    let operations = ["echo", "fail", "quiet", "plain", "report", "trap"].map(|name| json!({ "name": name }));
    json!({ "name": "fixture", "version": version, "operations": operations }).to_string()
}

/// Carries out an operation. `ctx` is the context as it came.
pub fn invoke(ctx: Value, op: &str, input: &str) -> Result<String, Failure> {
    let input: Value = serde_json::from_str(input).map_err(|error| failure("bad_input", &error.to_string()))?;
    match op {
        "echo" => Ok(json!({ "ctx": ctx, "op": op, "input": input }).to_string()),
        "quiet" => Ok(String::new()),
        "plain" => Ok("plain text".to_owned()),
        "report" => Ok(json!({ "ok": false, "error": { "code": "reported", "message": "in a result" } }).to_string()),
        "fail" => Err(failure_of(&input)),
        "trap" => core::arch::wasm32::unreachable(),
        other => Err(failure("unknown_op", other)),
    }
}

/// The value that JSON text stands for; null for what is no JSON.
pub fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

/// What the hook `on-stop` says: it fails for the tenant `sad`, with the reason.
pub fn on_stop(ctx: &Value, reason: String) -> Result<(), String> {
    if ctx["tenant"]["tenant"] == "sad" { Err(format!("stopped because {reason}")) } else { Ok(()) }
}

/// Whether the component can start for the tenant of `ctx`.
pub fn on_start(ctx: &Value) -> Result<(), String> {
    match ctx["tenant"]["tenant"].as_str() {
        Some("closed") => Err("the tenant is closed".to_owned()),
        Some("broken") => core::arch::wasm32::unreachable(),
        _ => Ok(()),
    }
}

fn failure(code: &str, message: &str) -> Failure {
    Failure { code: code.to_owned(), message: message.to_owned(), retryable: false, backoff_ms: None, details: None }
}

fn failure_of(input: &Value) -> Failure {
    let text = |key: &str| input[key].as_str().unwrap_or("none");
    Failure {
        retryable: input["retryable"].as_bool().unwrap_or(false),
        backoff_ms: input["backoff_ms"].as_u64(),
        details: input.get("details").map(Value::to_string),
        ..failure(text("code"), text("message"))
    }
}

/// Makes a component of the `node` export that `wit_bindgen` generated where this stands.
#[macro_export]
macro_rules! export_node {
    ($version:literal) => {
        use exports::greentic::component::node::{
            ExecCtx, Guest, InvokeResult, LifecycleStatus, NodeError, StreamEvent,
        };

        struct Component;

        fn value(ctx: &ExecCtx) -> $crate::Value {
            $crate::json!(ctx)
        }

        impl Guest for Component {
            fn get_manifest() -> String {
                $crate::manifest($version)
            }

            fn on_start(ctx: ExecCtx) -> Result<LifecycleStatus, String> {
                $crate::on_start(&value(&ctx)).map(|()| LifecycleStatus::Ok)
            }

            fn on_stop(ctx: ExecCtx, reason: String) -> Result<LifecycleStatus, String> {
                $crate::on_stop(&value(&ctx), reason).map(|()| LifecycleStatus::Ok)
            }

            fn invoke(ctx: ExecCtx, op: String, input: String) -> InvokeResult {
                match $crate::invoke(value(&ctx), &op, &input) {
                    Ok(output) => InvokeResult::Ok(output),
                    Err(failure) => InvokeResult::Err(NodeError {
                        code: failure.code,
                        message: failure.message,
                        retryable: failure.retryable,
                        backoff_ms: failure.backoff_ms,
                        details: failure.details,
                    }),
                }
            }

            fn invoke_stream(_ctx: ExecCtx, _op: String, _input: String) -> Vec<StreamEvent> {
                vec![StreamEvent::Done]
            }
        }

        export!(Component);
    };
}
