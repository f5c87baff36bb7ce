//! Sending traces, metrics and logs to a collector over OTLP.
//!
//! What is to be sent waits in queues of fixed size, and threads of their own send it: a collector that is down or hangs
//! holds up nothing, and what finds its queue full is dropped. That a collector does not answer is logged once, and once
//! when it does again.

pub(super) mod carrier;
mod exporters;
mod watched;

use std::fmt;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::PeriodicReader;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use parking_lot::Mutex;
use tokio::runtime::{Handle, Runtime};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::Identity;
use tracing_subscriber::registry::LookupSpan;

use super::metrics::{Metrics, SCOPE};
use super::settings::{Sampling, Signal, Target, TelemetryConfig};
use super::spans;
use crate::error::{Code, Error, Result};
use exporters::{log_exporter, metric_exporter, span_exporter};
use watched::{State, Watched};

/// The telemetry of the process, once it is installed.
static INSTALLED: OnceLock<Telemetry> = OnceLock::new();

/// Sends telemetry. Cheap to clone.
///
/// ```no_run
/// use greentic_runner_host::telemetry::{Protocol, Telemetry, TelemetryConfig};
/// use greentic_runner_host::{HostBuilder, HostConfig};
/// use tracing_subscriber::prelude::*;
///
/// # fn main() -> greentic_runner_host::Result<()> {
/// let telemetry = Telemetry::start(&TelemetryConfig::to("http://localhost:4317", Protocol::Grpc))?;
/// tracing_subscriber::registry().with(telemetry.layer()).init();
/// let config = HostConfig::from_yaml("tenant: acme", "acme.yaml")?;
/// let host = HostBuilder::new().with_config(config).with_telemetry(telemetry.clone()).build()?;
/// # drop(host);
/// telemetry.stop(std::time::Duration::from_secs(5));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

struct Inner {
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
    metrics: Option<Target>,
    resource: Resource,
    state: Arc<State>,
    handle: Handle,
    /// Makes the connections. None once it is stopped.
    runtime: Mutex<Option<Runtime>>,
}

impl Telemetry {
    /// Begins to send what `config` says.
    ///
    /// # Errors
    ///
    /// [`Code::TelemetryInvalid`] if there is something in it that cannot be used.
    pub fn start(config: &TelemetryConfig) -> Result<Self> {
        crate::net::tls::install();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("telemetry")
            .enable_all()
            .build()
            .map_err(|e| Error::new(Code::Internal, format!("telemetry has no runtime: {e}")))?;
        let handle = runtime.handle().clone();
        let (state, resource) = (Arc::new(State::of(config)), resource(config));
        let watch = |signal| (Arc::clone(&state), signal, handle.clone());
        // Exporters make their connections in the runtime that is entered.
        let entered = handle.enter();
        let traces = match &config.traces {
            Some(target) => {
                let exporter = Watched::new(span_exporter(target)?, watch(Signal::Traces));
                let provider = SdkTracerProvider::builder().with_resource(resource.clone());
                Some(provider.with_sampler(sampler(config)).with_batch_exporter(exporter).build())
            }
            None => None,
        };
        let logs = match &config.logs {
            Some(target) => {
                let exporter = Watched::new(log_exporter(target)?, watch(Signal::Logs));
                let provider = SdkLoggerProvider::builder().with_resource(resource.clone());
                Some(provider.with_batch_exporter(exporter).build())
            }
            None => None,
        };
        drop(entered);
        if let Some(provider) = &traces {
            carrier::report_with(provider.tracer(SCOPE));
        }
        let metrics = config.metrics.clone();
        let runtime = Mutex::new(Some(runtime));
        Ok(Self { inner: Arc::new(Inner { traces, logs, metrics, resource, state, handle, runtime }) })
    }

    /// Makes it that of every host of the process that is given no other one. The first that is installed stays.
    pub fn install(&self) {
        // It is one already.
        drop(INSTALLED.set(self.clone()));
    }

    /// That of the process, if one is installed.
    pub fn installed() -> Option<Self> {
        INSTALLED.get().cloned()
    }

