//! What is exported, whereto and how: OpenTelemetry's variables, and those of older hosts where they say nothing.

use std::fmt;

use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::secret::Secret;

mod vars;

use vars::Vars;

/// The service's name unless another one is set.
pub(super) const SERVICE: &str = "greentic-runner-host";

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
    /// Log records.
    Logs,
}

impl Signal {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// Its name in variables.
    fn variable(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    /// Where it lies at a collector that speaks HTTP.
    fn path(self) -> &'static str {
        match self {
            Self::Traces => "v1/traces",
            Self::Metrics => "v1/metrics",
            Self::Logs => "v1/logs",
        }
    }
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `grpc`
    Grpc,
    /// `http/protobuf`
    Http,
}

impl Protocol {
    /// Where a collector of this machine listens.
    fn default_endpoint(self) -> &'static str {
        match self {
            Self::Grpc => "http://localhost:4317",
            Self::Http => "http://localhost:4318",
        }
    }
}

/// Which traces are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// All.
    All,
    /// None.
    None,
    /// This part of all traces, from 0 to 1.
    Ratio(f64),
}

/// Where one signal goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The collector's address; with HTTP that of the signal itself.
    pub endpoint: String,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Headers that every request carries.
    pub headers: Vec<(String, Secret)>,
    /// Whether bodies are compressed by gzip.
    pub gzip: bool,
}

/// What is exported.
#[derive(Clone, Debug, PartialEq)]
pub struct TelemetryConfig {
    /// The service's name.
    pub service_name: String,
    /// Where spans go, if anywhere.
    pub traces: Option<Target>,
    /// Where metrics go, if anywhere.
    pub metrics: Option<Target>,
    /// Where log records go, if anywhere.
    pub logs: Option<Target>,
    /// Which traces are kept of those that begin here.
    pub sampling: Sampling,
    /// Whether a trace that began elsewhere is kept where it was kept there.
    pub parent_based: bool,
}

impl TelemetryConfig {
    /// All signals to the collector at `endpoint`, all traces kept.
    pub fn to(endpoint: &str, protocol: Protocol) -> Self {
        let target = |signal| Some(Target::of(endpoint, protocol, signal));
        Self {
            service_name: SERVICE.to_owned(),
            traces: target(Signal::Traces),
            metrics: target(Signal::Metrics),
            logs: target(Signal::Logs),
            sampling: Sampling::All,
            parent_based: true,
        }
    }

    /// What the environment of this process says.
    ///
    /// # Errors
    ///
    /// [`Code::TelemetryInvalid`] with every variable that cannot be used.
    pub fn from_env() -> Result<Option<Self>> {
        Self::from_vars(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// The same of other variables. None if nothing is to be exported. An empty variable counts as not set.
    ///
    /// # Errors
    ///
    /// [`Code::TelemetryInvalid`] with every variable that cannot be used.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        Vars::new(&var).read()
    }

    /// Where `signal` goes, if anywhere.
    pub fn target(&self, signal: Signal) -> Option<&Target> {
        match signal {
            Signal::Traces => self.traces.as_ref(),
            Signal::Metrics => self.metrics.as_ref(),
            Signal::Logs => self.logs.as_ref(),
        }
    }
}

impl Target {
    /// The place of `signal` at the collector at `endpoint`.
    fn of(endpoint: &str, protocol: Protocol, signal: Signal) -> Self {
        let endpoint = match protocol {
            Protocol::Grpc => endpoint.to_owned(),
            Protocol::Http => format!("{}/{}", endpoint.trim_end_matches('/'), signal.path()),
        };
        Self { endpoint, protocol, headers: Vec::new(), gzip: false }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("protocol", &self.protocol).field("gzip", &self.gzip).finish_non_exhaustive()
    }
}

/// The error for a variable that cannot be used. Its value is shown only where it is no secret.
fn invalid(name: &str, value: Option<&str>, hint: &str) -> Error {
    let value = value.map(|value| format!(" {:?}", clip(value))).unwrap_or_default();
    Error::new(Code::TelemetryInvalid, format!("the environment variable {name} cannot be used:{value}")).hint(hint)
}

#[cfg(test)]
mod tests;
