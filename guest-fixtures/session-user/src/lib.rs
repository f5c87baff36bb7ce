//! A node that uses the state, session and telemetry of `greentic:host-import@0.6.0`.

wit_bindgen::generate!({
    path: ["../../wit/interfaces-types-0.1.0", "../../wit/types-core-0.4.0", "../../wit/host-import-0.6.0"],
    world: "greentic:host-import/host-imports",
    generate_all,
});

use greentic::host_import::{session, state, telemetry};
use greentic::interfaces_types::types::SessionCursor;
use greentic::types_core::types::IfaceError;
use node_kit::{Failure, Operation, Operations, Value, json, text};

struct SessionUser;

impl Operations for SessionUser {
    const NAME: &'static str = "session-user";
    const ALL: &'static [Operation] = &[
        ("get", "Answers the state under `key`"),
        ("set", "Stores the JSON text `value` under `key`"),
        ("update", "Notes that the session stands at `node` and answers its key"),
        ("emit", "Logs the JSON text `span`"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        match op {
            "get" => match state::get(text(&input, "key")?, None) {
                Ok(value) => Ok(json!({ "value": value })),
                Err(IfaceError::NotFound) => Ok(json!({ "value": null })),
                Err(error) => Err(failure(error)),
            },
            "set" => {
                state::set(text(&input, "key")?, text(&input, "value")?, None).map_err(failure)?;
                Ok(json!({ "stored": true }))
            }
            "update" => {
                let cursor = SessionCursor {
                    node_pointer: text(&input, "node")?.to_owned(),
                    wait_reason: None,
                    outbox_marker: None,
                };
                Ok(json!({ "session": session::update(&cursor, None).map_err(failure)? }))
            }
            _ => {
                telemetry::emit(text(&input, "span")?, None);
                Ok(json!({ "emitted": true }))
            }
        }
    }
}

fn failure(error: IfaceError) -> Failure {
    Failure::new("host", error.name())
}

node_kit::export!(SessionUser);
