//! `greentic:telemetry/logger-api@1.0.0`

use greentic_runner_bindings::imports::interfaces_types::{SpanContext, TenantCtx};
use greentic_runner_bindings::imports::logger_api::{Host, HostError, OpAck};

use super::calls::Function;
use super::context::HostCtx;

const LOG: Function = Function { interface: "greentic:telemetry/logger-api@1.0.0", name: "log" };

impl Host for HostCtx {
    fn log(
        &mut self,
        span: SpanContext,
        fields: Vec<(String, String)>,
        _ctx: Option<TenantCtx>,
    ) -> wasmtime::Result<Result<OpAck, HostError>> {
        self.log_fields(LOG, &span, &fields)?;
        Ok(Ok(OpAck::Ok))
    }
}
