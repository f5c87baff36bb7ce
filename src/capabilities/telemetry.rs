//! `greentic:telemetry/logger-api@1.0.0`

use greentic_runner_bindings::imports::interfaces_types::{SpanContext, TenantCtx};
use greentic_runner_bindings::imports::logger_api::{Host, HostError, OpAck};

use super::calls::Function;
use super::context::HostCtx;
use super::served::{Arguments, Reads, Reply, Served, ack, result};

const LOG: Function = Function { interface: "greentic:telemetry/logger-api@1.0.0", name: "log" };

impl Host for HostCtx {
    fn log(
        &mut self,
        span: SpanContext,
        fields: Vec<(String, String)>,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Result<OpAck, HostError>> {
        self.log_fields(LOG, &span.provider, &fields)?;
        Ok(Ok(OpAck::Ok))
    }
}

/// The functions for components with shapes of their own.
pub(super) const SERVED: &[Served] =
    &[Served { name: LOG.name, reads: &[Reads::Fields(&["provider"]), Reads::All, Reads::Nothing], call: serve_log }];

fn serve_log<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        ctx.log_fields(LOG, arguments.field(0, "provider")?, &arguments.pairs(1)?)?;
        Ok(result(Ok(ack())))
    })
}
