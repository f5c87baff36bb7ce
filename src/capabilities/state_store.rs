//! `greentic:state/state-store@1.0.0`

use greentic_runner_bindings::imports::interfaces_types::TenantCtx;
use greentic_runner_bindings::imports::state_store::{Host, HostError, OpAck};

use super::calls::Function;
use super::context::HostCtx;
use super::state::StateError;

const INTERFACE: &str = "greentic:state/state-store@1.0.0";
const READ: Function = Function { interface: INTERFACE, name: "read" };
const WRITE: Function = Function { interface: INTERFACE, name: "write" };
const DELETE: Function = Function { interface: INTERFACE, name: "delete" };

impl Host for HostCtx {
    async fn read(&mut self, key: String, _ctx: Option<TenantCtx>) -> wasmtime::Result<Result<Vec<u8>, HostError>> {
        let answer = self.state_read(READ, &key).await?;
        Ok(answer.map(Vec::from).map_err(HostError::from))
    }

    async fn write(
        &mut self,
        key: String,
        bytes: Vec<u8>,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Result<OpAck, HostError>> {
        let answer = self.state_write(WRITE, key, Some(bytes.into()))?;
        Ok(answer.map(|()| OpAck::Ok).map_err(HostError::from))
    }

    async fn delete(&mut self, key: String, _ctx: Option<TenantCtx>) -> wasmtime::Result<Result<OpAck, HostError>> {
        let answer = self.state_write(DELETE, key, None)?;
        Ok(answer.map(|()| OpAck::Ok).map_err(HostError::from))
    }
}

impl From<StateError> for HostError {
    fn from(error: StateError) -> Self {
        Self { code: error.code().to_owned(), message: error.message() }
    }
}
