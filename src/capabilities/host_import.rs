//! `greentic:host-import@0.6.0`: `state`, `session` and `telemetry`

use greentic_runner_bindings::imports::interfaces_types::SessionCursor;
use greentic_runner_bindings::imports::types_core_v0_4::{IfaceError, TenantCtx};
use greentic_runner_bindings::imports::{host_import_session, host_import_state, host_import_telemetry};

use super::calls::Function;
use super::context::HostCtx;
use super::session;
use super::state::StateError;

const STATE: &str = "greentic:host-import/state@0.6.0";
const GET: Function = Function { interface: STATE, name: "get" };
const SET: Function = Function { interface: STATE, name: "set" };
const UPDATE: Function = Function { interface: "greentic:host-import/session@0.6.0", name: "update" };
const EMIT: Function = Function { interface: "greentic:host-import/telemetry@0.6.0", name: "emit" };

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
        Ok(Ok(self.session_update(UPDATE, session::encode(&cursor))?))
    }
}

impl host_import_telemetry::Host for HostCtx {
    fn emit(&mut self, span_json: String, _ctx: Option<TenantCtx>) -> wasmtime::Result<()> {
        Ok(self.log(EMIT, None, &span_json)?)
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
