//! What the echo providers share: they differ in nothing but the name of the package that they export.
//!
//! - `echo` answers its input.
//! - `fail` answers `{"ok": false, "error": {"code", "message", "retryable"}}`, with the values of its input.
//! - `config` answers the `config` that it got with its input; `describe` asks for one with the text `greeting`.

use serde_json::{Value, json};

/// What the provider is.
pub fn describe() -> Vec<u8> {
    bytes(&json!({
        "provider_type": "fixture.echo",
        "capabilities": ["echo"],
        "ops": ["echo", "fail", "config"],
        "config_schema_ref": "schemas/echo.json",
        "config_schema": {
            "type": "object",
            "required": ["greeting"],
            "properties": { "greeting": { "type": "string" } },
        },
    }))
}

/// Accepts a configuration that holds the text `greeting`.
pub fn validate_config(config: &[u8]) -> Vec<u8> {
    let config: Value = match serde_json::from_slice(config) {
        Ok(config) => config,
        Err(error) => return bytes(&json!({ "ok": false, "error": format!("the configuration is no JSON: {error}") })),
    };
    match config.get("greeting").and_then(Value::as_str) {
        Some(_) => bytes(&json!({ "ok": true, "config": config })),
        None => bytes(&json!({ "ok": false, "error": "`greeting` is missing" })),
    }
}

/// Always well.
pub fn healthcheck() -> Vec<u8> {
    bytes(&json!({ "status": "ok" }))
}

/// Carries out `op`.
pub fn invoke(op: &str, input: &[u8]) -> Vec<u8> {
    let parsed: Value = match serde_json::from_slice(input) {
        Ok(parsed) => parsed,
        Err(error) => return failure("bad_input", &error.to_string(), false),
    };
    match op {
        "echo" => input.to_vec(),
        "config" => bytes(parsed.get("config").unwrap_or(&Value::Null)),
        "fail" => failure(
            parsed.get("code").and_then(Value::as_str).unwrap_or("failed"),
            parsed.get("message").and_then(Value::as_str).unwrap_or("it was asked to fail"),
            parsed.get("retryable").and_then(Value::as_bool).unwrap_or(false),
        ),
        other => failure("unknown_op", &format!("no operation `{other}`"), false),
    }
}

fn failure(code: &str, message: &str, retryable: bool) -> Vec<u8> {
    bytes(&json!({ "ok": false, "error": { "code": code, "message": message, "retryable": retryable } }))
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
