//! Tools that quote the keys that they were given, as they should not.

use std::net::SocketAddr;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::server::server;
use super::{ALL, CANARY, Serving, get, nothing_holds_it, write};

/// The tools of the server, as it answers calls of them.
const TOOLS: [&str; 4] = ["result", "fail", "error", "broken"];

/// A server whose every answer quotes the key by which it is asked, at once and where messages are cut.
async fn quoting(request: Request) -> Response {
    let key = request.headers().get(header::AUTHORIZATION).map(|key| key.to_str().unwrap().to_owned()).unwrap();
    let token = key.strip_prefix("Bearer ").unwrap();
    let message = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let Ok(message) = serde_json::from_slice::<Value>(&message) else {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    };
    let reply = |name: &str, what: Value| {
        let text = json!({ "jsonrpc": "2.0", "id": message["id"], name: what }).to_string();
        ([(header::CONTENT_TYPE, "application/json")], text).into_response()
    };
    let said = format!("the key {key} is wrong");
    let said = format!("{said} {} {token}", "x".repeat(490 - said.len()));
    let content = json!([{ "type": "text", "text": said }]);
    match (message["method"].as_str().unwrap_or_default(), message["params"]["name"].as_str().unwrap_or_default()) {
        ("initialize", _) => {
            let info = json!({ "name": key, "version": token });
            let capabilities = json!({ "tools": {} });
            reply(
                "result",
                json!({ "protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": info }),
            )
        }
        ("tools/list", _) => {
            let tool = |name| json!({ "name": name, "description": key, "inputSchema": { "type": "object" } });
            reply("result", json!({ "tools": TOOLS.map(tool) }))
        }
        ("tools/call", "result") => {
            reply("result", json!({ "content": content, "structuredContent": { "by": token } }))
        }
        ("tools/call", "fail") => reply("result", json!({ "content": content, "isError": true })),
        ("tools/call", "error") => reply("error", json!({ "code": -32000, "message": said, "data": { "by": key } })),
        ("tools/call", _) => (StatusCode::INTERNAL_SERVER_ERROR, said).into_response(),
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

/// A program that quotes its key on its error stream, and in an error.
const PROGRAM: &str = r#"
          while read -r line; do
            id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            case "$line" in
              *'"initialize"'*) echo "started with $TOOL_KEY" >&2; r='"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"p","version":"1"}}' ;;
              *'"tools/list"'*) r='"result":{"tools":[{"name":"x","inputSchema":{"type":"object"}}]}' ;;
              *'"tools/call"'*) r='"error":{"code":-32000,"message":"the key '$TOOL_KEY' is wrong"}' ;;
              *) continue ;;
            esac
            printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$r"
          done"#;

fn bindings(address: SocketAddr) -> String {
    format!(
        "
tenant: open
flow_type_bindings:
  webhook: {{ adapter: generic, secrets: [TOOL_KEY] }}
mcp:
  retry: {{ max_attempts: 1 }}
  servers:
    web: {{ url: 'http://{address}/mcp', headers: {{ Authorization: {{ secret: HEADER_KEY }} }} }}
    program:
      command: /bin/sh
      args:
        - '-c'
        - |{PROGRAM}
      env: {{ PATH: '/usr/bin:/bin', TOOL_KEY: {{ secret: TOOL_KEY }} }}
"
    )
}

/// A flow that calls a tool. What it failed with is told to whoever asks for it.
fn flow(id: &str, tool: &str, action: &str, told: bool) -> String {
    let told = if told { "\n    err_map: { error: '{{error}}' }" } else { "" };
    format!(
        "
id: {id}
type: http
nodes:
  call:
    mcp.exec: {{ component: {tool}, action: {action}, args: {{ name: TOOL_KEY }} }}{told}
    routing: [{{ to: answer }}]
  answer:
    emit.response: {{ body: {{ got: '{{{{node.call}}}}' }} }}
"
    )
}

#[tokio::test]
async fn a_key_that_a_tool_quotes_is_nowhere_in_what_the_host_writes() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "open.yaml", &bindings(server(quoting).await));
    let mut calls: Vec<_> = TOOLS.iter().map(|action| (format!("web-{action}"), "web", *action)).collect();
    calls.push(("program".to_owned(), "program", "x"));
    for (id, tool, action) in &calls {
        write(dir.path(), &format!("pack/{id}.ygtc"), &flow(id, tool, action, false));
        let told = format!("{id}-told");
        write(dir.path(), &format!("pack/{told}.ygtc"), &flow(&told, tool, action, true));
    }
    write(dir.path(), "pack/list.ygtc", &flow("list", "web", "tools/list", false));
    let bearer = format!("Bearer {CANARY}");
    let vars = [("OPEN__HEADER_KEY", &*bearer), ("OPEN__TOOL_KEY", CANARY), ("RUST_LOG", ALL)];
    let serving = Serving::of(dir, "--bindings open.yaml --pack open=pack", &vars);
    let mut seen = Vec::new();
    for (id, _, action) in &calls {
        let strict = serving.hook(id, "k").await;
        assert_eq!(strict.status().is_server_error(), *action != "result", "{id}");
        seen.push(strict.text().await.unwrap());
        let told = serving.hook(&format!("{id}-told"), "k").await;
        assert_eq!(told.status(), 200, "{id}");
        let told = told.text().await.unwrap();
        assert!(told.contains("[redacted]") || *action == "broken", "{id}: {told}");
        seen.push(told);
    }
    let listed = serving.hook("list", "k").await.text().await.unwrap();
    assert!(listed.contains("[redacted]") && listed.contains("\"broken\""), "{listed}");
    seen.push(listed);
    for path in ["/admin/dead-letters", "/admin/packs/status", "/admin/channels", "/metrics", "/healthz"] {
        seen.push(get(&serving, path).await);
    }
    let letters: Value = serde_json::from_str(&seen[seen.len() - 5]).unwrap();
    assert_eq!(letters["dead_letters"].as_array().unwrap().len(), calls.len() - 1, "{letters}");
    let lines = ["started with [redacted]", "the key [redacted] is wrong"];
    nothing_holds_it(serving, seen, &lines);
}
