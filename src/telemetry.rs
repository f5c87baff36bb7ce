//! What the host tells operators of itself: metrics, spans, and the trace that a piece of work belongs to.
//!
//! In: what other rooms count and do. Out: Prometheus text, always; with the Cargo feature `telemetry` also traces,
//! metrics and logs over OTLP. It stands below every other room and knows none of them: what others count by themselves
//! it reads through a [`Source`] when somebody asks. Names and units stand in `metrics` and `spans` and nowhere
//! else. Nothing here holds a payload, a header's value, a token or a URL's query, and no metric an id that grows.

mod context;
#[cfg(feature = "telemetry")]
mod export;
mod exporting;
mod guest;
pub mod metrics;
mod redaction;
mod settings;
pub(crate) mod spans;

#[cfg(feature = "mcp")]
pub(crate) use context::{TRACEPARENT, TRACESTATE};
pub use context::{TraceContext, inject, trace_id};
#[cfg(feature = "telemetry")]
pub use export::Telemetry;
pub(crate) use exporting::Exporting;
pub(crate) use guest::GuestSpan;
pub use metrics::{Metrics, Observed, Source};
pub use redaction::Redaction;
pub use settings::{Protocol, Sampling, Signal, Target, TelemetryConfig};

/// Gives a span that may have begun another name.
#[cfg(feature = "mcp")]
fn rename(span: &tracing::Span, name: String) {
    #[cfg(feature = "telemetry")]
    export::carrier::rename(span, name);
    #[cfg(not(feature = "telemetry"))]
    let _ = (span, name);
}
