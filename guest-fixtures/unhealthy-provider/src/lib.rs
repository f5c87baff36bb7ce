//! A provider that says that it is not well, and works all the same: it answers its input. It asks for no configuration.

wit_bindgen::generate!({ path: "../../wit/provider-schema-core-1.0.0", world: "schema-core" });

use exports::greentic::provider_schema_core::schema_core_api::{Guest, HealthStatus, InvokeResult, ValidationResult};
use serde_json::json;

struct Provider;

impl Guest for Provider {
    fn describe() -> Vec<u8> {
        let description = json!({ "provider_type": "fixture.unhealthy", "capabilities": ["echo"], "ops": ["echo"] });
        description.to_string().into_bytes()
    }

    fn validate_config(config_json: Vec<u8>) -> ValidationResult {
        echo_kit::validate_config(&config_json)
    }

    fn healthcheck() -> HealthStatus {
        json!({ "status": "degraded", "message": "its backend is away" }).to_string().into_bytes()
    }

    fn invoke(op: String, input_json: Vec<u8>) -> InvokeResult {
        echo_kit::invoke(&op, &input_json)
    }
}

export!(Provider);
