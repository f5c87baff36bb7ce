//! A node that traps.

use node_kit::{Failure, Operation, Operations, Value};

struct Trapping;

impl Operations for Trapping {
    const NAME: &'static str = "trapping";
    const ALL: &'static [Operation] =
        &[("trap", "Executes an unreachable instruction"), ("out-of-bounds", "Reads beyond its memory")];

    fn call(op: &str, _input: Value) -> Result<Value, Failure> {
        if op == "out-of-bounds" {
            // SAFETY: none; the point is that the sandbox stops it.
            let byte = unsafe { core::ptr::read_volatile(usize::MAX as *const u8) };
            return Ok(Value::from(byte));
        }
        core::arch::wasm32::unreachable()
    }
}

node_kit::export!(Trapping);
