//! Where a session stands, as components note it.

use greentic_runner_bindings::imports::interfaces_types::SessionCursor;
use serde_json::json;

/// The cursor as it is stored.
pub(super) fn encode(cursor: &SessionCursor) -> Vec<u8> {
    json!({
        "node_pointer": cursor.node_pointer,
        "wait_reason": cursor.wait_reason,
        "outbox_marker": cursor.outbox_marker,
    })
    .to_string()
    .into_bytes()
}
