//! Reading the variables.

use url::Url;

use super::{Protocol, SERVICE, Sampling, Signal, Target, TelemetryConfig, invalid};
use crate::error::{Code, Error, Result};
use crate::secret::Secret;

const OTLP: &str = "OTEL_EXPORTER_OTLP";

/// Variables, and what is wrong with them.
pub(super) struct Vars<'a> {
    var: &'a dyn Fn(&str) -> Option<String>,
    findings: Vec<Error>,
}

impl<'a> Vars<'a> {
    pub(super) fn new(var: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { var, findings: Vec::new() }
    }

    pub(super) fn read(mut self) -> Result<Option<TelemetryConfig>> {
        let off = self.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let export = self.get("TELEMETRY_EXPORT");
        // Older hosts wrote their log so; this one does that anyway, and to no collector.
        if off || matches!(export.as_deref(), Some("none" | "json-stdout")) {
            return Ok(None);
        }
        let older = match export.as_deref() {
            None => None,
            Some("otlp-grpc") => Some(Protocol::Grpc),
            Some("otlp-http") => Some(Protocol::Http),
            Some(other) => {
                self.wrong("TELEMETRY_EXPORT", other, "use otlp-grpc, otlp-http or none");
                None
            }
        };
        let [traces, metrics, logs] = Signal::ALL.map(|signal| self.target(signal, older));
        let (sampling, parent_based) = self.sampling();
        let config =
            TelemetryConfig { service_name: self.service_name(), traces, metrics, logs, sampling, parent_based };
        let anything = Signal::ALL.iter().any(|signal| config.target(*signal).is_some());
        match self.findings.is_empty() {
            true => Ok(anything.then_some(config)),
            false => {
                let summary = format!("{} variables of telemetry cannot be used", self.findings.len());
                Err(Error::from_many(Code::TelemetryInvalid, summary, self.findings))
            }
        }
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.var)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// A variable for one signal, else the one for all; with the name of the one that was found.
    fn of_signal(&self, signal: Signal, what: &str) -> Option<(String, String)> {
        let names = [format!("{OTLP}_{}_{what}", signal.variable()), format!("{OTLP}_{what}")];
        names.into_iter().find_map(|name| self.get(&name).map(|value| (name, value)))
    }

    fn wrong(&mut self, name: &str, value: &str, hint: &str) {
        self.findings.push(invalid(name, Some(value), hint));
    }

