//! The export of telemetry by the program as an operator runs it, to a collector that the test is: both protocols, all
//! signals, and what becomes of the program when the collector is none.
#![cfg(feature = "telemetry")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod collector;
#[path = "../common/mod.rs"]
mod common;
mod program;
mod secrets;
mod sending;
#[cfg(feature = "mcp")]
mod tools;
mod troubles;

use std::time::{Duration, SystemTime};

use collector::{Collected, Collector};
use greentic_runner_host::secret::Secret;
use greentic_runner_host::telemetry::{Protocol, Telemetry, TelemetryConfig};
use greentic_runner_host::{Activity, HostBuilder};
use program::{Program, Upstream};
use tracing_subscriber::prelude::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A traceparent of the caller's, sampled.
fn traceparent(trace: &str) -> String {
    format!("00-{trace}-{CALLER}-01")
}

/// What another system on the way says of the trace.
const STATE: &str = "vendor=1";

/// Sends one request through a flow with every kind of span, and gives what the collector got.
async fn one_request(protocol: &str, more: &[(&str, &str)]) -> (Collected, Upstream) {
    let (collector, upstream) = (Collector::start().await, Upstream::start().await);
    let endpoint = format!("http://{}", collector.address);
    let vars = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
    let program = Program::start(&upstream, &[&vars[..], more].concat());
    let url = format!("{}/webhook/order?token=canary", program.url);
    let request = program.client.post(url).header("traceparent", traceparent(TRACE)).header("tracestate", STATE);
    let request = request.header("x-secret", "canary");
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    let url = format!("http://{}/rows?key=canary", upstream.address);
    let body = serde_json::json!({ "url": url, "started": started, "card": "canary" });
    let answer = request.json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let (code, report) = program.stop();
    assert_eq!(code, Some(0), "{report}");
    (collector.collected(), upstream)
}

/// One flow's spans as a tree, each with the names of its attributes.
async fn tree(protocol: &str) -> String {
    let (collected, upstream) = one_request(protocol, &[]).await;
    let spans = collected.spans_of(TRACE);
    let outgoing = spans.iter().find(|span| span.name == "GET").unwrap();
    assert_eq!(upstream.traceparents(), [format!("00-{TRACE}-{}-01", hex::encode(&outgoing.span_id))]);
    assert_eq!(upstream.tracestates(), [STATE]);
    for resource in collected.resources() {
        assert_eq!(resource["service.name"], "greentic-runner-host");
    }
    assert!(!collected.hold("canary"), "what users and guests send is not exported");
    let page = include_str!("../../docs/telemetry.md");
    for key in spans.iter().flat_map(|span| &span.attributes).map(|pair| &pair.key) {
        assert!(page.contains(&format!("`{key}`")) || key.starts_with("guest."), "{key} is not in docs/telemetry.md");
    }
    let call = spans.iter().find(|span| span.name == "call web log").unwrap();
    let note = collected.logs().into_iter().find(|log| log.body.contains("look up")).unwrap();
    assert_eq!((note.trace_id, note.span_id), (call.trace_id.clone(), call.span_id.clone()));
    let names = collected.metric_names();
    for name in ["greentic.events", "greentic.event.duration", "greentic.host_calls", "http.server.request.duration"] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
    collected.tree(TRACE, CALLER)
}

#[tokio::test]
async fn a_flow_is_a_tree_of_spans_over_http() {
    insta::assert_snapshot!("tree", tree("http/protobuf").await);
}

#[tokio::test]
async fn a_flow_is_the_same_tree_of_spans_over_grpc() {
    insta::assert_snapshot!("tree", tree("grpc").await);
}

#[tokio::test]
async fn a_run_that_waited_is_part_of_the_second_trace_and_linked_to_the_first() {
    const SECOND: &str = "1af7651916cd43dd8448eb211c80319c";
    let (collector, upstream) = (Collector::start().await, Upstream::start().await);
    let endpoint = format!("http://{}", collector.address);
    let program = Program::start(&upstream, &[("OTLP_ENDPOINT", &endpoint), ("TELEMETRY_EXPORT", "otlp-grpc")]);
    program.say("hi", Some(&traceparent(TRACE))).await;
    program.replies(1).await;
    program.say("Ada", Some(&traceparent(SECOND))).await;
    program.replies(2).await;
    program.stop();
    let collected = collector.collected();
    let flow = |trace: &str| {
        let spans = collected.spans_of(trace);
        spans.into_iter().find(|span| span.name == "flow chat").unwrap_or_else(|| panic!("no flow in {trace}"))
    };
    let (first, second) = (flow(TRACE), flow(SECOND));
    assert!(first.links.is_empty());
    let [link] = second.links.as_slice() else { panic!("{:?}", second.links) };
    assert_eq!((&link.trace_id, &link.span_id), (&first.trace_id, &first.span_id));
}

