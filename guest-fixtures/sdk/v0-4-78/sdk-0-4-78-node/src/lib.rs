//! Contexts without the caller's language.

#[path = "../../../counter.rs"]
mod counter;
#[path = "../../../node.rs"]
mod node;

use greentic_interfaces_guest::component::node::ExecCtx;
use greentic_interfaces_guest::export_component_node;
use greentic_interfaces_guest::state_store::TenantCtx;
use node::Node;
use serde_json::{Value, json};

fn context(ctx: &ExecCtx) -> Value {
    let tenant = &ctx.tenant;
    json!({
        "tenant": tenant.tenant,
        "team": tenant.team,
        "user": tenant.user,
        "trace_id": tenant.trace_id,
        "correlation_id": tenant.correlation_id,
        "deadline_unix_ms": tenant.deadline_unix_ms.is_some(),
        "attempt": tenant.attempt,
        "idempotency_key": tenant.idempotency_key.is_some(),
        "flow_id": ctx.flow_id,
        "node_id": ctx.node_id,
    })
}

/// A tenant that the node pretends to be, and is not.
fn stranger() -> TenantCtx {
    TenantCtx {
        env: "elsewhere".to_owned(),
        tenant: "stranger".to_owned(),
        tenant_id: "stranger".to_owned(),
        team: None,
        team_id: None,
        user: Some("somebody".to_owned()),
        user_id: None,
        trace_id: None,
        correlation_id: None,
        attributes: vec![("a".to_owned(), "b".to_owned())],
        session_id: Some("another".to_owned()),
        flow_id: None,
        node_id: None,
        provider_id: None,
        deadline_ms: Some(1),
        attempt: 1,
        idempotency_key: None,
        impersonation: None,
    }
}

export_component_node!(Node);
