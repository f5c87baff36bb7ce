//! A provider that answers its input, or fails. The SDK has bindings for providers and no macro that exports them.

use greentic_interfaces_guest::provider_core::{self, Guest};
use serde_json::{Value, json};

struct Provider;

impl Guest for Provider {
    fn describe() -> Vec<u8> {
        bytes(&json!({ "provider_type": "sdk.echo", "capabilities": ["echo"], "ops": ["echo", "fail"] }))
    }

    fn validate_config(_config: Vec<u8>) -> Vec<u8> {
        bytes(&json!({ "ok": true }))
    }

    fn healthcheck() -> Vec<u8> {
        bytes(&json!({ "status": "ok" }))
    }

    fn invoke(op: String, input: Vec<u8>) -> Vec<u8> {
        match op.as_str() {
            "echo" => input,
            _ => bytes(&json!({ "ok": false, "error": { "code": "refused", "message": "it was asked to fail" } })),
        }
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

#[unsafe(export_name = "greentic:provider-schema-core/schema-core-api@1.0.0#describe")]
unsafe extern "C" fn export_describe() -> *mut u8 {
    unsafe { provider_core::_export_describe_cabi::<Provider>() }
}

#[unsafe(export_name = "greentic:provider-schema-core/schema-core-api@1.0.0#validate-config")]
unsafe extern "C" fn export_validate_config(config: *mut u8, len: usize) -> *mut u8 {
    unsafe { provider_core::_export_validate_config_cabi::<Provider>(config, len) }
}

#[unsafe(export_name = "greentic:provider-schema-core/schema-core-api@1.0.0#healthcheck")]
unsafe extern "C" fn export_healthcheck() -> *mut u8 {
    unsafe { provider_core::_export_healthcheck_cabi::<Provider>() }
}

#[unsafe(export_name = "greentic:provider-schema-core/schema-core-api@1.0.0#invoke")]
unsafe extern "C" fn export_invoke(op: *mut u8, op_len: usize, input: *mut u8, input_len: usize) -> *mut u8 {
    unsafe { provider_core::_export_invoke_cabi::<Provider>(op, op_len, input, input_len) }
}
