//! `greentic:telemetry/logger-api@1.0.0`

use greentic_runner_bindings::imports::interfaces_types::{SpanContext, TenantCtx};
use greentic_runner_bindings::imports::logger_api::{Host, HostError, OpAck};

use super::calls::Function;
use super::context::HostCtx;
use super::log::Times;
use super::served::{Arguments, Reads, Reply, Served, ack, result};

/// What is read of a span's context.
pub(super) const SPAN: Reads = Reads::Fields(&["provider", "start-ms", "end-ms"]);

const LOG: Function = Function { interface: "greentic:telemetry/logger-api@1.0.0", name: "log" };

impl Host for HostCtx {
    fn log(
        &mut self,
        span: SpanContext,
        fields: Vec<(String, String)>,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Result<OpAck, HostError>> {
        self.log_fields(LOG, &span.provider, (span.start_ms, span.end_ms), &fields)?;
        Ok(Ok(OpAck::Ok))
    }
}

/// The functions for components with shapes of their own.
pub(super) const SERVED: &[Served] =
    &[Served { name: LOG.name, reads: &[SPAN, Reads::All, Reads::Nothing], call: serve_log }];

fn serve_log<'a>(ctx: &'a mut HostCtx, arguments: Arguments<'a>) -> Reply<'a> {
    Box::pin(async move {
        ctx.log_fields(LOG, arguments.field(0, "provider")?, times(&arguments, 0)?, &arguments.pairs(1)?)?;
        Ok(result(Ok(ack())))
    })
}

/// When the span of an argument began and ended.
pub(super) fn times(arguments: &Arguments<'_>, position: usize) -> wasmtime::Result<Times> {
    let at = |name| arguments.optional_number(position, name);
    Ok((at("start-ms")?, at("end-ms")?))
}
