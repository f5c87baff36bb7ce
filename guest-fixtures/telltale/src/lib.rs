//! A node of `greentic:component@0.5.0`, and a provider, that reads the secret `CRM_KEY` and quotes it, as it should not,
//! where it is asked how it is: as it is started, as it is stopped, and by its healthcheck.

wit_bindgen::generate!({
    path: [
        "../../wit/variants/component-0.5.0-a",
        "../../wit/provider-schema-core-1.0.0",
        "../../wit/secrets-store-1.1.0",
    ],
    inline: "
        package fixture:telltale;

        world guest {
            import greentic:secrets-store/secrets-store@1.1.0;
            export greentic:component/node@0.5.0;
            export greentic:provider-schema-core/schema-core-api@1.0.0;
        }
    ",
    generate_all,
});

use exports::greentic::component::node::{self, ExecCtx, InvokeResult, LifecycleStatus, StreamEvent};
use exports::greentic::provider_schema_core::schema_core_api::{self, HealthStatus, ValidationResult};
use greentic::secrets_store::secrets_store;
use serde_json::json;

struct Telltale;

/// What it says: the secret at once, and where a message is cut.
fn tale() -> String {
    let key = secrets_store::get("CRM_KEY").ok().flatten().unwrap_or_default();
    let key = String::from_utf8_lossy(&key);
    let said = format!("{key} is old");
    format!("{said} {} {key}", "x".repeat(72_usize.saturating_sub(said.len())))
}

impl node::Guest for Telltale {
    fn get_manifest() -> String {
        json!({ "name": "telltale", "operations": [] }).to_string()
    }

    fn on_start(_ctx: ExecCtx) -> Result<LifecycleStatus, String> {
        Err(tale())
    }

    fn on_stop(_ctx: ExecCtx, _reason: String) -> Result<LifecycleStatus, String> {
        Err(tale())
    }

    fn invoke(_ctx: ExecCtx, _op: String, input: String) -> InvokeResult {
        InvokeResult::Ok(input)
    }

    fn invoke_stream(_ctx: ExecCtx, _op: String, _input: String) -> Vec<StreamEvent> {
        vec![StreamEvent::Done]
    }
}

impl schema_core_api::Guest for Telltale {
    fn describe() -> Vec<u8> {
        json!({ "provider_type": "fixture.telltale", "capabilities": ["echo"], "ops": ["echo"] })
            .to_string()
            .into_bytes()
    }

    fn validate_config(config_json: Vec<u8>) -> ValidationResult {
        echo_kit::validate_config(&config_json)
    }

    fn healthcheck() -> HealthStatus {
        json!({ "status": "degraded", "message": tale() }).to_string().into_bytes()
    }

    fn invoke(op: String, input_json: Vec<u8>) -> schema_core_api::InvokeResult {
        echo_kit::invoke(&op, &input_json)
    }
}

export!(Telltale);
