//! A node that was built against later patch versions than the host's, with shapes that the host has never seen.

wit_bindgen::generate!({
    path: ["../../wit/variants/imports-state-1.0.3.wit", "../../wit/variants/imports-host-import-0.6.2.wit"],
    inline: "
        package fixture:later-imports;

        world guest {
            import greentic:state/state-store@1.0.3;
            import greentic:host-import/state@0.6.2;
            import greentic:host-import/session@0.6.2;
        }
    ",
    generate_all,
});

use greentic::host_import::{session, state};
use greentic::state::state_store;
use node_kit::{Failure, Operation, Operations, Value, json, number, text};

struct LaterImports;

impl Operations for LaterImports {
    const NAME: &'static str = "later-imports";
    const ALL: &'static [Operation] = &[
        ("read", "Answers the text under `key` in the state store"),
        ("write", "Stores the text `value` under `key` in the state store"),
        ("delete", "Removes `key` from the state store"),
        ("fill", "Stores `size` bytes in the state store and answers how many of them came back"),
        ("get", "Answers the state under `key`"),
        ("update", "Notes that the session stands at `node`, waiting for `reason`, and answers its key"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let ctx = state_store::TenantCtx {
            region: "somewhere-else".to_owned(),
            tenant: "somebody-else".to_owned(),
            priority: u8::MAX,
        };
        match op {
            "read" => {
                let bytes = state_store::read(text(&input, "key")?, Some(&ctx)).map_err(store_failure)?;
                Ok(json!({ "value": String::from_utf8_lossy(&bytes) }))
            }
            "write" => {
                let value = text(&input, "value")?.as_bytes();
                let ack = state_store::write(text(&input, "key")?, value, Some(&ctx)).map_err(store_failure)?;
                Ok(json!({ "stored": ack == state_store::OpAck::Ok }))
            }
            "delete" => {
                state_store::delete(text(&input, "key")?).map_err(store_failure)?;
                Ok(json!({ "deleted": true }))
            }
            "fill" => {
                let size = usize::try_from(number(&input, "size", 0)).unwrap_or_default();
                let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(size).collect();
                state_store::write("filled", &bytes, Some(&ctx)).map_err(store_failure)?;
                let back = state_store::read("filled", None).map_err(store_failure)?;
                Ok(json!({ "size": back.len(), "same": back == bytes }))
            }
            "get" => {
                let ctx = state::TenantCtx { user: None, tenant: "somebody-else".to_owned() };
                let value = state::get(text(&input, "key")?, Some(&ctx));
                Ok(json!({ "value": value.map_err(|failure| Failure::new("state", failure.name()))? }))
            }
            _ => {
                let cursor = session::Cursor {
                    wait_reason: text(&input, "reason")?.to_owned(),
                    node_pointer: text(&input, "node")?.to_owned(),
                    certainty: 0.5,
                };
                let session = session::update(&cursor).map_err(|failure| Failure::new("session", failure))?;
                Ok(json!({ "session": session }))
            }
        }
    }
}

fn store_failure(error: state_store::HostError) -> Failure {
    let retry = error.retry_after_ms.map_or("never", |_| "later");
    Failure::new("state", format!("{}: {} ({retry})", error.code, error.message))
}

node_kit::export!(LaterImports);
