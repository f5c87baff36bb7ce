//! Where a session stands, as components note it.

use serde_json::json;

use super::served::{Arguments, Reads};

/// What of a `session-cursor` is read.
pub(super) const READ: Reads = Reads::Fields(&["node-pointer", "wait-reason", "outbox-marker"]);

/// A cursor as it is stored: the node at which the session goes on, what it waits for, how far its messages are sent.
pub(super) fn encode(node_pointer: &str, wait_reason: Option<&str>, outbox_marker: Option<&str>) -> Vec<u8> {
    json!({ "node_pointer": node_pointer, "wait_reason": wait_reason, "outbox_marker": outbox_marker })
        .to_string()
        .into_bytes()
}

/// The cursor at `position` of `arguments`, as it is stored.
pub(super) fn of_argument(arguments: &Arguments<'_>, position: usize) -> wasmtime::Result<Vec<u8>> {
    let optional = |name| arguments.optional_field(position, name);
    let node_pointer = arguments.field(position, "node-pointer")?;
    Ok(encode(node_pointer, optional("wait-reason")?, optional("outbox-marker")?))
}
