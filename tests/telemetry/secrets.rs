//! A secret that a component was given, and puts wherever it can: it reaches no collector.

use std::path::Path;
use std::time::SystemTime;

use crate::collector::Collector;
use crate::common::guest_path;
use crate::program::{Program, Upstream};
use crate::{TRACE, traceparent};

const CANARY: &str = "canary-\"5f0c\"-9d2e";

fn flow(op: &str) -> String {
    format!(
        "
id: {op}
type: http
nodes:
  call:
    component.exec:
      component: reader
      operation: {op}
      input: {{ key: CRM_KEY, started: '{{{{in.raw.body.started}}}}' }}
    routing: [{{ to: answer }}]
  answer:
    emit.response: {{ done: true }}
"
    )
}

fn put(pack: &Path) {
    std::fs::copy(guest_path("secret-reader"), pack.join("components/reader.wasm")).unwrap();
    for op in ["log", "fail"] {
        std::fs::write(pack.join(format!("{op}.ygtc")), flow(op)).unwrap();
    }
}

#[tokio::test]
async fn a_secret_that_a_guest_puts_into_spans_and_records_is_not_exported() {
    for protocol in ["http/protobuf", "grpc"] {
        let (collector, upstream) = (Collector::start().await, Upstream::start().await);
        let endpoint = format!("http://{}", collector.address);
        let vars = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("ACME__CRM_KEY", CANARY),
            ("RUST_LOG", "info"),
        ];
        let program = Program::with(&upstream, &vars, put);
        let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        for (op, status) in [("log", 200), ("fail", 500)] {
            let request = program.client.post(format!("{}/webhook/{op}", program.url));
            let request =
                request.header("traceparent", traceparent(TRACE)).json(&serde_json::json!({ "started": started }));
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status().as_u16() / 100, status / 100, "{op}: {}", answer.text().await.unwrap());
        }
        let (_, report) = program.stop();
        let collected = collector.collected();
        // Spans of the interface with fields, and of three with JSON.
        let names: Vec<_> = collected.spans_of(TRACE).into_iter().map(|span| span.name).collect();
        let of = |name: &str| names.iter().filter(|found| *found == name).count();
        assert_eq!((of("used [redacted]"), of("emitted [redacted]")), (1, 3), "{names:?}");
        let records: Vec<_> = collected.logs().into_iter().map(|log| log.body).collect();
        for record in
            ["provider=used [redacted] key=[redacted] [redacted]=named", "plain [redacted]", "it is [redacted]"]
        {
            assert!(records.iter().any(|found| found.contains(record)), "{record}: {records:#?}");
        }
        for part in ["canary", "5f0c", "9d2e"] {
            assert!(!collected.hold(part), "{part}");
            assert!(!report.contains(part), "{part}: {report}");
        }
    }
}
