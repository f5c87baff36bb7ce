//! `greentic:state/state-store@1.0.0`

use greentic_runner_bindings::imports::interfaces_types::TenantCtx;
use greentic_runner_bindings::imports::state_store::{Host, HostError, OpAck};
use wasmtime::component::{Lift, LinkerInstance};

use super::calls::Function;
use super::context::HostCtx;
use super::served::{Arguments, Reads, Reply, Served, ack, bytes, result};
use super::state::StateError;

const INTERFACE: &str = "greentic:state/state-store@1.0.0";
const READ: Function = Function { interface: INTERFACE, name: "read" };
const WRITE: Function = Function { interface: INTERFACE, name: "write" };
const DELETE: Function = Function { interface: INTERFACE, name: "delete" };

impl Host for HostCtx {
    async fn read(&mut self, key: String, _ctx: Option<TenantCtx>) -> wasmtime::Result<Result<Vec<u8>, HostError>> {
        read(self, &key).await
    }

    async fn write(
        &mut self,
        key: String,
        bytes: Vec<u8>,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Result<OpAck, HostError>> {
        write(self, WRITE, key, Some(bytes))
    }

    async fn delete(&mut self, key: String, _ctx: Option<TenantCtx>) -> wasmtime::Result<Result<OpAck, HostError>> {
        write(self, DELETE, key, None)
    }
}

async fn read(ctx: &mut HostCtx, key: &str) -> wasmtime::Result<Result<Vec<u8>, HostError>> {
    let answer = ctx.state_read(READ, key).await?;
    Ok(answer.map(Vec::from).map_err(HostError::from))
}

fn write(
    ctx: &mut HostCtx,
    function: Function,
    key: String,
    bytes: Option<Vec<u8>>,
) -> wasmtime::Result<Result<OpAck, HostError>> {
    let answer = ctx.state_write(function, key, bytes.map(Into::into))?;
    Ok(answer.map(|()| OpAck::Ok).map_err(HostError::from))
}

/// Links the interface for components whose contexts have the shape `C`. Payloads pass as bytes, where a conversion
/// would make a value of each of them.
pub(super) fn link<C: Lift + 'static>(instance: &mut LinkerInstance<'_, HostCtx>) -> wasmtime::Result<()> {
    instance.func_wrap_async("read", |mut store, (key, _): (String, Option<C>)| {
        Box::new(async move { Ok((read(store.data_mut(), &key).await?,)) })
    })?;
    instance.func_wrap_async("write", |mut store, (key, bytes, _): (String, Vec<u8>, Option<C>)| {
        Box::new(async move { Ok((write(store.data_mut(), WRITE, key, Some(bytes))?,)) })
    })?;
    instance.func_wrap_async("delete", |mut store, (key, _): (String, Option<C>)| {
        Box::new(async move { Ok((write(store.data_mut(), DELETE, key, None)?,)) })
    })
}

/// The functions for components with shapes of their own.
pub(super) const SERVED: &[Served] = &[
    Served { name: READ.name, reads: &[Reads::All, Reads::Nothing], call: serve_read },
    Served { name: WRITE.name, reads: &[Reads::All, Reads::All, Reads::Nothing], call: serve_write },
    Served { name: DELETE.name, reads: &[Reads::All, Reads::Nothing], call: serve_delete },
];

fn serve_read<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let answer = ctx.state_read(READ, arguments.text(0)?).await?;
        Ok(result(answer.map(|value| bytes(&value)).map_err(StateError::into_value)))
    })
}

fn serve_write<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let answer = ctx.state_write(WRITE, arguments.text(0)?.to_owned(), Some(arguments.bytes(1)?))?;
        Ok(result(answer.map(|()| ack()).map_err(StateError::into_value)))
    })
}

fn serve_delete<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        let answer = ctx.state_write(DELETE, arguments.text(0)?.to_owned(), None)?;
        Ok(result(answer.map(|()| ack()).map_err(StateError::into_value)))
    })
}

impl From<StateError> for HostError {
    fn from(error: StateError) -> Self {
        Self { code: error.code().to_owned(), message: error.message() }
    }
}
