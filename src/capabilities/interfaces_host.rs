//! `greentic:interfaces-host/imports@0.1.0`

use greentic_runner_bindings::imports::interfaces_host::{Host, HostError, OpAck};
use greentic_runner_bindings::imports::interfaces_types::{SessionCursor, SpanContext, TenantCtx};
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::served::{Arguments, Reads, Reply, Served, ack, result};
use super::session;
use super::state::StateError;
use super::telemetry::{SPAN, times};

const INTERFACE: &str = "greentic:interfaces-host/imports@0.1.0";
const TELEMETRY_EMIT: Function = Function { interface: INTERFACE, name: "telemetry-emit" };
const STATE_GET: Function = Function { interface: INTERFACE, name: "state-get" };
const STATE_SET: Function = Function { interface: INTERFACE, name: "state-set" };
const SESSION_UPDATE: Function = Function { interface: INTERFACE, name: "session-update" };

impl Host for HostCtx {
    fn telemetry_emit(&mut self, span: SpanContext, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        Ok(self.log_fields(TELEMETRY_EMIT, &span.provider, (span.start_ms, span.end_ms), &fields)?)
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
        let SessionCursor { node_pointer, wait_reason, outbox_marker } = cursor;
        let cursor = session::encode(&node_pointer, wait_reason.as_deref(), outbox_marker.as_deref());
        Ok(Ok(HostCtx::session_update(self, SESSION_UPDATE, cursor)?))
    }
}

impl From<StateError> for HostError {
    fn from(error: StateError) -> Self {
        Self { code: error.code().to_owned(), message: error.message() }
    }
}

/// The functions for components with shapes of their own.
pub(super) const SERVED: &[Served] = &[
    Served { name: TELEMETRY_EMIT.name, reads: &[SPAN, Reads::All], call: serve_telemetry_emit },
    Served { name: STATE_GET.name, reads: &[Reads::All, Reads::Nothing], call: serve_state_get },
    Served { name: STATE_SET.name, reads: &[Reads::All, Reads::All, Reads::Nothing], call: serve_state_set },
    Served { name: SESSION_UPDATE.name, reads: &[session::READ, Reads::Nothing], call: serve_session_update },
];

fn serve_telemetry_emit<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let times = times(&arguments, 0)?;
        ctx.log_fields(TELEMETRY_EMIT, arguments.field(0, "provider")?, times, &arguments.pairs(1)?)?;
        Ok(None)
    })
}

fn serve_state_get<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let answer = ctx.state_text(STATE_GET, arguments.text(0)?).await?;
        Ok(result(answer.map(Val::String).map_err(StateError::into_value)))
    })
}

fn serve_state_set<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let value = arguments.text(1)?.to_owned();
        let answer = ctx.state_write(STATE_SET, arguments.text(0)?.to_owned(), Some(value.into()))?;
        Ok(result(answer.map(|()| ack()).map_err(StateError::into_value)))
    })
}

fn serve_session_update<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let session = ctx.session_update(SESSION_UPDATE, session::of_argument(&arguments, 0)?)?;
        Ok(result(Ok(Val::String(session))))
    })
}
