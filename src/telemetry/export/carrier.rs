//! Trace contexts and the spans that have them.

use std::str::FromStr as _;
use std::sync::OnceLock;
use std::time::SystemTime;

use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::telemetry::{GuestSpan, TraceContext};

/// Makes the spans that guests report: that of the first telemetry of the process.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Lets spans that guests report be made by `tracer`.
pub(super) fn report_with(tracer: SdkTracer) {
    // There is one already.
    drop(TRACER.set(tracer));
}

pub(in crate::telemetry) fn current() -> Option<TraceContext> {
    Context::map_current(|context| {
        let span = context.span();
        let of = span.span_context();
        if !of.is_valid() {
            return None;
        }
        let state = of.trace_state().header();
        Some(TraceContext {
            traceparent: format!("00-{}-{}-{:02x}", of.trace_id(), of.span_id(), of.trace_flags().to_u8()),
            tracestate: (!state.is_empty()).then_some(state),
        })
    })
}

pub(in crate::telemetry) fn adopt(context: &TraceContext, span: &Span) {
    if let Some(remote) = remote(context).filter(|_| !span.is_disabled()) {
        // Fails only if nobody collects spans.
        drop(span.set_parent(Context::new().with_remote_span_context(remote)));
    }
}

pub(in crate::telemetry) fn link(context: &TraceContext, span: &Span) {
    if let Some(remote) = remote(context).filter(|_| !span.is_disabled()) {
        span.add_link(remote);
    }
}

/// Gives `span`, which may have begun, another name.
#[cfg(feature = "mcp")]
pub(in crate::telemetry) fn rename(span: &Span, name: String) {
    span.context().span().update_name(name);
}

fn remote(context: &TraceContext) -> Option<SpanContext> {
    let mut parts = context.traceparent.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
    let sampled = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    let state = context.tracestate.as_deref().and_then(|state| TraceState::from_str(state).ok()).unwrap_or_default();
    Some(SpanContext::new(trace, span, sampled, true, state)).filter(SpanContext::is_valid)
}

/// Makes a guest's span a child of the one that this thread works in.
pub(in crate::telemetry) fn report(guest: &GuestSpan) {
    let Some(tracer) = TRACER.get() else { return };
    let context = Context::current();
    let Some((start, end)) = guest.times(SystemTime::now()).filter(|_| context.has_active_span()) else { return };
    let attributes = guest.attributes.iter();
    let attributes = attributes.map(|(name, value)| KeyValue::new(format!("guest.{name}"), value.clone()));
    let builder = tracer.span_builder(guest.name.clone()).with_start_time(start).with_attributes(attributes);
    builder.start_with_context(tracer, &context).end_with_timestamp(end);
}
