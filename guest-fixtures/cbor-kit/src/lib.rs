//! JSON values in CBOR, for guests that pass bytes.

pub use serde_json::{Value, json};

/// The value in `cbor`; no bytes are null. What is no CBOR traps, as nothing else would tell the test of it.
pub fn decode(cbor: &[u8]) -> Value {
    if cbor.is_empty() { Value::Null } else { ciborium::from_reader(cbor).expect("the host passes CBOR") }
}

/// `value` as CBOR.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing JSON values into memory has no way to fail.
    let _ = ciborium::into_writer(value, &mut bytes);
    bytes
}

/// The value that JSON text stands for. What is no JSON traps.
pub fn from_json(json: &[u8]) -> Value {
    serde_json::from_slice(json).expect("the host passes JSON")
}
