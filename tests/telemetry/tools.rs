//! Calls of tools: one span for each attempt, at components and servers alike, metrics with the same words, and the trace
//! in each request to a server.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use greentic_runner_host::HostBuilder;
use greentic_runner_host::telemetry::{Protocol, Telemetry, TelemetryConfig};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tracing_subscriber::prelude::*;

use crate::collector::{Collected, Collector};
use crate::common::{Sources, event, guest_path, host_of};

/// A request that a server got: its method, and which trace its headers and its `_meta` say it belongs to.
type Seen = (String, String, Value);

/// An MCP server over HTTP that notes what it is told of traces.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Vec<Seen>>>);

impl Server {
    /// Its address.
    async fn start(&self) -> String {
        let router = Router::new().route("/mcp", post(answer)).with_state(self.clone());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/mcp")
    }

    fn seen(&self, method: &str) -> Vec<Seen> {
        self.0.lock().unwrap().iter().filter(|(seen, ..)| seen == method).cloned().collect()
    }
}

async fn answer(State(server): State<Server>, headers: HeaderMap, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap();
    let method = message["method"].as_str().unwrap_or_default().to_owned();
    let parent = headers.get("traceparent").map_or("", |value| value.to_str().unwrap()).to_owned();
    let calls = server.seen("tools/call").len();
    server.0.lock().unwrap().push((method.clone(), parent, message["params"]["_meta"]["traceparent"].clone()));
    let reply = |result: Value| {
        let text = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string();
        ([(header::CONTENT_TYPE, "application/json")], text).into_response()
    };
    match &*method {
        "initialize" => {
            let info = json!({ "name": "web", "version": "1" });
            reply(json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} }, "serverInfo": info }))
        }
        "tools/list" => reply(json!({ "tools": [{ "name": "find", "inputSchema": { "type": "object" } }] })),
        // Busy at first.
        "tools/call" if calls == 0 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "tools/call" => reply(json!({ "content": [] })),
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

/// A program that writes what it is asked to `$ASKED`.
const PROGRAM: &str = r#"
      command: /bin/sh
      args:
        - '-c'
        - |
          answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
          while read -r line; do
            id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            printf '%s\n' "$line" >> "$ASKED"
            case "$line" in
              *'"method":"initialize"'*) answer '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}' ;;
              *'"method":"tools/list"'*) answer '{"tools":[{"name":"slow","inputSchema":{"type":"object"}}]}' ;;
              *'"method":"tools/call"'*) answer '{"content":[],"isError":true}' ;;
            esac
          done
"#;

const FLOW: &str = "
id: main
type: messaging
nodes:
  web: { mcp.exec: { component: web, action: find }, routing: [{ to: list }] }
  list: { mcp.exec: { component: web, action: tools/list }, routing: [{ to: none }] }
  none: { mcp.exec: { component: web, action: 'canary {{in.text}}' }, err_map: { code: '{{error.code}}' }, routing: [{ to: local }] }
  local: { mcp.exec: { component: local, action: slow }, err_map: { code: '{{error.code}}' }, routing: [{ to: sum }] }
  sum: { mcp.exec: { component: mcp-exec-tool, action: bump }, routing: [{ to: fail }] }
  fail: { mcp.exec: { component: mcp-router-24-11-5, action: fail }, err_map: { code: '{{error.code}}' }, routing: [{ to: unknown }] }
  unknown: { mcp.exec: { component: mcp-exec-tool, action: 'canary' }, err_map: { code: '{{error.code}}' }, routing: [{ to: wrong }] }
  wrong: { mcp.exec: { component: mcp-exec-tool, action: add, args: 'canary' }, err_map: { code: '{{error.code}}' }, routing: [{ to: user }] }
  user: { component: user, operation: call, payload: { tool: mcp-exec-tool, action: add, args: '{\"a\":1,\"b\":2}', by: host-import@0.6.0 }, routing: [{ to: lost }] }
  lost: { component: user, operation: call, payload: { tool: canary-tool, action: canary, args: '', by: host-import@0.2.0 } }
";

