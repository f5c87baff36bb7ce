//! Greets, and counts the messages of a conversation.

wit_bindgen::generate!({ path: "wit", world: "component", generate_all });

use exports::greentic::provider_schema_core::schema_core_api::{Guest, HealthStatus, InvokeResult, ValidationResult};
use greentic::state::state_store;
use serde_json::{Value, json};

struct Component;

impl Guest for Component {
    /// What the component is. Flows may call the operations in `ops`.
    fn describe() -> Vec<u8> {
        bytes(json!({ "provider_type": "my-component", "capabilities": [], "ops": ["greet", "count"] }))
    }

    /// Whether a configuration will do. This component needs none.
    fn validate_config(_config: Vec<u8>) -> ValidationResult {
        bytes(json!({ "ok": true }))
    }

    /// Whether the component could work now.
    fn healthcheck() -> HealthStatus {
        bytes(json!({ "status": "ok" }))
    }

    /// Carries out one operation.
    fn invoke(op: String, input: Vec<u8>) -> InvokeResult {
        let input = serde_json::from_slice(&input).unwrap_or(Value::Null);
        let answer = match op.as_str() {
            "greet" => greet(&input),
            "count" => count(),
            _ => Err(Failure { code: "unknown_op", message: "the operations are greet and count".to_owned() }),
        };
        bytes(answer.unwrap_or_else(|failure| {
            json!({ "ok": false, "error": { "code": failure.code, "message": failure.message } })
        }))
    }
}

/// Why an operation failed. A flow sees it as `error`.
struct Failure {
    code: &'static str,
    message: String,
}

fn greet(input: &Value) -> Result<Value, Failure> {
    match input.get("text").and_then(Value::as_str) {
        Some(name) if !name.is_empty() => Ok(json!({ "text": format!("Hello, {name}!") })),
        _ => Err(Failure { code: "bad_input", message: "tell me your name".to_owned() }),
    }
}

/// How often it was called in this conversation. What is written is kept only if the call ends well.
fn count() -> Result<Value, Failure> {
    let failed = |error: state_store::HostError| Failure { code: "state", message: error.message };
    let before = match state_store::read("count", None) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).parse().unwrap_or(0),
        Err(error) if error.code == "not_found" => 0,
        Err(error) => return Err(failed(error)),
    };
    let now: u64 = before + 1;
    state_store::write("count", now.to_string().as_bytes(), None).map_err(failed)?;
    Ok(json!({ "count": now }))
}

fn bytes(value: Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

export!(Component);
