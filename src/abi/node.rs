//! Component nodes: `greentic:component/node@0.6.0`.

use std::time::{Instant, SystemTime};

use greentic_runner_bindings::node_v0_6::{InvocationEnvelope, InvocationResult, NodeError, NodePre, TenantCtx};
use serde_json::Value;
use wasmtime::Store;

use super::answer::{self, Rejection};
use super::cbor;
use crate::capabilities::HostCtx;
use crate::capabilities::scope::Scope;
use crate::engine::Subject;
use crate::error::Result;

/// Locale of invocations whose user's language is not known.
const DEFAULT_LOCALE: &str = "en";

/// The envelope around `payload`: all of it but the payload is what the host knows.
pub(super) fn envelope(scope: &Scope, deadline: Instant, payload: Vec<u8>) -> InvocationEnvelope {
    let ctx = TenantCtx {
        tenant_id: scope.tenant.to_string(),
        team_id: None,
        user_id: scope.user.as_ref().map(ToString::to_string),
        env_id: scope.env.to_string(),
        trace_id: scope.correlation_id.clone(),
        correlation_id: scope.correlation_id.clone(),
        deadline_ms: wall_ms(deadline),
        attempt: scope.attempt,
        idempotency_key: Some(scope.idempotency_key.clone()),
        i18n_id: DEFAULT_LOCALE.to_owned(),
    };
    InvocationEnvelope {
        ctx,
        flow_id: scope.flow.to_string(),
        step_id: scope.node.to_string(),
        component_id: scope.component.to_string(),
        attempt: scope.attempt,
        payload_cbor: payload,
        metadata_cbor: None,
    }
}

/// Makes an instance in `store` and calls it.
pub(super) async fn call(
    pre: &NodePre<HostCtx>,
    store: &mut Store<HostCtx>,
    op: &str,
    envelope: &InvocationEnvelope,
) -> wasmtime::Result<Result<InvocationResult, NodeError>> {
    let node = pre.instantiate_async(&mut *store).await?;
    node.greentic_component_node().call_invoke(store, op, envelope).await
}

/// Makes an instance in `store` and asks it for its operations.
pub(super) async fn ops(pre: &NodePre<HostCtx>, store: &mut Store<HostCtx>) -> wasmtime::Result<Vec<String>> {
    let node = pre.instantiate_async(&mut *store).await?;
    let descriptor = node.greentic_component_node().call_describe(store).await?;
    Ok(descriptor.ops.into_iter().map(|op| op.name).collect())
}

/// Bytes that an answer holds.
pub(super) fn answer_bytes(answer: &Result<InvocationResult, NodeError>) -> usize {
    match answer {
        Ok(result) => result.output_cbor.len() + result.output_metadata_cbor.as_ref().map_or(0, Vec::len),
        Err(error) => error.code.len() + error.message.len() + error.details.as_ref().map_or(0, Vec::len),
    }
}

/// What an answer means.
pub(super) fn read(
    subject: Subject<'_>,
    answer: Result<InvocationResult, NodeError>,
) -> Result<Result<Value, Rejection>> {
    let result = match answer {
        Ok(result) => result,
        Err(error) => return Ok(Err(rejection(error))),
    };
    let output = cbor::decode(&result.output_cbor).map_err(|why| answer::unreadable(subject, &why))?;
    Ok(match (Rejection::in_result(&output), result.ok) {
        (Some(rejection), _) => Err(rejection),
        (None, true) => Ok(output),
        (None, false) => Err(Rejection::of_output(&output)),
    })
}

fn rejection(error: NodeError) -> Rejection {
    Rejection {
        code: error.code,
        message: error.message,
        retryable: error.retryable,
        backoff_ms: error.backoff_ms,
        details: error.details.and_then(|bytes| cbor::decode(&bytes).ok()),
    }
}

/// An instant of this process as milliseconds since 1970.
fn wall_ms(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    let end = SystemTime::now() + left;
    end.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
