//! A node that allocates until it is stopped, or as much as it is told.

use node_kit::{Failure, Operation, Operations, Value, json, number};

const CHUNK: usize = 1 << 20;

struct MemoryEating;

impl Operations for MemoryEating {
    const NAME: &'static str = "memory-eating";
    const ALL: &'static [Operation] =
        &[("eat", "Allocates without end"), ("take", "Allocates `mib` MiB, then answers how many")];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let wanted = if op == "take" { number(&input, "mib", 1) } else { u64::MAX };
        let mut chunks = Vec::new();
        while (chunks.len() as u64) < wanted {
            chunks.push(core::hint::black_box(vec![1_u8; CHUNK]));
        }
        Ok(json!({ "mib": chunks.len() }))
    }
}

node_kit::export!(MemoryEating);
