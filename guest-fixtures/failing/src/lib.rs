//! A node that fails in every way in which a node can say so. (Traps are another fixture's.)

use node_kit::{Failure, Operation, Operations, Value, json};

struct Failing;

impl Operations for Failing {
    const NAME: &'static str = "failing";
    const ALL: &'static [Operation] = &[
        ("refuse", "Fails for good"),
        ("busy", "Fails in a way that another attempt may mend"),
        ("wordless", "Fails without a message"),
        ("answer", "Answers with an error as its result"),
    ];

    fn call(op: &str, _input: Value) -> Result<Value, Failure> {
        match op {
            "busy" => Err(Failure::new("busy", "try again").retryable(1)),
            "wordless" => Err(Failure::new("", "")),
            "answer" => Ok(json!({ "ok": false, "error": { "code": "NO_STOCK", "message": "nothing is left" } })),
            _ => Err(Failure::new("refused", "it always refuses")),
        }
    }
}

node_kit::export!(Failing);
