//! What the guests that export `greentic:component/node@0.6.0` share: the generated export, CBOR in and out, and a
//! descriptor made from the list of operations.
//!
//! A guest implements [`Operations`] and ends with `node_kit::export!(ItsType);`.

use std::marker::PhantomData;

pub use serde_json::{Value, json};

use bindings::exports::greentic::component::node::{
    ComponentDescriptor, Guest, InvocationEnvelope, InvocationResult, IoSchema, NodeError, Op, SchemaSource,
};

#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit/types-core-0.6.0", "../../wit/component-0.6.0"],
        inline: "
            package greentic:node-kit;

            world exports {
                export greentic:component/node@0.6.0;
            }
        ",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "node_kit::bindings",
    });
}

/// An operation: its name and what it does.
pub type Operation = (&'static str, &'static str);

/// What a guest does.
pub trait Operations {
    /// Its name.
    const NAME: &'static str;
    /// Its operations.
    const ALL: &'static [Operation];

    /// Carries out the operation `op` of [`Self::ALL`].
    fn call(op: &str, input: Value) -> Result<Value, Failure>;

    /// The same for guests that care which attempt it is.
    fn attempt(op: &str, input: Value, _attempt: &Attempt) -> Result<Value, Failure> {
        Self::call(op, input)
    }
}

/// Which attempt a call is.
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// The same for all attempts at a step.
    pub idempotency_key: Option<String>,
}

/// Why an operation fails.
pub struct Failure {
    code: &'static str,
    message: String,
    retryable: bool,
    backoff_ms: Option<u64>,
}

impl Failure {
    /// A failure that another attempt does not mend.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: false, backoff_ms: None }
    }

    /// Says that another attempt may help, after a while.
    #[must_use]
    pub fn retryable(self, backoff_ms: u64) -> Self {
        Self { retryable: true, backoff_ms: Some(backoff_ms), ..self }
    }
}

/// The number under `key`, or `default`.
pub fn number(input: &Value, key: &str, default: u64) -> u64 {
    input.get(key).and_then(Value::as_u64).unwrap_or(default)
}

/// The text under `key`, or a failure that names the key.
pub fn text<'a>(input: &'a Value, key: &str) -> Result<&'a str, Failure> {
    input
        .get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| Failure::new("bad_input", format!("`{key}` is missing or no text")))
}

/// The value that JSON text stands for.
pub fn parse(json: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

#[doc(hidden)]
pub struct Node<O>(PhantomData<O>);

impl<O: Operations> Guest for Node<O> {
    fn describe() -> ComponentDescriptor {
        ComponentDescriptor {
            name: O::NAME.to_owned(),
            version: "0.1.0".to_owned(),
            summary: None,
            capabilities: Vec::new(),
            ops: O::ALL.iter().map(|&(name, summary)| describe_op(name, summary)).collect(),
            schemas: Vec::new(),
            setup: None,
        }
    }

    fn invoke(op: String, envelope: InvocationEnvelope) -> Result<InvocationResult, NodeError> {
        if !O::ALL.iter().any(|(name, _)| *name == op) {
            return Err(Failure::new("unknown_op", format!("`{}` has no operation `{op}`", O::NAME)).into());
        }
        let input = decode(&envelope.payload_cbor).map_err(NodeError::from)?;
        let attempt = Attempt { number: envelope.attempt, idempotency_key: envelope.ctx.idempotency_key };
        let output = O::attempt(&op, input, &attempt).map_err(NodeError::from)?;
        Ok(InvocationResult { ok: true, output_cbor: encode(&output), output_metadata_cbor: None })
    }
}

fn describe_op(name: &str, summary: &str) -> Op {
    let any = || IoSchema {
        schema: SchemaSource::InlineCbor(encode(&json!({}))),
        content_type: "application/cbor".to_owned(),
        schema_version: None,
    };
    Op { name: name.to_owned(), summary: Some(summary.to_owned()), input: any(), output: any(), examples: Vec::new() }
}

fn decode(cbor: &[u8]) -> Result<Value, Failure> {
    if cbor.is_empty() {
        return Ok(Value::Null);
    }
    ciborium::from_reader(cbor).map_err(|error| Failure::new("bad_input", error.to_string()))
}

fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing JSON values into memory has no way to fail.
    let _ = ciborium::into_writer(value, &mut bytes);
    bytes
}

impl From<Failure> for NodeError {
    fn from(failure: Failure) -> Self {
        Self {
            code: failure.code.to_owned(),
            message: failure.message,
            retryable: failure.retryable,
            backoff_ms: failure.backoff_ms,
            details: None,
        }
    }
}

/// Makes an [`Operations`] type the component's `node` export.
#[macro_export]
macro_rules! export {
    ($operations:ty) => {
        type NodeExport = $crate::Node<$operations>;
        $crate::bindings::export!(NodeExport with_types_in $crate::bindings);
    };
}
