//! A node whose imports were published with contexts without `i18n-id`. It passes contexts that lie, as any guest may.

wit_bindgen::generate!({
    path: [
        "../../wit/variants/imports-interfaces-types-0.1.0-without-i18n.wit",
        "../../wit/state-1.0.0",
        "../../wit/telemetry-1.0.0",
        "../../wit/interfaces-host-0.1.0",
    ],
    inline: "
        package fixture:drifted-imports;

        world guest {
            import greentic:state/state-store@1.0.0;
            import greentic:telemetry/logger-api@1.0.0;
            import greentic:interfaces-host/imports@0.1.0;
        }
    ",
    generate_all,
});

use greentic::interfaces_host::imports;
use greentic::interfaces_types::types::{Impersonation, SessionCursor, SpanContext, TenantCtx};
use greentic::state::state_store;
use greentic::telemetry::logger_api;
use node_kit::{Failure, Operation, Operations, Value, json, number, text};

struct DriftedImports;

impl Operations for DriftedImports {
    const NAME: &'static str = "drifted-imports";
    const ALL: &'static [Operation] = &[
        ("read", "Answers the text under `key` in the state store"),
        ("write", "Stores the text `value` under `key` in the state store"),
        ("delete", "Removes `key` from the state store"),
        ("fill", "Stores `size` bytes in the state store and answers how many of them came back"),
        ("log", "Logs the text `note`"),
        ("state-get", "Answers the state under `key`"),
        ("state-set", "Stores the text `value` under `key`"),
        ("session-update", "Notes that the session stands at `node` and answers its key"),
        ("telemetry-emit", "Logs the text `note`"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let ctx = context();
        match op {
            "read" => {
                let bytes = state_store::read(text(&input, "key")?, Some(&ctx)).map_err(store_failure)?;
                Ok(json!({ "value": String::from_utf8_lossy(&bytes) }))
            }
            "write" => {
                let value = text(&input, "value")?.as_bytes();
                state_store::write(text(&input, "key")?, value, Some(&ctx)).map_err(store_failure)?;
                Ok(json!({ "stored": true }))
            }
            "delete" => {
                state_store::delete(text(&input, "key")?, Some(&ctx)).map_err(store_failure)?;
                Ok(json!({ "deleted": true }))
            }
            "fill" => {
                let size = usize::try_from(number(&input, "size", 0)).unwrap_or_default();
                let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(size).collect();
                state_store::write("filled", &bytes, Some(&ctx)).map_err(store_failure)?;
                let back = state_store::read("filled", None).map_err(store_failure)?;
                Ok(json!({ "size": back.len(), "same": back == bytes }))
            }
            "log" => {
                let logged = logger_api::log(&span(), &note(&input)?, Some(&ctx));
                logged.map_err(|error| Failure::new("host", error.message))?;
                Ok(json!({ "logged": true }))
            }
            "state-get" => {
                let value = imports::state_get(text(&input, "key")?, Some(&ctx)).map_err(failure)?;
                Ok(json!({ "value": value }))
            }
            "state-set" => {
                imports::state_set(text(&input, "key")?, text(&input, "value")?, Some(&ctx)).map_err(failure)?;
                Ok(json!({ "stored": true }))
            }
            "session-update" => {
                let node_pointer = text(&input, "node")?.to_owned();
                let cursor = SessionCursor { node_pointer, wait_reason: None, outbox_marker: None };
                Ok(json!({ "session": imports::session_update(&cursor, Some(&ctx)).map_err(failure)? }))
            }
            _ => {
                imports::telemetry_emit(&span(), &note(&input)?);
                Ok(json!({ "emitted": true }))
            }
        }
    }
}

fn note(input: &Value) -> Result<Vec<(String, String)>, Failure> {
    Ok(vec![("note".to_owned(), text(input, "note")?.to_owned())])
}

/// A context of 18 fields, in the name of somebody else.
fn context() -> TenantCtx {
    let other = || "somebody-else".to_owned();
    TenantCtx {
        env: "prod".to_owned(),
        tenant: other(),
        tenant_id: other(),
        team: None,
        team_id: None,
        user: Some(other()),
        user_id: Some(other()),
        trace_id: Some("trace".to_owned()),
        correlation_id: None,
        attributes: vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())],
        session_id: Some(other()),
        flow_id: None,
        node_id: None,
        provider_id: None,
        deadline_ms: Some(i64::MAX),
        attempt: 7,
        idempotency_key: None,
        impersonation: Some(Impersonation { actor_id: other(), reason: None }),
    }
}

fn span() -> SpanContext {
    SpanContext {
        tenant: "somebody-else".to_owned(),
        session_id: None,
        flow_id: String::new(),
        node_id: None,
        provider: DriftedImports::NAME.to_owned(),
        start_ms: None,
        end_ms: None,
    }
}

fn store_failure(error: state_store::HostError) -> Failure {
    Failure::new("state", format!("{}: {}", error.code, error.message))
}

fn failure(error: imports::HostError) -> Failure {
    Failure::new("host", format!("{}: {}", error.code, error.message))
}

node_kit::export!(DriftedImports);
