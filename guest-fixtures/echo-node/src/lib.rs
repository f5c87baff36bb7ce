//! A node that answers its input, or fails.

use node_kit::{Attempt, Failure, Operation, Operations, Value, json, number};

struct EchoNode;

impl Operations for EchoNode {
    const NAME: &'static str = "echo-node";
    const ALL: &'static [Operation] = &[
        ("echo", "Answers its input"),
        ("fail", "Fails for good"),
        ("fail-retryable", "Fails in a way that another attempt may mend"),
        ("fail-with-key", "Fails so, with the idempotency key as its message"),
        ("fail-until", "Fails so until the attempt `attempt`, and then answers which one it was"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        match op {
            "fail" => Err(Failure::new("refused", "it was asked to fail")),
            "fail-retryable" => Err(Failure::new("busy", "it was asked to fail this once").retryable(1)),
            _ => Ok(input),
        }
    }

    fn attempt(op: &str, input: Value, attempt: &Attempt) -> Result<Value, Failure> {
        match op {
            "fail-with-key" => {
                let key = attempt.idempotency_key.as_deref().unwrap_or("none");
                Err(Failure::new("busy", key).retryable(1))
            }
            "fail-until" if u64::from(attempt.number) < number(&input, "attempt", 1) => {
                Self::call("fail-retryable", input)
            }
            "fail-until" => Ok(json!({ "attempt": attempt.number })),
            _ => Self::call(op, input),
        }
    }
}

node_kit::export!(EchoNode);
