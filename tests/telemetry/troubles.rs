//! Collectors that are down or hang, and settings that cannot be used.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Program, Upstream, command};

/// Serves while the collector at `endpoint` takes nothing, and gives what the program said.
async fn served_without(endpoint: &str, protocol: &str) -> String {
    let upstream = Upstream::start().await;
    let vars = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "300"),
        ("OTEL_BSP_SCHEDULE_DELAY", "10"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "10"),
    ];
    let program = Program::start(&upstream, &vars);
    program.say("hi", None).await;
    program.replies(1).await;
    // The host works; that nobody takes its telemetry shows where somebody looks.
    loop {
        let health = program.client.get(format!("{}/healthz", program.root())).send().await.unwrap();
        let health: Value = health.json().await.unwrap();
        if health["telemetry_ready"] == false {
            assert_eq!(health["status"], "degraded");
            break;
        }
    }
    let begun = Instant::now();
    let (code, report) = program.stop();
    assert_eq!(code, Some(0), "{report}");
    assert!(begun.elapsed() < Duration::from_secs(25), "nobody is waited for without end");
    report
}

fn assert_said_once(report: &str) {
    assert_eq!(report.matches("telemetry cannot be sent").count(), 1, "{report}");
    assert!(report.contains("GRH-1132"), "{report}");
}

#[tokio::test]
async fn a_collector_that_is_down_is_said_once_and_holds_up_nothing() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    assert_said_once(&served_without(&format!("http://127.0.0.1:{port}"), "grpc").await);
}

#[tokio::test]
async fn a_collector_that_hangs_is_said_once_and_holds_up_nothing() {
    // It takes connections, as the system does for it, and never answers.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    assert_said_once(&served_without(&endpoint, "http/protobuf").await);
}

#[test]
fn settings_that_cannot_be_used_end_the_program_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let vars = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"), ("OTEL_TRACES_SAMPLER", "often")];
    let output = command(dir.path(), &vars).args(["serve", "--pack", "x"]).output().unwrap();
    let report = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{report}");
    assert!(report.contains("GRH-1130") && report.contains("OTEL_TRACES_SAMPLER"), "{report}");
}
