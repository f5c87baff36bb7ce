//! A node whose answers, or whose errors, are as large as it is told.

use node_kit::{Failure, Operation, Operations, Value, json, number};

struct GiantResults;

impl Operations for GiantResults {
    const NAME: &'static str = "giant-results";
    const ALL: &'static [Operation] =
        &[("giant", "Answers `bytes` bytes of text"), ("giant-error", "Fails with a message of `bytes` bytes")];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let text = "x".repeat(number(&input, "bytes", 8 << 20) as usize);
        if op == "giant-error" {
            return Err(Failure::new("giant", text));
        }
        Ok(json!({ "text": text }))
    }
}

node_kit::export!(GiantResults);
