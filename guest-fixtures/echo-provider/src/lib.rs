//! The echo provider under `greentic:provider-schema-core`, the name that new providers use. `echo-kit` tells what it does.

wit_bindgen::generate!({ path: "../../wit/provider-schema-core-1.0.0", world: "schema-core" });

use exports::greentic::provider_schema_core::schema_core_api::{Guest, HealthStatus, InvokeResult, ValidationResult};

struct Provider;

impl Guest for Provider {
    fn describe() -> Vec<u8> {
        echo_kit::describe()
    }

    fn validate_config(config_json: Vec<u8>) -> ValidationResult {
        echo_kit::validate_config(&config_json)
    }

    fn healthcheck() -> HealthStatus {
        echo_kit::healthcheck()
    }

    fn invoke(op: String, input_json: Vec<u8>) -> InvokeResult {
        echo_kit::invoke(&op, &input_json)
    }
}

export!(Provider);
