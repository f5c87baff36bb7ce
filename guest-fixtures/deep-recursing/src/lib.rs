//! A node that recurses as deep as it is told, by default without end.

use node_kit::{Failure, Operation, Operations, Value, json, number};

struct DeepRecursing;

impl Operations for DeepRecursing {
    const NAME: &'static str = "deep-recursing";
    const ALL: &'static [Operation] = &[("recurse", "Recurses `depth` deep")];

    fn call(_op: &str, input: Value) -> Result<Value, Failure> {
        Ok(json!({ "depth": descend(number(&input, "depth", u64::MAX)) }))
    }
}

/// No tail call, and no stack in linear memory: what runs out is the host's stack for WebAssembly.
#[inline(never)]
fn descend(left: u64) -> u64 {
    if core::hint::black_box(left) == 0 { 0 } else { core::hint::black_box(descend(left - 1)) + 1 }
}

node_kit::export!(DeepRecursing);
