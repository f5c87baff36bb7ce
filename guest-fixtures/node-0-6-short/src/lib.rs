//! A node of `greentic:component@0.6.0` whose context has fewer fields than the host's own: `echo` answers what it is
//! told, `fail` fails with its input as details.

use cbor_kit::{decode, encode, json};

wit_bindgen::generate!({
    inline: "
        package greentic:component@0.6.0;

        interface node {
            record tenant-ctx {
                tenant-id: string, user-id: option<string>, deadline-ms: u64, attempt: u32,
                idempotency-key: option<string>,
            }
            record node-error {
                code: string, message: string, retryable: bool, details: option<list<u8>>,
            }
            record invocation-envelope { ctx: tenant-ctx, flow-id: string, step-id: string, payload-cbor: list<u8> }
            record invocation-result { ok: bool, output-cbor: list<u8> }
            invoke: func(op: string, envelope: invocation-envelope) -> result<invocation-result, node-error>;
        }

        world component {
            export node;
        }
    ",
});

use exports::greentic::component::node::{Guest, InvocationEnvelope, InvocationResult, NodeError};

struct Component;

impl Guest for Component {
    fn invoke(op: String, envelope: InvocationEnvelope) -> Result<InvocationResult, NodeError> {
        if op == "fail" {
            return Err(NodeError {
                code: "refused".to_owned(),
                message: "it was asked to fail".to_owned(),
                retryable: true,
                details: Some(envelope.payload_cbor),
            });
        }
        let output = json!({
            "input": decode(&envelope.payload_cbor),
            "tenant": envelope.ctx.tenant_id,
            "user": envelope.ctx.user_id,
            "attempt": envelope.ctx.attempt,
            "key": envelope.ctx.idempotency_key,
            "flow": envelope.flow_id,
            "step": envelope.step_id,
        });
        Ok(InvocationResult { ok: true, output_cbor: encode(&output) })
    }
}

export!(Component);
