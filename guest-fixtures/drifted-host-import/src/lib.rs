//! A node that uses `greentic:host-import@0.6.0` as it was published before contexts had a language.

wit_bindgen::generate!({
    path: [
        "../../wit/interfaces-types-0.1.0",
        "../../wit/variants/imports-types-core-0.4.0-without-i18n.wit",
        "../../wit/host-import-0.6.0",
    ],
    world: "greentic:host-import/host-imports",
    generate_all,
});

use greentic::host_import::{session, state, telemetry};
use greentic::interfaces_types::types::SessionCursor;
use greentic::types_core::types::{Cloud, DeploymentCtx, IfaceError, Platform, TenantCtx};
use node_kit::{Failure, Operation, Operations, Value, json, text};

struct DriftedHostImport;

impl Operations for DriftedHostImport {
    const NAME: &'static str = "drifted-host-import";
    const ALL: &'static [Operation] = &[
        ("get", "Answers the state under `key`"),
        ("set", "Stores the JSON text `value` under `key`"),
        ("update", "Notes that the session stands at `node`, waiting for `reason`, and answers its key"),
        ("emit", "Logs the JSON text `span`"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let ctx = context();
        match op {
            "get" => match state::get(text(&input, "key")?, Some(&ctx)) {
                Ok(value) => Ok(json!({ "value": value })),
                Err(IfaceError::NotFound) => Ok(json!({ "value": null })),
                Err(error) => Err(failure(error)),
            },
            "set" => {
                state::set(text(&input, "key")?, text(&input, "value")?, Some(&ctx)).map_err(failure)?;
                Ok(json!({ "stored": true }))
            }
            "update" => {
                let cursor = SessionCursor {
                    node_pointer: text(&input, "node")?.to_owned(),
                    wait_reason: Some(text(&input, "reason")?.to_owned()),
                    outbox_marker: None,
                };
                Ok(json!({ "session": session::update(&cursor, Some(&ctx)).map_err(failure)? }))
            }
            _ => {
                telemetry::emit(text(&input, "span")?, Some(&ctx));
                Ok(json!({ "emitted": true }))
            }
        }
    }
}

/// A context in the name of somebody else.
fn context() -> TenantCtx {
    let other = || "somebody-else".to_owned();
    TenantCtx {
        tenant: other(),
        team: None,
        user: Some(other()),
        deployment: DeploymentCtx {
            cloud: Cloud::Other,
            region: Some("here".to_owned()),
            platform: Platform::Baremetal,
            runtime: None,
        },
        trace_id: None,
        session_id: Some(other()),
        flow_id: None,
        node_id: None,
        provider_id: None,
    }
}

fn failure(error: IfaceError) -> Failure {
    Failure::new("host", error.name())
}

node_kit::export!(DriftedHostImport);
