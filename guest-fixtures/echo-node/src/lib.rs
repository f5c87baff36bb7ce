//! A node that answers its input, or fails.

use node_kit::{Failure, Operation, Operations, Value};

struct EchoNode;

impl Operations for EchoNode {
    const NAME: &'static str = "echo-node";
    const ALL: &'static [Operation] = &[
        ("echo", "Answers its input"),
        ("fail", "Fails for good"),
        ("fail-retryable", "Fails in a way that another attempt may mend"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        match op {
            "fail" => Err(Failure::new("refused", "it was asked to fail")),
            "fail-retryable" => Err(Failure::new("busy", "it was asked to fail for now").retryable(1)),
            _ => Ok(input),
        }
    }
}

node_kit::export!(EchoNode);
