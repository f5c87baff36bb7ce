//! A node that calls the host too often, or with too much.

wit_bindgen::generate!({
    path: ["../../wit/interfaces-types-0.1.0", "../../wit/state-1.0.0"],
    world: "greentic:state/store",
    generate_all,
});

use greentic::interfaces_types::types::TenantCtx;
use greentic::state::state_store;
use node_kit::{Failure, Operation, Operations, Value, json, number};

struct Chatty;

impl Operations for Chatty {
    const NAME: &'static str = "chatty";
    const ALL: &'static [Operation] = &[
        ("many", "Writes `calls` small values"),
        ("big", "Writes one value of `bytes` bytes"),
        ("long-key", "Writes under a key of `bytes` bytes"),
        ("wide", "Reads with a context of `entries` attributes"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let bytes = number(&input, "bytes", 64 << 20) as usize;
        match op {
            "big" => write("big", &vec![0; bytes])?,
            "long-key" => write(&"k".repeat(bytes), b"1")?,
            "wide" => wide(number(&input, "entries", 1 << 20))?,
            _ => {
                for n in 0..number(&input, "calls", 1 << 20) {
                    write(&format!("key-{n}"), b"1")?;
                }
            }
        }
        Ok(json!({ "done": op }))
    }
}

fn write(key: &str, bytes: &[u8]) -> Result<(), Failure> {
    state_store::write(key, bytes, None).map(drop).map_err(failure)
}

/// Many small strings cost the host far more than their bytes.
fn wide(entries: u64) -> Result<(), Failure> {
    let attributes = (0..entries).map(|_| (String::new(), String::new())).collect();
    let ctx = TenantCtx {
        env: String::new(),
        tenant: String::new(),
        tenant_id: String::new(),
        team: None,
        team_id: None,
        user: None,
        user_id: None,
        trace_id: None,
        i18n_id: None,
        correlation_id: None,
        attributes,
        session_id: None,
        flow_id: None,
        node_id: None,
        provider_id: None,
        deadline_ms: None,
        attempt: 1,
        idempotency_key: None,
        impersonation: None,
    };
    state_store::read("wide", Some(&ctx)).map(drop).map_err(failure)
}

fn failure(error: state_store::HostError) -> Failure {
    Failure::new("state", format!("{}: {}", error.code, error.message))
}

node_kit::export!(Chatty);
