//! `greentic:host-import/secrets@0.6.0` and `@0.4.0`

use greentic_runner_bindings::imports::types_core_v0_4::{IfaceError, TenantCtx};
use greentic_runner_bindings::imports::{host_import_secrets as v0_6, host_import_secrets_v0_4 as v0_4};
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::host_import::iface_name;
use super::served::{Arguments, Reads, Reply, Served, result};
use crate::secrets::{Refusal, RefusalKind};

const GET: &str = "get";
const GET_0_6: Function = Function { interface: "greentic:host-import/secrets@0.6.0", name: GET };
const GET_0_4: Function = Function { interface: "greentic:host-import/secrets@0.4.0", name: GET };

impl v0_6::Host for HostCtx {
    async fn get(&mut self, key: String, _ctx: Option<TenantCtx>) -> wasmtime::Result<Result<String, IfaceError>> {
        get(self, GET_0_6, &key).await
    }
}

impl v0_4::Host for HostCtx {
    async fn get(&mut self, key: String, _ctx: Option<TenantCtx>) -> wasmtime::Result<Result<String, IfaceError>> {
        get(self, GET_0_4, &key).await
    }
}

pub(super) async fn get(
    ctx: &mut HostCtx,
    function: Function,
    key: &str,
) -> wasmtime::Result<Result<String, IfaceError>> {
    let answer = ctx.secret_text(function, key).await?;
    Ok(answer.map(|value| value.expose().to_owned()).map_err(|refusal| iface_error(&refusal)))
}

fn iface_error(refusal: &Refusal) -> IfaceError {
    match refusal.reason().kind() {
        RefusalKind::Invalid => IfaceError::InvalidArg,
        RefusalKind::Denied => IfaceError::Denied,
        RefusalKind::NotFound => IfaceError::NotFound,
        RefusalKind::Unavailable => IfaceError::Unavailable,
        RefusalKind::Internal => IfaceError::Internal,
    }
}

/// The function of `secrets@0.6.0` for components with shapes of their own.
pub(super) const SERVED_0_6: &[Served] =
    &[Served { name: GET, reads: &[Reads::All, Reads::Nothing], call: serve_get_0_6 }];

/// The function of `secrets@0.4.0` for components with shapes of their own.
pub(super) const SERVED_0_4: &[Served] =
    &[Served { name: GET, reads: &[Reads::All, Reads::Nothing], call: serve_get_0_4 }];

fn serve_get_0_6<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve_get(ctx, GET_0_6, arguments, false))
}

fn serve_get_0_4<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve_get(ctx, GET_0_4, arguments, false))
}

/// Gives a secret to whom it comes as a value; the error is a variant or an enum.
pub(super) async fn serve_get(
    ctx: &mut HostCtx,
    function: Function,
    arguments: Arguments<'_>,
    variant: bool,
) -> wasmtime::Result<Option<Val>> {
    let answer = get(ctx, function, arguments.text(0)?).await?;
    Ok(result(answer.map(Val::String).map_err(|error| error_value(error, variant))))
}

fn error_value(error: IfaceError, variant: bool) -> Val {
    let name = iface_name(error).to_owned();
    if variant { Val::Variant(name, None) } else { Val::Enum(name) }
}
