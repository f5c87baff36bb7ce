//! A node of `greentic:component@0.5.0` in a shape that nobody published: other fields in another order, a `result`
//! instead of the variant, and nothing but `invoke`. `json-node-kit` tells what it does.

wit_bindgen::generate!({
    inline: "
        package greentic:component@0.5.0;

        interface node {
            record tenant-ctx { session-id: option<string>, tenant: string, team-id: string }
            record exec-ctx {
                region: option<string>, labels: list<string>, node-id: string, attempt: u64, tenant: tenant-ctx,
            }
            record node-error {
                details: option<string>, message: string, code: string, backoff-ms: option<u32>, retryable: bool,
            }
            invoke: func(ctx: exec-ctx, op: string, input: string) -> result<string, node-error>;
        }

        world component {
            export node;
        }
    ",
    additional_derives: [serde::Serialize],
});

use exports::greentic::component::node::{ExecCtx, Guest, NodeError};

struct Component;

impl Guest for Component {
    fn invoke(ctx: ExecCtx, op: String, input: String) -> Result<String, NodeError> {
        json_node_kit::invoke(json_node_kit::json!(ctx), &op, &input).map_err(|failure| NodeError {
            details: failure.details,
            message: failure.message,
            code: failure.code,
            backoff_ms: failure.backoff_ms.and_then(|ms| u32::try_from(ms).ok()),
            retryable: failure.retryable,
        })
    }
}

export!(Component);
