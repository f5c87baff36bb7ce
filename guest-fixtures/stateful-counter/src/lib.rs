//! A node that counts under the key `count` of the state store, which is kept per session.

wit_bindgen::generate!({
    path: ["../../wit/interfaces-types-0.1.0", "../../wit/state-1.0.0"],
    world: "greentic:state/store",
    generate_all,
});

use greentic::state::state_store;
use node_kit::{Failure, Operation, Operations, Value, json};

const KEY: &str = "count";

struct StatefulCounter;

impl Operations for StatefulCounter {
    const NAME: &'static str = "stateful-counter";
    const ALL: &'static [Operation] = &[
        ("bump", "Adds one and answers the count"),
        ("read", "Answers the count"),
        ("reset", "Forgets the count"),
        ("bump-then-fail", "Adds one, then fails"),
        ("bump-then-trap", "Adds one, then traps"),
    ];

    fn call(op: &str, _input: Value) -> Result<Value, Failure> {
        let count = match op {
            "read" => read()?,
            "reset" => {
                state_store::delete(KEY, None).map_err(failure)?;
                0
            }
            _ => bump()?,
        };
        match op {
            "bump-then-fail" => Err(Failure::new("refused", "it was asked to fail after counting")),
            "bump-then-trap" => core::arch::wasm32::unreachable(),
            _ => Ok(json!({ "count": count })),
        }
    }
}

fn bump() -> Result<u64, Failure> {
    let count = read()? + 1;
    state_store::write(KEY, count.to_string().as_bytes(), None).map_err(failure)?;
    // An invocation sees what it wrote itself.
    read()
}

fn read() -> Result<u64, Failure> {
    match state_store::read(KEY, None) {
        Ok(bytes) => String::from_utf8_lossy(&bytes)
            .parse()
            .map_err(|_| Failure::new("bad_state", "the stored count is no number")),
        Err(error) if error.code == "not_found" => Ok(0),
        Err(error) => Err(failure(error)),
    }
}

fn failure(error: state_store::HostError) -> Failure {
    Failure::new("state", format!("{}: {}", error.code, error.message))
}

node_kit::export!(StatefulCounter);