    fn service_name(&self) -> String {
        let attributes = self.get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let attribute = attributes.split(',').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            (name.trim() == "service.name").then(|| value.trim().to_owned())
        });
        self.get("OTEL_SERVICE_NAME").or(attribute).unwrap_or_else(|| SERVICE.to_owned())
    }

    /// Where a signal goes; nowhere unless some variable names a collector, or a protocol for one.
    fn target(&mut self, signal: Signal, older: Option<Protocol>) -> Option<Target> {
        let exporter = format!("OTEL_{}_EXPORTER", signal.variable());
        match self.get(&exporter).as_deref() {
            None | Some("otlp") => {}
            Some("none") => return None,
            Some(other) => {
                self.wrong(&exporter, other, "use otlp or none");
                return None;
            }
        }
        let own = format!("{OTLP}_{}_ENDPOINT", signal.variable());
        let own = self.get(&own).map(|endpoint| (own, endpoint));
        let all = [format!("{OTLP}_ENDPOINT"), "OTLP_ENDPOINT".to_owned()];
        let all = all.into_iter().find_map(|name| self.get(&name).map(|endpoint| (name, endpoint)));
        if own.is_none() && all.is_none() && older.is_none() {
            return None;
        }
        let url = own.as_ref().or(all.as_ref()).and_then(|(name, endpoint)| self.url(name, endpoint));
        let protocol = self.protocol(signal, older, url.as_ref().and_then(Url::port));
        let encrypted = url.is_some_and(|url| url.scheme() == "https");
        if let (Protocol::Grpc, true, Some((name, _))) = (protocol, encrypted, own.as_ref().or(all.as_ref())) {
            let hint = "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf: https is spoken with that alone";
            self.findings.push(invalid(name, None, hint));
        }
        let mut target = match (own, all) {
            (Some((_, endpoint)), _) => Target { endpoint, protocol, headers: Vec::new(), gzip: false },
            (None, Some((_, endpoint))) => Target::of(&endpoint, protocol, signal),
            (None, None) => Target::of(protocol.default_endpoint(), protocol, signal),
        };
        target.headers = self.headers(signal);
        target.gzip = self.gzip(signal);
        Some(target)
    }

    fn url(&mut self, name: &str, endpoint: &str) -> Option<Url> {
        let url = Url::parse(endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if url.is_none() {
            // It may hold a password.
            self.findings.push(invalid(name, None, "give an URL such as http://localhost:4317"));
        }
        url
    }

    fn protocol(&mut self, signal: Signal, older: Option<Protocol>, port: Option<u16>) -> Protocol {
        let usual = if port == Some(4317) { Protocol::Grpc } else { Protocol::Http };
        let usual = older.unwrap_or(usual);
        let Some((name, value)) = self.of_signal(signal, "PROTOCOL") else { return usual };
        match value.as_str() {
            "grpc" => Protocol::Grpc,
            "http/protobuf" => Protocol::Http,
            other => {
                self.wrong(&name, other, "use grpc or http/protobuf");
                usual
            }
        }
    }

    fn gzip(&mut self, signal: Signal) -> bool {
        match self.of_signal(signal, "COMPRESSION") {
            None => false,
            Some((_, value)) if value == "none" => false,
            Some((_, value)) if value == "gzip" => true,
            Some((name, value)) => {
                self.wrong(&name, &value, "use gzip or none");
                false
            }
        }
    }

    fn headers(&mut self, signal: Signal) -> Vec<(String, Secret)> {
        let older = || self.get("OTLP_HEADERS").map(|value| ("OTLP_HEADERS".to_owned(), value));
        let Some((name, text)) = self.of_signal(signal, "HEADERS").or_else(older) else { return Vec::new() };
        let mut headers = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let read = pair.split_once('=').and_then(|(key, value)| {
                let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().ok()?;
                let key = http::HeaderName::try_from(key.trim().to_ascii_lowercase()).ok()?;
                http::HeaderValue::try_from(&*value).ok()?;
                Some((key.as_str().to_owned(), Secret::new(value)))
            });
            match read {
                Some(header) => headers.push(header),
                None => {
                    self.findings.push(invalid(&name, None, "give NAME=VALUE, several with commas"));
                    break;
                }
            }
        }
        headers
    }

    fn sampling(&mut self) -> (Sampling, bool) {
        const NAME: &str = "OTEL_TRACES_SAMPLER";
        const ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
        let Some(sampler) = self.get(NAME) else { return self.older_sampling() };
        let (parent_based, plain) = match sampler.strip_prefix("parentbased_") {
            Some(plain) => (true, plain),
            None => (false, sampler.as_str()),
        };
        let sampling = match plain {
            "always_on" => Sampling::All,
            "always_off" => Sampling::None,
            "traceidratio" => {
                let ratio = self.get(ARG).unwrap_or_else(|| "1".to_owned());
                self.ratio(ARG, &ratio)
            }
            _ => {
                let known = "use always_on, always_off or traceidratio, each also with parentbased_ in front";
                self.wrong(NAME, &sampler, known);
                Sampling::All
            }
        };
        (sampling, parent_based)
    }

    /// `TELEMETRY_SAMPLING`: `parent`, or `traceidratio:RATIO`.
    fn older_sampling(&mut self) -> (Sampling, bool) {
        const NAME: &str = "TELEMETRY_SAMPLING";
        match self.get(NAME).as_deref() {
            None | Some("parent") => (Sampling::All, true),
            Some(text) => match text.strip_prefix("traceidratio:") {
                Some(ratio) => (self.ratio(NAME, ratio), true),
                None => {
                    self.wrong(NAME, text, "use parent or traceidratio:0.1");
                    (Sampling::All, true)
                }
            },
        }
    }

    fn ratio(&mut self, name: &str, text: &str) -> Sampling {
        match text.trim().parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Sampling::Ratio(ratio),
            _ => {
                self.wrong(name, text, "give a number from 0 to 1");
                Sampling::All
            }
        }
    }
}
