//! Exporters for one collector.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::{
    Compression, ExporterBuildError, LogExporter, MetricExporter, Protocol as Otlp, SpanExporter,
    WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};

use crate::error::{Code, Error, Result};
use crate::telemetry::settings::{Protocol, Target};

/// The three builders have the same methods, and no trait in common that says so.
macro_rules! exporter {
    ($(#[$meta:meta])* $name:ident, $exporter:ty) => {
        $(#[$meta])*
        pub(super) fn $name(target: &Target) -> Result<$exporter> {
            let built = match target.protocol {
                Protocol::Grpc => {
                    let builder = <$exporter>::builder().with_tonic().with_endpoint(target.endpoint.clone());
                    let builder = builder.with_metadata(metadata(target));
                    let builder = if target.gzip { builder.with_compression(Compression::Gzip) } else { builder };
                    builder.build()
                }
                Protocol::Http => {
                    let builder = <$exporter>::builder().with_http().with_protocol(Otlp::HttpBinary);
                    let builder = builder.with_endpoint(target.endpoint.clone()).with_headers(headers(target));
                    let builder = if target.gzip { builder.with_compression(Compression::Gzip) } else { builder };
                    builder.build()
                }
            };
            built.map_err(|error| unusable(&error))
        }
    };
}

exporter! {
    /// Sends spans to `target`.
    span_exporter, SpanExporter
}
exporter! {
    /// Sends metrics to `target`.
    metric_exporter, MetricExporter
}
exporter! {
    /// Sends log records to `target`.
    log_exporter, LogExporter
}

fn headers(target: &Target) -> HashMap<String, String> {
    target.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
}

fn metadata(target: &Target) -> MetadataMap {
    let pairs = target.headers.iter().filter_map(|(name, value)| {
        let mut value = HeaderValue::try_from(value.expose()).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::try_from(name).ok()?, value))
    });
    MetadataMap::from_headers(pairs.collect::<HeaderMap>())
}

fn unusable(error: &ExporterBuildError) -> Error {
    Error::new(Code::TelemetryInvalid, format!("nothing can be sent to the collector: {error}"))
        .hint("see OTEL_EXPORTER_OTLP_ENDPOINT and the variables beside it")
}
