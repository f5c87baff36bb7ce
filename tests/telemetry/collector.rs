//! A collector: takes OTLP over gRPC and HTTP on one port, and keeps what it got.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use tokio::net::TcpListener;

/// What a collector got.
#[derive(Clone, Default)]
pub(crate) struct Collected {
    traces: Vec<ExportTraceServiceRequest>,
    logs: Vec<ExportLogsServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
    bytes: Vec<Vec<u8>>,
    /// The headers of each request.
    pub(crate) heads: Vec<HeaderMap>,
}

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    collected: Arc<Mutex<Collected>>,
}

/// A log record.
pub(crate) struct Log {
    pub(crate) body: String,
    pub(crate) trace_id: Vec<u8>,
    pub(crate) span_id: Vec<u8>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let collected = Arc::new(Mutex::new(Collected::default()));
        let keep = Arc::clone(&collected);
        let router = Router::new().fallback(move |request: Request| take(keep, request));
        let (tell, address) = tokio::sync::oneshot::channel();
        // On a thread of its own, so that it answers whatever a test waits for.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                axum::serve(listener, router).await
            })
        });
        Self { address: address.await.unwrap(), collected }
    }

    pub(crate) fn collected(&self) -> Collected {
        self.collected.lock().unwrap().clone()
    }
}

async fn take(collected: Arc<Mutex<Collected>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let grpc = header("content-type").starts_with("application/grpc");
    let body = body.collect().await.unwrap().to_bytes();
    let message = match grpc {
        // One message: a flag, its length in four bytes, itself.
        true if body[0] == 1 => inflated(&body[5..]),
        true => body[5..].to_vec(),
        false if header("content-encoding") == "gzip" => inflated(&body),
        false => body.to_vec(),
    };
    {
        let mut collected = collected.lock().unwrap();
        match parts.uri.path() {
            "/v1/traces" | "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => {
                collected.traces.push(ExportTraceServiceRequest::decode(&*message).unwrap());
            }
            "/v1/logs" | "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => {
                collected.logs.push(ExportLogsServiceRequest::decode(&*message).unwrap());
            }
            "/v1/metrics" | "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => {
                collected.metrics.push(ExportMetricsServiceRequest::decode(&*message).unwrap());
            }
            other => panic!("nothing is sent to {other}"),
        }
        collected.bytes.push(message);
        collected.heads.push(parts.headers.clone());
    }
    if !grpc {
        return Response::builder().header("content-type", "application/x-protobuf").body(Body::empty()).unwrap();
    }
    let trailers = [("grpc-status", "0")].map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let frames = [Frame::data(Bytes::from_static(&[0; 5])), Frame::trailers(trailers.into_iter().collect())];
    let frames = futures::stream::iter(frames.map(Ok::<_, Infallible>));
    Response::builder().header("content-type", "application/grpc").body(Body::new(StreamBody::new(frames))).unwrap()
}

fn inflated(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

fn keys(attributes: &[KeyValue]) -> String {
    let mut keys: Vec<_> = attributes.iter().map(|pair| pair.key.as_str()).collect();
    keys.sort_unstable();
    keys.join(" ")
}

impl Collected {
    fn spans(&self) -> impl Iterator<Item = &Span> {
        let scopes = self.traces.iter().flat_map(|request| &request.resource_spans).flat_map(|of| &of.scope_spans);
        scopes.flat_map(|scope| &scope.spans)
    }

    /// The ids of all traces.
    pub(crate) fn traces(&self) -> Vec<String> {
        let ids: BTreeSet<_> = self.spans().map(|span| hex::encode(&span.trace_id)).collect();
        ids.into_iter().collect()
    }

    /// The spans of a trace, in the order in which they began.
    pub(crate) fn spans_of(&self, trace: &str) -> Vec<Span> {
        let mut spans: Vec<_> = self.spans().filter(|span| hex::encode(&span.trace_id) == trace).cloned().collect();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }

    /// The spans of a trace below `parent`, one a line: its kind, whether it failed, the names of its attributes.
    pub(crate) fn tree(&self, trace: &str, parent: &str) -> String {
        fn below(spans: &[Span], parent: &str, depth: usize, lines: &mut Vec<String>) {
            for span in spans.iter().filter(|span| hex::encode(&span.parent_span_id) == parent) {
                let failed = span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error);
                let (kind, failed) = (format!("{:?}", span.kind()), if failed { " failed" } else { "" });
                lines.push(format!("{}{} [{kind}{failed}] {}", "  ".repeat(depth), span.name, keys(&span.attributes)));
                below(spans, &hex::encode(&span.span_id), depth + 1, lines);
            }
        }
        let (spans, mut lines) = (self.spans_of(trace), Vec::new());
        below(&spans, parent, 0, &mut lines);
        assert_eq!(lines.len(), spans.len(), "every span hangs together with the caller's: {lines:#?}");
        lines.join("\n")
    }

    pub(crate) fn logs(&self) -> Vec<Log> {
        let scopes = self.logs.iter().flat_map(|request| &request.resource_logs).flat_map(|of| &of.scope_logs);
        let log = |record: &opentelemetry_proto::tonic::logs::v1::LogRecord| Log {
            body: text(record.body.as_ref()),
            trace_id: record.trace_id.clone(),
            span_id: record.span_id.clone(),
        };
        scopes.flat_map(|scope| &scope.log_records).map(log).collect()
    }

    pub(crate) fn metric_names(&self) -> BTreeSet<String> {
        let scopes = self.metrics.iter().flat_map(|request| &request.resource_metrics).flat_map(|of| &of.scope_metrics);
        scopes.flat_map(|scope| &scope.metrics).map(|metric| metric.name.clone()).collect()
    }

    /// The attributes of what the telemetry is of, request by request.
    pub(crate) fn resources(&self) -> Vec<BTreeMap<String, String>> {
        let traces = self.traces.iter().flat_map(|request| &request.resource_spans).map(|of| of.resource.as_ref());
        let logs = self.logs.iter().flat_map(|request| &request.resource_logs).map(|of| of.resource.as_ref());
        let metrics = self.metrics.iter().flat_map(|request| &request.resource_metrics).map(|of| of.resource.as_ref());
        let all: Vec<_> = traces.chain(logs).chain(metrics).map(Option::unwrap).collect();
        assert!(!all.is_empty());
        let pairs = |attributes: &[KeyValue]| {
            attributes.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect::<BTreeMap<_, _>>()
        };
        all.into_iter().map(|resource| pairs(&resource.attributes)).collect()
    }

    /// Whether `text` is anywhere in what was sent.
    pub(crate) fn hold(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.bytes.iter().any(|message| message.windows(text.len()).any(|part| part == text))
    }
}