    /// Collects spans, and log records from `info` on, for a subscriber of the `tracing` crate.
    pub fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let traces = self.inner.traces.as_ref().map(|provider| {
            let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer(SCOPE));
            let layer = layer.with_location(false).with_threads(false).with_tracked_inactivity(false);
            let layer = layer.with_level(false).with_target(false);
            layer.with_filter(filter_fn(spans::is_span).with_max_level_hint(LevelFilter::INFO))
        });
        let logs = self.inner.logs.as_ref().map(|provider| {
            let records = filter_fn(is_own_record).with_max_level_hint(LevelFilter::INFO);
            OpenTelemetryTracingBridge::new(provider).with_filter(records)
        });
        // A layer that is none, on top of another and right over the registry, would switch that one off.
        match (traces, logs) {
            (Some(traces), Some(logs)) => Box::new(Layer::<S>::and_then(traces, logs)),
            (Some(traces), None) => Box::new(traces),
            (None, Some(logs)) => Box::new(logs),
            (None, None) => Box::new(None::<Identity>),
        }
    }

    /// Whether the collector took what was sent to it last.
    pub fn is_ready(&self) -> bool {
        self.inner.state.is_ready()
    }

    /// The metrics of a host, which are sent as well.
    pub(super) fn metrics(&self) -> Result<Metrics> {
        let resource = self.inner.resource.clone();
        let Some(target) = &self.inner.metrics else { return Metrics::with(resource, |builder| builder) };
        let exporter = {
            let _entered = self.inner.handle.enter();
            metric_exporter(target)?
        };
        let watch = (Arc::clone(&self.inner.state), Signal::Metrics, self.inner.handle.clone());
        let reader = PeriodicReader::builder(Watched::new(exporter, watch)).build();
        Metrics::with(resource, |builder| builder.with_reader(reader))
    }

    /// Sends the spans and log records that wait, for at most `within`. False if that did not suffice.
    pub fn flush(&self, within: Duration) -> bool {
        self.aside(within, |inner| {
            // Why something failed is told by who sends.
            inner.traces.iter().for_each(|traces| drop(traces.force_flush()));
            inner.logs.iter().for_each(|logs| drop(logs.force_flush()));
        })
    }

    /// Sends what waits, for at most `within`, and nothing from then on. False if the time did not suffice.
    pub fn stop(&self, within: Duration) -> bool {
        let done = self.aside(within, move |inner| {
            inner.traces.iter().for_each(|traces| drop(traces.shutdown_with_timeout(within)));
            inner.logs.iter().for_each(|logs| drop(logs.shutdown_with_timeout(within)));
        });
        self.inner.state.end();
        if let Some(runtime) = self.inner.runtime.lock().take() {
            runtime.shutdown_background();
        }
        done
    }

    /// Does what may block on a thread of its own, and waits for it no longer than `within`.
    fn aside(&self, within: Duration, work: impl FnOnce(&Inner) + Send + 'static) -> bool {
        let (done, ended) = mpsc::channel();
        let inner = Arc::clone(&self.inner);
        let spawned = std::thread::Builder::new().name("telemetry-flush".to_owned()).spawn(move || {
            work(&inner);
            // Nobody has to wait any more.
            let _ = done.send(());
        });
        spawned.is_ok() && ended.recv_timeout(within).is_ok()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A runtime that is dropped where futures run would wait, which is forbidden there.
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("ready", &self.is_ready()).finish_non_exhaustive()
    }
}

/// What telemetry is of.
fn resource(config: &TelemetryConfig) -> Resource {
    Resource::builder()
        .with_service_name(config.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

fn sampler(config: &TelemetryConfig) -> Sampler {
    let sampler = match config.sampling {
        Sampling::All => Sampler::AlwaysOn,
        Sampling::None => Sampler::AlwaysOff,
        Sampling::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
    };
    if config.parent_based { Sampler::ParentBased(Box::new(sampler)) } else { sampler }
}

/// Whether a record is of this host or its guests. What libraries log about sending would be sent on and on.
fn is_own_record(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    metadata.is_event()
        && *metadata.level() <= Level::INFO
        && (target == "audit" || target.starts_with("greentic::") || target.starts_with("greentic_runner_host"))
}
