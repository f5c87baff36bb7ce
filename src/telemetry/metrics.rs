//! Metrics: one set of instruments per host, read as Prometheus text and, with the feature `telemetry`, over OTLP.
//!
//! What happens often is counted on instruments whose attributes are made once. What other rooms count anyway is read
//! from them through a [`Source`] when somebody asks. Attributes are words of the program's own, tenants, providers and
//! routes, never ids that grow; of more than 2000 combinations of one metric the rest is counted together.

mod bound;
mod names;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    AsyncInstrument, BoundCounter, BoundHistogram, Counter, Histogram, Meter, MeterProvider as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{MeterProviderBuilder, SdkMeterProvider};
use parking_lot::Mutex;
use prometheus::{Registry, TextEncoder};

use crate::error::{Code, Error, Result};
use crate::id::Id;
use bound::Bound;
pub use names::{COUNTED, Metric, Observed};

/// The scope that spans, metrics and logs are of.
pub(crate) const SCOPE: &str = "greentic-runner-host";

/// Upper bounds of histograms, in seconds: from what a small component takes to the longest event.
const SECONDS: &[f64] =
    &[0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// What somebody else counts.
pub trait Source: Send + Sync {
    /// Tells the values of `metric`, if it has any.
    fn read(&self, metric: Observed, tell: &mut dyn FnMut(u64, &[KeyValue]));
}

type Sources = Arc<Mutex<Vec<Weak<dyn Source>>>>;
type Counts<K> = Bound<K, BoundCounter<u64>>;
type Times<K> = Bound<K, BoundHistogram<f64>>;

/// The metrics of a host.
pub struct Metrics {
    provider: SdkMeterProvider,
    registry: Registry,
    sources: Sources,
    events: Counts<(Id, Option<Id>, &'static str)>,
    event_failures: Counts<(Id, Code)>,
    event_times: Times<(Id, &'static str)>,
    flow_times: Times<(Id, &'static str, &'static str)>,
    node_times: Times<(Id, &'static str, &'static str)>,
    component_times: Times<(Id, &'static str, &'static str)>,
    component_failures: Counts<(Id, Code)>,
    #[cfg(feature = "mcp")]
    tool_times: Times<(Id, &'static str, &'static str)>,
    tool_failures: Counts<(Id, Code)>,
    http_times: Times<(&'static str, Arc<str>, u16)>,
}

impl Metrics {
    /// Metrics that are read as text alone.
    ///
    /// # Errors
    ///
    /// [`Code::Internal`] if they cannot be made.
    pub fn new() -> Result<Self> {
        Self::with(Resource::builder_empty().build(), |builder| builder)
    }

    /// The same of `resource`, with what `more` adds to read them.
    pub(super) fn with(
        resource: Resource,
        more: impl FnOnce(MeterProviderBuilder) -> MeterProviderBuilder,
    ) -> Result<Self> {
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter().with_registry(registry.clone()).scope_info_enabled(false);
        let reader = reader.build().map_err(|e| Error::new(Code::Internal, format!("metrics cannot be read: {e}")))?;
        let builder = SdkMeterProvider::builder().with_resource(resource).with_reader(reader);
        let provider = more(builder).build();
        let meter = provider.meter(SCOPE);
        let sources = Sources::default();
        Observed::ALL.iter().for_each(|metric| observe(&meter, *metric, &sources));
        let failures = |metric| {
            let counter = counter(&meter, metric);
            Bound::new(move |(tenant, code): &(Id, Code)| {
                counter.bind(&[tenant_is(tenant), KeyValue::new("code", code.to_string())])
            })
        };
        Ok(Self {
            events: events(&meter),
            event_failures: failures(names::EVENT_FAILURES),
            event_times: times(&meter, names::EVENT_DURATION, |(tenant, outcome): &(Id, &'static str)| {
                vec![tenant_is(tenant), KeyValue::new("outcome", *outcome)]
            }),
            flow_times: kinds(&meter, names::FLOW_DURATION, "flow.type"),
            node_times: kinds(&meter, names::NODE_DURATION, "node.type"),
            component_times: kinds(&meter, names::COMPONENT_DURATION, "side"),
            component_failures: failures(names::COMPONENT_FAILURES),
            #[cfg(feature = "mcp")]
            tool_times: kinds(&meter, names::TOOL_DURATION, "tool.type"),
            tool_failures: failures(names::TOOL_FAILURES),
            http_times: http_times(&meter),
            provider,
            registry,
            sources,
        })
    }

    /// Reads what `source` counts as well, as long as it lives.
    pub fn add_source(&self, source: Weak<dyn Source>) {
        let mut sources = self.sources.lock();
        sources.retain(|source| source.strong_count() > 0);
        sources.push(source);
    }

    /// All metrics in the text format of Prometheus.
    ///
    /// # Errors
    ///
    /// [`Code::Internal`] if they cannot be written.
    pub fn text(&self) -> Result<String> {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        text.map_err(|e| Error::new(Code::Internal, format!("metrics cannot be written: {e}")))
    }

    /// Sends what is to be sent, if anything is. It may take as long as the collector takes.
    pub(crate) fn flush(&self) {
        // Why it failed is told by who sends.
        drop(self.provider.force_flush());
    }

    /// An event was offered, and `outcome` says what became of it.
    pub(crate) fn event_offered(&self, tenant: &Id, provider: Option<&Id>, outcome: Offered) {
        self.events.with((tenant.clone(), provider.cloned(), outcome.name()), |count| count.add(1));
    }

    /// An event ended.
    pub(crate) fn event_ended(&self, tenant: &Id, outcome: &'static str, took: Duration, failure: Option<Code>) {
        self.event_times.with((tenant.clone(), outcome), |times| times.record(took.as_secs_f64()));
        if let Some(code) = failure {
            self.event_failures.with((tenant.clone(), code), |count| count.add(1));
        }
    }

    /// A flow of the type `kind` was worked on.
    pub(crate) fn flow_ended(&self, tenant: &Id, kind: &'static str, outcome: &'static str, took: Duration) {
        self.flow_times.with((tenant.clone(), kind, outcome), |times| times.record(took.as_secs_f64()));
    }

    /// A node of the type `kind` was executed.
    pub(crate) fn node_ended(&self, tenant: &Id, kind: &'static str, ok: bool, took: Duration) {
        self.node_times.with((tenant.clone(), kind, ok_or_error(ok)), |times| times.record(took.as_secs_f64()));
    }

    /// A component was called as `side`.
    pub(crate) fn component_called(&self, tenant: &Id, side: &'static str, failure: Option<Code>, took: Duration) {
        let outcome = ok_or_error(failure.is_none());
        self.component_times.with((tenant.clone(), side, outcome), |times| times.record(took.as_secs_f64()));
        if let Some(code) = failure {
            self.component_failures.with((tenant.clone(), code), |count| count.add(1));
        }
    }

    /// A tool of a server, or in WebAssembly, as `kind` says, was tried once.
    #[cfg(feature = "mcp")]
    pub(crate) fn tool_tried(&self, tenant: &Id, kind: &'static str, failure: Option<Code>, took: Duration) {
        let outcome = ok_or_error(failure.is_none());
        self.tool_times.with((tenant.clone(), kind, outcome), |times| times.record(took.as_secs_f64()));
        if let Some(code) = failure {
            self.tool_refused(tenant, code);
        }
    }

    /// A call of a tool was refused before there was an attempt.
    pub(crate) fn tool_refused(&self, tenant: &Id, code: Code) {
        self.tool_failures.with((tenant.clone(), code), |count| count.add(1));
    }

    /// A request was answered. The route is that of the table, not the path; empty if there was none.
    pub(crate) fn request_served(&self, method: &'static str, route: &Arc<str>, status: u16, took: Duration) {
        self.http_times.with((method, Arc::clone(route), status), |times| times.record(took.as_secs_f64()));
    }
}

/// What became of an event that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It is stored.
    Accepted,
    /// It was accepted before.
    Duplicate,
    /// It was not taken.
    Refused,
}

impl Offered {
    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
        }
    }
}

/// How an attribute says whether something went well.
pub(crate) fn ok_or_error(ok: bool) -> &'static str {
    if ok { "ok" } else { "error" }
}