/// Runs the flow, and gives what the collector got, the metrics, and what the program was asked.
async fn run(server: &Server) -> (Collected, String, String) {
    let (collector, dir) = (Collector::start().await, tempfile::tempdir().unwrap());
    let asked = dir.path().join("asked");
    for tool in ["mcp-exec-tool", "mcp-router-24-11-5"] {
        std::fs::copy(guest_path(tool), dir.path().join(format!("{tool}.wasm"))).unwrap();
    }
    let (url, tools, file) = (server.start().await, dir.path().display(), asked.display());
    let bindings = format!(
        "tenant: t\nmcp:\n  store: {{ kind: local-dir, path: '{tools}' }}\n  retry: {{ max_attempts: 2, base_delay_ms: 50 }}\n  \
         servers:\n    web: {{ url: '{url}' }}\n    local:{PROGRAM}      env: {{ PATH: '/usr/bin:/bin', ASKED: '{file}' }}\n"
    );
    let config = TelemetryConfig::to(&format!("http://{}", collector.address), Protocol::Http);
    // The log does say which tools a component asked for that nobody has.
    let telemetry = Telemetry::start(&TelemetryConfig { logs: None, ..config }).unwrap();
    // All of this test runs on one thread.
    let _collecting = tracing_subscriber::registry().with(telemetry.layer()).set_default();
    let set_up = |builder: HostBuilder| builder.with_memory_store().with_telemetry(telemetry.clone());
    let pack = Sources::of_flow(FLOW).component("user", "tool-user");
    let host = host_of(&bindings, &pack, set_up).await.unwrap();
    host.submit(event("s", json!({ "text": "canary" }))).await.unwrap().outcome().await.unwrap();
    let metrics = host.metrics().text().unwrap();
    host.stop().await.unwrap();
    assert!(telemetry.stop(std::time::Duration::from_secs(30)));
    (collector.collected(), metrics, std::fs::read_to_string(asked).unwrap())
}

fn parent_of(span: &Span) -> String {
    format!("00-{}-{}-01", hex::encode(&span.trace_id), hex::encode(&span.span_id))
}

#[tokio::test]
async fn tools_are_told_as_components_are_and_servers_hear_of_the_trace() {
    let server = Server::default();
    let (collected, metrics, asked) = run(&server).await;
    let [trace] = collected.traces().try_into().unwrap();
    insta::assert_snapshot!("tools", collected.tree(&trace, ""));
    assert!(!collected.hold("canary"), "names that nobody knows are not exported");
    let page = include_str!("../../docs/telemetry.md");
    let spans = collected.spans_of(&trace);
    for key in spans.iter().flat_map(|span| &span.attributes).map(|pair| &pair.key) {
        assert!(page.contains(&format!("`{key}`")), "{key} is not in docs/telemetry.md");
    }

    // Each request to a server names the span of its own attempt, in its headers and in its `_meta`.
    let attempts: Vec<_> = spans.iter().filter(|span| span.name == "tools/call find").map(parent_of).collect();
    let calls = server.seen("tools/call");
    let told: Vec<_> = calls.iter().map(|(_, header, _)| header.clone()).collect();
    assert_eq!((told.len(), &told), (2, &attempts));
    assert!(calls.iter().all(|(_, header, meta)| meta == header), "{calls:?}");
    let list = server.seen("tools/list");
    assert_eq!(list[0].1, attempts[0], "it was listed for the first call: {list:?}");
    let slow = spans.iter().find(|span| span.name == "tools/call slow").map(parent_of).unwrap();
    let call = asked.lines().find(|line| line.contains("tools/call")).unwrap();
    let call: Value = serde_json::from_str(call).unwrap();
    assert_eq!(call["params"]["_meta"]["traceparent"], slow, "over standard streams too");

    let counted: BTreeSet<_> = metrics
        .lines()
        .filter(|line| line.contains("tool") && !line.starts_with('#') && !line.contains("_bucket"))
        .filter(|line| !line.contains("_sum") && !line.contains("host_calls"))
        .collect();
    insta::assert_snapshot!("tool_metrics", counted.into_iter().collect::<Vec<_>>().join("\n"));
}
