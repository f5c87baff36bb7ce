//! A node whose operation never ends. `spinning-start` never even starts.

use node_kit::{Failure, Operation, Operations, Value};

struct Spinning;

impl Operations for Spinning {
    const NAME: &'static str = "spinning";
    const ALL: &'static [Operation] = &[("spin-call", "Loops forever")];

    fn call(_op: &str, _input: Value) -> Result<Value, Failure> {
        loop {
            core::hint::black_box(());
        }
    }
}

node_kit::export!(Spinning);
