//! `greentic:host-import/imports@0.2.0`: what the later lines have in interfaces of their own

use greentic_runner_bindings::imports::host_import_v0_2 as v0_2;
use greentic_runner_bindings::imports::types_core_v0_4::IfaceError;

use super::calls::Function;
use super::context::HostCtx;
use super::host_import_http::{REQUEST, fetch, iface_error, serve_fetch};
use super::host_import_secrets::{self, serve_get};
use super::mcp;
use super::served::{Arguments, Reads, Reply, Served};

const IMPORTS: &str = "greentic:host-import/imports@0.2.0";
const SECRET: Function = Function { interface: IMPORTS, name: "secrets-get" };
const EMIT: Function = Function { interface: IMPORTS, name: "telemetry-emit" };
const INVOKE: Function = Function { interface: IMPORTS, name: "tool-invoke" };
const FETCH: Function = Function { interface: IMPORTS, name: "http-fetch" };

impl v0_2::Host for HostCtx {
    async fn secrets_get(
        &mut self,
        key: String,
        _ctx: Option<v0_2::TenantCtx>,
    ) -> wasmtime::Result<Result<String, v0_2::IfaceError>> {
        Ok(host_import_secrets::get(self, SECRET, &key).await?.map_err(own_error))
    }

    fn telemetry_emit(&mut self, span_json: String, _ctx: Option<v0_2::TenantCtx>) -> wasmtime::Result<()> {
        Ok(self.log_span(EMIT, &span_json)?)
    }

    async fn http_fetch(
        &mut self,
        req: v0_2::HttpRequest,
        _ctx: Option<v0_2::TenantCtx>,
    ) -> wasmtime::Result<Result<v0_2::HttpResponse, v0_2::IfaceError>> {
        let answer = fetch(self, FETCH, req.into()).await?;
        Ok(answer.map(Into::into).map_err(|failure| own_error(iface_error(&failure))))
    }

    async fn tool_invoke(
        &mut self,
        tool: String,
        action: String,
        args_json: String,
        _ctx: Option<v0_2::TenantCtx>,
    ) -> wasmtime::Result<Result<String, v0_2::IfaceError>> {
        Ok(mcp::call(self, INVOKE, &tool, &action, &args_json).await?.map_err(own_error))
    }
}

/// This line has the later one's errors as a type of its own.
fn own_error(error: IfaceError) -> v0_2::IfaceError {
    match error {
        IfaceError::InvalidArg => v0_2::IfaceError::InvalidArg,
        IfaceError::NotFound => v0_2::IfaceError::NotFound,
        IfaceError::Denied => v0_2::IfaceError::Denied,
        IfaceError::Unavailable => v0_2::IfaceError::Unavailable,
        IfaceError::Internal => v0_2::IfaceError::Internal,
    }
}

/// The functions for components with shapes of their own.
pub(super) const SERVED: &[Served] = &[
    Served { name: SECRET.name, reads: &[Reads::All, Reads::Nothing], call: serve_secrets_get },
    Served { name: EMIT.name, reads: &[Reads::All, Reads::Nothing], call: serve_emit },
    Served { name: INVOKE.name, reads: mcp::READ, call: serve_tool_invoke },
    Served { name: FETCH.name, reads: &[REQUEST, Reads::Nothing], call: serve_http_fetch },
];

fn serve_secrets_get<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve_get(ctx, SECRET, arguments, true))
}

fn serve_emit<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        ctx.log_span(EMIT, arguments.text(0)?)?;
        Ok(None)
    })
}

fn serve_http_fetch<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve_fetch(ctx, FETCH, arguments, true))
}

fn serve_tool_invoke<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(mcp::serve(ctx, INVOKE, arguments, true))
}
