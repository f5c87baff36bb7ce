//! Exporters that tell how it goes: once when the collector stops to answer, and once when it answers again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tokio::runtime::Handle;
use url::Url;

use crate::error::{Code, Error};
use crate::id::clip;
use crate::telemetry::settings::{Signal, TelemetryConfig};

/// Set when nothing is sent any more.
const ENDED: u8 = 1 << 7;

/// How sending goes.
#[derive(Debug)]
pub(super) struct State {
    /// A bit for each signal that the collector did not take last.
    failing: AtomicU8,
    collectors: String,
}

impl State {
    pub(super) fn of(config: &TelemetryConfig) -> Self {
        let mut collectors: Vec<_> =
            Signal::ALL.iter().filter_map(|signal| config.target(*signal)).map(|to| origin(&to.endpoint)).collect();
        collectors.dedup();
        Self { failing: AtomicU8::new(0), collectors: collectors.join(", ") }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.failing.load(Ordering::Relaxed) & !ENDED == 0
    }

    /// Nothing is sent from now on, and nothing said of it.
    pub(super) fn end(&self) {
        self.failing.fetch_or(ENDED, Ordering::Relaxed);
    }

    fn has_ended(&self) -> bool {
        self.failing.load(Ordering::Relaxed) & ENDED != 0
    }

    fn note(&self, signal: Signal, result: &OTelSdkResult) {
        let bit = match signal {
            Signal::Traces => 1,
            Signal::Metrics => 1 << 1,
            Signal::Logs => 1 << 2,
        };
        match result {
            Err(error) if self.failing.fetch_or(bit, Ordering::Relaxed) == 0 => {
                let (code, collectors, why) = (Code::TelemetryExport, &self.collectors, clip(&error.to_string()));
                let what = format!("telemetry cannot be sent to {collectors}, and what waits may be dropped: {why}");
                tracing::warn!(%code, "{}", Error::new(code, what).hint("said once, until it can be sent again"));
            }
            Ok(()) if self.failing.fetch_and(!bit, Ordering::Relaxed) == bit => {
                tracing::warn!(collector = %self.collectors, "telemetry is sent again");
            }
            _ => {}
        }
    }
}

/// An address without what may be secret in it.
fn origin(endpoint: &str) -> String {
    Url::parse(endpoint).map_or_else(|_| "?".to_owned(), |url| url.origin().ascii_serialization())
}

/// An exporter that is watched, and that works in the runtime of telemetry on whichever thread it is called.
#[derive(Debug)]
pub(super) struct Watched<E> {
    inner: E,
    state: Arc<State>,
    signal: Signal,
    handle: Handle,
}

impl<E> Watched<E> {
    pub(super) fn new(inner: E, (state, signal, handle): (Arc<State>, Signal, Handle)) -> Self {
        Self { inner, state, signal, handle }
    }

    async fn watch(&self, sending: impl Future<Output = OTelSdkResult> + Send) -> OTelSdkResult {
        if self.state.has_ended() {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        let mut sending = std::pin::pin!(sending);
        let result = std::future::poll_fn(|cx| {
            let _entered = self.handle.enter();
            sending.as_mut().poll(cx)
        });
        let result = result.await;
        self.state.note(self.signal, &result);
        result
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.watch(self.inner.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Watched<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.watch(self.inner.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Watched<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.watch(self.inner.export(metrics)).await
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Protocol;

    fn failed() -> OTelSdkResult {
        Err(OTelSdkError::InternalFailure("no".to_owned()))
    }

    #[test]
    fn it_is_ready_unless_a_signal_was_not_taken_last() {
        let state = State::of(&TelemetryConfig::to("http://user:canary@c:4317/x", Protocol::Grpc));
        assert_eq!(state.collectors, "http://c:4317");
        assert!(state.is_ready(), "nothing was sent yet");
        state.note(Signal::Traces, &failed());
        state.note(Signal::Logs, &failed());
        state.note(Signal::Traces, &Ok(()));
        assert!(!state.is_ready(), "logs are not taken still");
        state.note(Signal::Logs, &Ok(()));
        assert!(state.is_ready());
        state.end();
        assert!(state.has_ended() && state.is_ready());
    }
}
