//! A node that counts in the key-value store, which all sessions of a pack share.

wit_bindgen::generate!({ path: "../../wit/host-1.0.0", world: "runner-host" });

use greentic::host::kv_v1;
use node_kit::{Failure, Operation, Operations, Value, json, text};

struct KvCounter;

impl Operations for KvCounter {
    const NAME: &'static str = "kv-counter";
    const ALL: &'static [Operation] =
        &[("bump", "Adds one to the counter `name` and answers it"), ("read", "Answers the counter `name`")];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let name = text(&input, "name")?;
        let mut count: u64 = kv_v1::get("counters", name).and_then(|text| text.parse().ok()).unwrap_or(0);
        if op == "bump" {
            count += 1;
            kv_v1::put("counters", name, &count.to_string());
        }
        Ok(json!({ "count": count }))
    }
}

node_kit::export!(KvCounter);
