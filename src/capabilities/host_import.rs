//! `greentic:host-import@0.6.0`: `state`, `session` and `telemetry`, and `telemetry@0.4.0`

use greentic_runner_bindings::imports::interfaces_types::SessionCursor;
use greentic_runner_bindings::imports::types_core_v0_4::{IfaceError, TenantCtx};
use greentic_runner_bindings::imports::{
    host_import_session, host_import_state, host_import_telemetry, host_import_telemetry_v0_4,
};
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::served::{Arguments, Reads, Reply, Served, ack, result};
use super::session;
use super::state::StateError;

const STATE: &str = "greentic:host-import/state@0.6.0";
const GET: Function = Function { interface: STATE, name: "get" };
const SET: Function = Function { interface: STATE, name: "set" };
const UPDATE: Function = Function { interface: "greentic:host-import/session@0.6.0", name: "update" };
const EMIT: Function = Function { interface: "greentic:host-import/telemetry@0.6.0", name: "emit" };
const EMIT_0_4: Function = Function { interface: "greentic:host-import/telemetry@0.4.0", name: "emit" };

impl host_import_state::Host for HostCtx {
    async fn get(&mut self, key: String, _ctx: Option<TenantCtx>) -> wasmtime::Result<Result<String, IfaceError>> {
        Ok(self.state_text(GET, &key).await?.map_err(|e| iface_error(&e)))
    }

    async fn set(
        &mut self,
        key: String,
        value_json: String,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Result<host_import_state::OpAck, IfaceError>> {
        let answer = self.state_write(SET, key, Some(value_json.into()))?;
        Ok(answer.map(|()| host_import_state::OpAck::Ok).map_err(|e| iface_error(&e)))
    }
}

impl host_import_session::Host for HostCtx {
    async fn update(
        &mut self,
        cursor: SessionCursor,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Result<String, IfaceError>> {
        let SessionCursor { node_pointer, wait_reason, outbox_marker } = cursor;
        let cursor = session::encode(&node_pointer, wait_reason.as_deref(), outbox_marker.as_deref());
        Ok(Ok(self.session_update(UPDATE, cursor)?))
    }
}

impl host_import_telemetry::Host for HostCtx {
    fn emit(&mut self, span_json: String, _ctx: Option<TenantCtx>) -> wasmtime::Result<()> {
        Ok(self.log_span(EMIT, &span_json)?)
    }
}

impl host_import_telemetry_v0_4::Host for HostCtx {
    fn emit(&mut self, span_json: String, _ctx: Option<TenantCtx>) -> wasmtime::Result<()> {
        Ok(self.log_span(EMIT_0_4, &span_json)?)
    }
}

fn iface_error(error: &StateError) -> IfaceError {
    match error {
        StateError::Key => IfaceError::InvalidArg,
        StateError::NotFound => IfaceError::NotFound,
        StateError::NotText => IfaceError::Internal,
        StateError::Unavailable(_) => IfaceError::Unavailable,
    }
}

/// The functions of `state` for components with shapes of their own.
pub(super) const SERVED_STATE: &[Served] = &[
    Served { name: GET.name, reads: &[Reads::All, Reads::Nothing], call: serve_get },
    Served { name: SET.name, reads: &[Reads::All, Reads::All, Reads::Nothing], call: serve_set },
];

/// The function of `session` for components with shapes of their own.
pub(super) const SERVED_SESSION: &[Served] =
    &[Served { name: UPDATE.name, reads: &[session::READ, Reads::Nothing], call: serve_update }];

/// The function of `telemetry` for components with shapes of their own.
pub(super) const SERVED_TELEMETRY: &[Served] =
    &[Served { name: EMIT.name, reads: &[Reads::All, Reads::Nothing], call: serve_emit }];

/// The function of `telemetry@0.4.0` for components with shapes of their own.
pub(super) const SERVED_TELEMETRY_0_4: &[Served] =
    &[Served { name: EMIT_0_4.name, reads: &[Reads::All, Reads::Nothing], call: serve_emit_0_4 }];

fn serve_get<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let answer = ctx.state_text(GET, arguments.text(0)?).await?;
        Ok(result(answer.map(Val::String).map_err(|error| iface_value(&error))))
    })
}

fn serve_set<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let value = arguments.text(1)?.to_owned();
        let answer = ctx.state_write(SET, arguments.text(0)?.to_owned(), Some(value.into()))?;
        Ok(result(answer.map(|()| ack()).map_err(|error| iface_value(&error))))
    })
}

fn serve_update<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let session = ctx.session_update(UPDATE, session::of_argument(&arguments, 0)?)?;
        Ok(result(Ok(Val::String(session))))
    })
}

fn serve_emit<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        ctx.log_span(EMIT, arguments.text(0)?)?;
        Ok(None)
    })
}

fn serve_emit_0_4<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        ctx.log_span(EMIT_0_4, arguments.text(0)?)?;
        Ok(None)
    })
}

/// The `iface-error` for `error`, by its name.
fn iface_value(error: &StateError) -> Val {
    Val::Enum(iface_name(iface_error(error)).to_owned())
}

/// The name of an `iface-error`.
pub(super) fn iface_name(error: IfaceError) -> &'static str {
    match error {
        IfaceError::InvalidArg => "invalid-arg",
        IfaceError::NotFound => "not-found",
        IfaceError::Denied => "denied",
        IfaceError::Unavailable => "unavailable",
        IfaceError::Internal => "internal",
    }
}
