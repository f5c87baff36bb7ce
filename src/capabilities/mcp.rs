//! `greentic:host-import/mcp@0.6.0`, and the tools of `greentic:host-import/imports@0.2.0`

#[cfg(feature = "mcp")]
use greentic_runner_bindings::imports::host_import_mcp;
use greentic_runner_bindings::imports::types_core_v0_4::IfaceError;
#[cfg(feature = "mcp")]
use greentic_runner_bindings::imports::types_core_v0_4::TenantCtx;
use serde_json::Value;
use tracing::{Instrument as _, Level};
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::served::{Arguments, Reads, result};
#[cfg(feature = "mcp")]
use super::served::{Reply, Served};
use super::tools::ToolCall;
use crate::id::clip;
use crate::mcp::{Failure, FailureKind};

#[cfg(feature = "mcp")]
const EXEC: Function = Function { interface: "greentic:host-import/mcp@0.6.0", name: "exec" };

#[cfg(feature = "mcp")]
impl host_import_mcp::Host for HostCtx {
    async fn exec(
        &mut self,
        component: String,
        action: String,
        args_json: String,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Result<String, IfaceError>> {
        call(self, EXEC, &component, &action, &args_json).await
    }
}

/// Calls a tool and answers its result as JSON text.
pub(super) async fn call(
    ctx: &mut HostCtx,
    function: Function,
    tool: &str,
    action: &str,
    args: &str,
) -> wasmtime::Result<Result<String, IfaceError>> {
    let begun = ctx.begin(function, tool.len() + action.len() + args.len())?;
    let answer = asked(ctx, tool, action, args).instrument(begun.span()).await;
    let named = format!("{} {}", clip(&ctx.hide(tool)), clip(&ctx.hide(action)));
    let (answer, note) = match answer {
        Ok(text) => (Ok(text), named),
        Err(Refused(error, why)) => {
            // A guest learns of which kind the failure is, and its operator what it was.
            ctx.record(Some(Level::WARN), &format!("tool {named}: {why}"));
            (Err(error), format!("{named}: {}", code(error)))
        }
    };
    ctx.calls.written(ctx.state.written_bytes())?;
    ctx.calls.end(begun, answer.is_ok(), &note);
    Ok(answer)
}

/// Why a guest gets no result: what it is told, and what is logged.
struct Refused(IfaceError, String);

async fn asked(ctx: &mut HostCtx, tool: &str, action: &str, args: &str) -> Result<String, Refused> {
    let Some(tools) = ctx.services.mcp.clone() else {
        return Err(Refused(IfaceError::Denied, "the tenant's bindings have no `mcp` block".to_owned()));
    };
    let args = match args.trim() {
        "" => Ok(Value::Null),
        args => serde_json::from_str(args),
    };
    let args = args.map_err(|_| Refused(IfaceError::InvalidArg, "the arguments are no JSON".to_owned()))?;
    let call = ToolCall {
        tool,
        action,
        args,
        scope: ctx.scope.clone(),
        state: ctx.state.over(),
        deadline: ctx.cancel_at,
        timeout: None,
        retry: None,
        trace: false,
    };
    let answer = tools.call(call).await;
    ctx.state.absorb(answer.writes);
    match answer.result {
        Ok(value) => Ok(value.to_string()),
        Err(failure) => Err(Refused(iface_error(&failure), failure.error().to_string())),
    }
}

fn iface_error(failure: &Failure) -> IfaceError {
    match failure.kind() {
        FailureKind::NotFound => IfaceError::NotFound,
        FailureKind::Arguments => IfaceError::InvalidArg,
        FailureKind::Tool => IfaceError::Denied,
        FailureKind::Unavailable | FailureKind::Timeout | FailureKind::Answer => IfaceError::Unavailable,
    }
}

fn code(error: IfaceError) -> &'static str {
    match error {
        IfaceError::InvalidArg => "invalid-arg",
        IfaceError::NotFound => "not-found",
        IfaceError::Denied => "denied",
        IfaceError::Unavailable => "unavailable",
        IfaceError::Internal => "internal",
    }
}

/// What is read of a call: all but who is said to make it.
pub(super) const READ: &[Reads] = &[Reads::All, Reads::All, Reads::All, Reads::Nothing];

/// The function of `mcp@0.6.0` for components with shapes of their own.
#[cfg(feature = "mcp")]
pub(super) const SERVED: &[Served] = &[Served { name: EXEC.name, reads: READ, call: serve_exec }];

#[cfg(feature = "mcp")]
fn serve_exec<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(serve(ctx, EXEC, arguments, false))
}

/// Carries a call out that came as values; the error is a variant or an enum.
pub(super) async fn serve(
    ctx: &mut HostCtx,
    function: Function,
    arguments: Arguments<'_>,
    variant: bool,
) -> wasmtime::Result<Option<Val>> {
    let (tool, action, args) = (arguments.text(0)?, arguments.text(1)?, arguments.text(2)?);
    let answer = call(ctx, function, tool, action, args).await?;
    let error = |error| {
        let name = code(error).to_owned();
        if variant { Val::Variant(name, None) } else { Val::Enum(name) }
    };
    Ok(result(answer.map(Val::String).map_err(error)))
}
