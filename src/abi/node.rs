//! Component nodes of the 0.6 line with the host's own types: `greentic:component/node@0.6.0`.

use greentic_runner_bindings::node_v0_6::{InvocationEnvelope, InvocationResult, NodeError, NodePre, TenantCtx};
use serde_json::Value;
use wasmtime::Store;

use super::answer::{self, Rejection};
use super::cbor;
use super::circumstances::Circumstances;
use crate::capabilities::HostCtx;
use crate::conform::filling::Known;
use crate::engine::Subject;
use crate::error::Result;

/// The envelope around `payload`: all of it but the payload is what the host knows.
pub(super) fn envelope(known: &Circumstances<'_>, payload: Vec<u8>) -> InvocationEnvelope {
    let maybe = |what| known.text(what).map(str::to_owned);
    let text = |what| maybe(what).unwrap_or_default();
    let ctx = TenantCtx {
        tenant_id: text(Known::Tenant),
        team_id: maybe(Known::Team),
        user_id: maybe(Known::User),
        env_id: text(Known::Env),
        trace_id: text(Known::Trace),
        correlation_id: text(Known::Correlation),
        deadline_ms: known.deadline_ms,
        attempt: known.scope.attempt,
        idempotency_key: maybe(Known::IdempotencyKey),
        i18n_id: text(Known::Locale),
    };
    InvocationEnvelope {
        ctx,
        flow_id: text(Known::Flow),
        step_id: text(Known::Node),
        component_id: text(Known::Component),
        attempt: known.scope.attempt,
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
    match answer {
        Ok(result) => answer::from_cbor(subject, &result.output_cbor, result.ok),
        Err(error) => Ok(Err(rejection(error))),
    }
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
