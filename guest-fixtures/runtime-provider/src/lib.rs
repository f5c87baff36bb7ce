//! A node of `greentic:component@0.6.1` that is a provider too, as published providers are: as a component it answers
//! CBOR by `runtime`, as a provider JSON by `schema-core-api`.
//!
//! - `echo` answers which of the two was called, and its input.
//! - `fail` answers an error in its result, `quiet` no bytes at all.

use cbor_kit::{Value, decode, encode, json};

wit_bindgen::generate!({
    path: ["../../wit/component-0.6.1", "../../wit/provider-schema-core-1.0.0"],
    inline: "
        package fixture:runtime-provider;

        world guest {
            export greentic:component/descriptor@0.6.1;
            export greentic:component/runtime@0.6.1;
            export greentic:provider-schema-core/schema-core-api@1.0.0;
        }
    ",
    generate_all,
});

use exports::greentic::component::descriptor::Guest as Descriptor;
use exports::greentic::component::runtime::Guest as Runtime;
use exports::greentic::provider_schema_core::schema_core_api::{
    Guest as Provider, HealthStatus, InvokeResult, ValidationResult,
};

struct Component;

fn describe() -> Value {
    json!({ "provider_type": "fixture.runtime", "capabilities": [], "ops": ["echo", "fail", "quiet"] })
}

/// No value stands for no bytes.
fn call(by: &str, op: &str, input: Value) -> Option<Value> {
    match op {
        "echo" => Some(json!({ "by": by, "input": input })),
        "quiet" => None,
        _ => Some(json!({ "ok": false, "error": { "code": "refused", "message": op, "retryable": true } })),
    }
}

impl Descriptor for Component {
    fn describe() -> Vec<u8> {
        encode(&describe())
    }
}

impl Runtime for Component {
    fn invoke(op: String, input_cbor: Vec<u8>) -> Vec<u8> {
        call("runtime", &op, decode(&input_cbor)).map(|output| encode(&output)).unwrap_or_default()
    }
}

impl Provider for Component {
    fn describe() -> Vec<u8> {
        describe().to_string().into_bytes()
    }

    fn validate_config(_config_json: Vec<u8>) -> ValidationResult {
        b"{\"ok\":true}".to_vec()
    }

    fn healthcheck() -> HealthStatus {
        b"{\"status\":\"ok\"}".to_vec()
    }

    fn invoke(op: String, input_json: Vec<u8>) -> InvokeResult {
        let input = cbor_kit::from_json(&input_json);
        call("schema-core", &op, input).map(|output| output.to_string().into_bytes()).unwrap_or_default()
    }
}

export!(Component);