/// The attribute that names a tenant.
pub(crate) fn tenant_is(tenant: &Id) -> KeyValue {
    KeyValue::new("tenant", Arc::clone(tenant))
}

fn counter(meter: &Meter, metric: Metric) -> Counter<u64> {
    meter.u64_counter(metric.name).with_unit(metric.unit).with_description(metric.description).build()
}

fn histogram(meter: &Meter, metric: Metric) -> Histogram<f64> {
    let builder = meter.f64_histogram(metric.name).with_unit(metric.unit).with_description(metric.description);
    builder.with_boundaries(SECONDS.to_vec()).build()
}

fn times<K: Eq + std::hash::Hash + 'static>(
    meter: &Meter,
    metric: Metric,
    attributes: impl Fn(&K) -> Vec<KeyValue> + Send + Sync + 'static,
) -> Times<K> {
    let histogram = histogram(meter, metric);
    Bound::new(move |key| histogram.bind(&attributes(key)))
}

/// Times by tenant, a kind of `what`, and outcome.
fn kinds(meter: &Meter, metric: Metric, what: &'static str) -> Times<(Id, &'static str, &'static str)> {
    times(meter, metric, move |(tenant, kind, outcome): &(Id, &'static str, &'static str)| {
        vec![tenant_is(tenant), KeyValue::new(what, *kind), KeyValue::new("outcome", *outcome)]
    })
}

fn events(meter: &Meter) -> Counts<(Id, Option<Id>, &'static str)> {
    let counter = counter(meter, names::EVENTS);
    Bound::new(move |(tenant, provider, outcome): &(Id, Option<Id>, &'static str)| {
        let provider = KeyValue::new("provider", provider.clone().unwrap_or_else(|| Id::from("")));
        counter.bind(&[tenant_is(tenant), provider, KeyValue::new("outcome", *outcome)])
    })
}

fn http_times(meter: &Meter) -> Times<(&'static str, Arc<str>, u16)> {
    times(meter, names::HTTP_SERVER, |(method, route, status): &(&'static str, Arc<str>, u16)| {
        vec![
            KeyValue::new("http.request.method", *method),
            KeyValue::new("http.route", Arc::clone(route)),
            KeyValue::new("http.response.status_code", i64::from(*status)),
        ]
    })
}

/// Has `metric` read from the sources.
fn observe(meter: &Meter, metric: Observed, sources: &Sources) {
    let sources = Arc::clone(sources);
    let read = move |to: &dyn AsyncInstrument<u64>| {
        let sources: Vec<_> = sources.lock().iter().filter_map(Weak::upgrade).collect();
        for source in sources {
            source.read(metric, &mut |value, attributes| to.observe(value, attributes));
        }
    };
    let Metric { name, unit, description } = metric.metric();
    // The meter keeps what it built.
    if metric.grows() {
        meter.u64_observable_counter(name).with_unit(unit).with_description(description).with_callback(read).build();
    } else {
        meter.u64_observable_gauge(name).with_unit(unit).with_description(description).with_callback(read).build();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
