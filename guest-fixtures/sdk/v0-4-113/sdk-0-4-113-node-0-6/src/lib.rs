//! A node of the generation 0.6.0, whose payloads are CBOR: `echo`, `context`, `count` and `fail`, as in `node.rs`.
//! The SDK's feature has the worlds of the questions and of the texts in it, so those have to be exported as well.

#[path = "../../../counter.rs"]
mod counter;

use greentic_interfaces_guest::component_v0_6::node::{
    ComponentDescriptor, Guest, InvocationEnvelope, InvocationResult, IoSchema, NodeError, Op, SchemaSource,
};
use greentic_interfaces_guest::component_v0_6::{component_i18n, component_qa};
use greentic_interfaces_guest::export_component_v060;
use serde_json::{Value, json};

struct Node;

impl Guest for Node {
    fn describe() -> ComponentDescriptor {
        ComponentDescriptor {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: None,
            capabilities: Vec::new(),
            ops: ["echo", "context", "count", "fail"].map(op).into(),
            schemas: Vec::new(),
            setup: None,
        }
    }

    fn invoke(op: String, envelope: InvocationEnvelope) -> Result<InvocationResult, NodeError> {
        let output = match op.as_str() {
            "echo" => envelope.payload_cbor,
            "context" => cbor(&context(&envelope)),
            "count" => {
                cbor(&json!({ "count": counter::count(None).map_err(|message| failure("failed", message, false))? }))
            }
            _ => return Err(failure("busy", "it was asked to fail this once".to_owned(), true)),
        };
        Ok(InvocationResult { ok: true, output_cbor: output, output_metadata_cbor: None })
    }
}

fn op(name: &str) -> Op {
    let any = || IoSchema {
        schema: SchemaSource::InlineCbor(cbor(&json!({}))),
        content_type: "application/cbor".to_owned(),
        schema_version: None,
    };
    Op { name: name.to_owned(), summary: None, input: any(), output: any(), examples: Vec::new() }
}

fn context(envelope: &InvocationEnvelope) -> Value {
    let tenant = &envelope.ctx;
    json!({
        "tenant_id": tenant.tenant_id,
        "env_id": tenant.env_id,
        "i18n_id": tenant.i18n_id,
        "correlation_id": tenant.correlation_id,
        "tenant_attempt": tenant.attempt,
        "flow_id": envelope.flow_id,
        "step_id": envelope.step_id,
        "component_id": envelope.component_id,
        "attempt": envelope.attempt,
        "metadata": envelope.metadata_cbor.is_some(),
    })
}

fn failure(code: &str, message: String, retryable: bool) -> NodeError {
    NodeError { code: code.to_owned(), message, retryable, backoff_ms: retryable.then_some(1), details: None }
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap_or_default();
    bytes
}

impl component_qa::Guest for Node {
    fn qa_spec(_mode: component_qa::QaMode) -> Vec<u8> {
        cbor(&json!({ "questions": [] }))
    }

    fn apply_answers(_mode: component_qa::QaMode, current_config: Vec<u8>, _answers: Vec<u8>) -> Vec<u8> {
        current_config
    }
}

impl component_i18n::Guest for Node {
    fn i18n_keys() -> Vec<String> {
        Vec::new()
    }
}

export_component_v060!(Node, component_qa: Node, component_i18n: Node);