#[tokio::test]
async fn an_embedder_gives_its_host_what_to_send_with() {
    const FLOW: &str = "
id: hello
type: messaging
nodes:
  say:
    emit.response: { text: 'Hello {{in.text}}' }
";
    let collector = Collector::start().await;
    let config = TelemetryConfig::to(&format!("http://{}", collector.address), Protocol::Grpc);
    let telemetry = Telemetry::start(&TelemetryConfig { service_name: "mine".to_owned(), ..config }).unwrap();
    // All of this test runs on one thread.
    let _collecting = tracing_subscriber::registry().with(telemetry.layer()).set_default();
    let set_up = |builder: HostBuilder| builder.with_memory_store().with_telemetry(telemetry.clone());
    let host = common::host_of("tenant: t", &common::Sources::of_flow(FLOW), set_up).await.unwrap();
    host.handle_activity("t", Activity::text("hi").from_user("u")).await.unwrap();
    tracing::info!(target: "somebody_elses", "of no concern");
    tracing::info!(target: "greentic::guest", "of concern");
    host.stop().await.unwrap();
    assert!(host.is_telemetry_ready());
    let collected = collector.collected();
    assert!(collected.hold("of concern") && !collected.hold("of no concern"), "records of others stay here");
    assert!(collected.resources().iter().all(|resource| resource["service.name"] == "mine"));
    let [trace] = collected.traces().try_into().unwrap();
    let spans = collected.spans_of(&trace);
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["event", "flow hello", "node say"]);
    assert!(collected.metric_names().contains("greentic.event.duration"), "it was sent when the host stopped");
    drop(host);
    assert!(telemetry.stop(Duration::from_secs(30)));
}

#[tokio::test]
async fn what_is_not_sampled_is_not_exported_and_counted_all_the_same() {
    let (collector, upstream) = (Collector::start().await, Upstream::start().await);
    let endpoint = format!("http://{}", collector.address);
    let vars = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    let program = Program::start(&upstream, &vars);
    program.say("hi", Some(&traceparent(TRACE))).await;
    program.replies(1).await;
    program.stop();
    let collected = collector.collected();
    assert_eq!((collected.spans_of(TRACE).len(), collected.logs().len()), (0, 0));
    assert!(collected.metric_names().contains("greentic.events"));
}

#[tokio::test]
async fn a_caller_decides_whether_its_trace_is_sampled() {
    const UNWANTED: &str = "1af7651916cd43dd8448eb211c80319c";
    let (collector, upstream) = (Collector::start().await, Upstream::start().await);
    let endpoint = format!("http://{}", collector.address);
    let vars = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    let program = Program::start(&upstream, &vars);
    program.say("hi", Some(&traceparent(TRACE))).await;
    program.replies(1).await;
    program.say("Ada", Some(&format!("00-{UNWANTED}-{CALLER}-00"))).await;
    program.replies(2).await;
    program.say("hi", None).await;
    program.replies(3).await;
    program.stop();
    assert_eq!(collector.collected().traces(), [TRACE], "of others nothing is sampled");
}

#[tokio::test]
async fn what_guests_log_is_redacted_where_the_operator_wants_it() {
    let (collected, _) = one_request("http/protobuf", &[("PII_REDACTION_MODE", "strict")]).await;
    let said: Vec<_> = collected.logs().into_iter().map(|log| log.body).collect();
    assert!(said.iter().any(|body| body.contains("[redacted]")), "{said:?}");
    assert!(!said.iter().any(|body| body.contains("look up")), "{said:?}");
}

#[tokio::test]
async fn what_a_collector_wants_comes_with_every_request() {
    const FLOW: &str = "{ id: hello, type: messaging, nodes: { say: { emit.response: hi } } }";
    for (protocol, encoding) in [(Protocol::Grpc, "grpc-encoding"), (Protocol::Http, "content-encoding")] {
        let collector = Collector::start().await;
        let mut config = TelemetryConfig::to(&format!("http://{}", collector.address), protocol);
        for target in [&mut config.traces, &mut config.metrics, &mut config.logs] {
            let target = target.as_mut().unwrap();
            target.headers = vec![("x-key".to_owned(), Secret::new("open sesame"))];
            target.gzip = true;
        }
        let telemetry = Telemetry::start(&config).unwrap();
        // All of this test runs on one thread.
        let _collecting = tracing_subscriber::registry().with(telemetry.layer()).set_default();
        let set_up = |builder: HostBuilder| builder.with_memory_store().with_telemetry(telemetry.clone());
        let host = common::host_of("tenant: t", &common::Sources::of_flow(FLOW), set_up).await.unwrap();
        host.handle_activity("t", Activity::text("hi").from_user("u")).await.unwrap();
        host.stop().await.unwrap();
        drop(host);
        assert!(telemetry.stop(Duration::from_secs(30)));
        let collected = collector.collected();
        assert!(!collected.traces().is_empty() && !collected.metric_names().is_empty());
        for head in &collected.heads {
            assert_eq!(head["x-key"], "open sesame", "{head:?}");
            assert_eq!(head[encoding], "gzip", "{head:?}");
        }
    }
}

#[tokio::test]
async fn what_fails_is_marked_as_failed_up_to_its_event() {
    const FLOW: &str = "{ id: hello, type: messaging, nodes: { a: { trapper: {}, operation: trap } } }";
    let collector = Collector::start().await;
    let config = TelemetryConfig::to(&format!("http://{}", collector.address), Protocol::Http);
    let telemetry = Telemetry::start(&config).unwrap();
    // All of this test runs on one thread.
    let _collecting = tracing_subscriber::registry().with(telemetry.layer()).set_default();
    let set_up = |builder: HostBuilder| builder.with_memory_store().with_telemetry(telemetry.clone());
    let pack = common::Sources::of_flow(FLOW).component("trapper", "trapping");
    let host = common::host_of("tenant: t", &pack, set_up).await.unwrap();
    host.handle_activity("t", Activity::text("hi").from_user("u")).await.unwrap_err();
    host.stop().await.unwrap();
    assert!(telemetry.stop(Duration::from_secs(30)));
    let collected = collector.collected();
    let [trace] = collected.traces().try_into().unwrap();
    let tree = collected.tree(&trace, "");
    for name in ["event", "flow hello", "node a", "call trapper trap"] {
        let line = tree.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{tree}"));
        assert!(line.contains(" failed] ") && line.contains("error.type"), "{tree}");
    }
}
