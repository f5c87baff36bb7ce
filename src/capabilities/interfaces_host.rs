//! `greentic:interfaces-host/imports@0.1.0`

use greentic_runner_bindings::imports::interfaces_host::{Host, HostError, OpAck};
use greentic_runner_bindings::imports::interfaces_types::{SessionCursor, SpanContext, TenantCtx};

use super::calls::Function;
use super::context::HostCtx;
use super::session;
use super::state::StateError;

const INTERFACE: &str = "greentic:interfaces-host/imports@0.1.0";
const TELEMETRY_EMIT: Function = Function { interface: INTERFACE, name: "telemetry-emit" };
const STATE_GET: Function = Function { interface: INTERFACE, name: "state-get" };
const STATE_SET: Function = Function { interface: INTERFACE, name: "state-set" };
const SESSION_UPDATE: Function = Function { interface: INTERFACE, name: "session-update" };

impl Host for HostCtx {
    fn telemetry_emit(&mut self, span: SpanContext, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        Ok(self.log_fields(TELEMETRY_EMIT, &span, &fields)?)
    }

    async fn state_get(&mut self, key: String, _ctx: Option<TenantCtx>) -> wasmtime::Result<Result<String, HostError>> {
        Ok(self.state_text(STATE_GET, &key).await?.map_err(HostError::from))
    }

    async fn state_set(
        &mut self,
        key: String,
        value: String,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Result<OpAck, HostError>> {
        let answer = self.state_write(STATE_SET, key, Some(value.into()))?;
        Ok(answer.map(|()| OpAck::Ok).map_err(HostError::from))
    }

    async fn session_update(
        &mut self,
        cursor: SessionCursor,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Result<String, HostError>> {
        Ok(Ok(HostCtx::session_update(self, SESSION_UPDATE, session::encode(&cursor))?))
    }
}

impl From<StateError> for HostError {
    fn from(error: StateError) -> Self {
        Self { code: error.code().to_owned(), message: error.message() }
    }
}
