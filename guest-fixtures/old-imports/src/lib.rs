//! A node that uses `greentic:interfaces-host/imports@0.1.0`.

wit_bindgen::generate!({
    path: ["../../wit/interfaces-types-0.1.0", "../../wit/interfaces-host-0.1.0"],
    inline: "
        package fixture:old-imports;

        world guest {
            import greentic:interfaces-host/imports@0.1.0;
        }
    ",
    generate_all,
});

use greentic::interfaces_host::imports::{self, HostError, SessionCursor, SpanContext};
use node_kit::{Failure, Operation, Operations, Value, json, text};

struct OldImports;

impl Operations for OldImports {
    const NAME: &'static str = "old-imports";
    const ALL: &'static [Operation] = &[
        ("state-get", "Answers the state under `key`"),
        ("state-set", "Stores the text `value` under `key`"),
        ("session-update", "Notes that the session stands at `node` and answers its key"),
        ("telemetry-emit", "Logs the text `note`"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        match op {
            "state-get" => {
                let value = imports::state_get(text(&input, "key")?, None).map_err(failure)?;
                Ok(json!({ "value": value }))
            }
            "state-set" => {
                imports::state_set(text(&input, "key")?, text(&input, "value")?, None).map_err(failure)?;
                Ok(json!({ "stored": true }))
            }
            "session-update" => {
                let cursor = SessionCursor {
                    node_pointer: text(&input, "node")?.to_owned(),
                    wait_reason: None,
                    outbox_marker: None,
                };
                Ok(json!({ "session": imports::session_update(&cursor, None).map_err(failure)? }))
            }
            _ => {
                let note = ("note".to_owned(), text(&input, "note")?.to_owned());
                imports::telemetry_emit(&span(), &[note]);
                Ok(json!({ "emitted": true }))
            }
        }
    }
}

fn span() -> SpanContext {
    SpanContext {
        tenant: String::new(),
        session_id: None,
        flow_id: String::new(),
        node_id: None,
        provider: "old-imports".to_owned(),
        start_ms: None,
        end_ms: None,
    }
}

fn failure(error: HostError) -> Failure {
    Failure::new("host", format!("{}: {}", error.code, error.message))
}

node_kit::export!(OldImports);
