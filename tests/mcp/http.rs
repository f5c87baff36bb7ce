//! Servers over streamable HTTP that are busy, answer nonsense, want credentials, or hang.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::common::Sources;
use super::{ask, caller, host};

/// What the server counts.
#[derive(Clone, Default)]
struct Seen {
    calls: Arc<AtomicUsize>,
    greetings: Arc<AtomicUsize>,
}

/// A server over HTTP whose calls are answered by the tool's name. Its address, and what it saw.
async fn server() -> (String, Seen) {
    let seen = Seen::default();
    let moved = || async { axum::response::Redirect::temporary("/mcp") };
    let app = Router::new().route("/mcp", post(answer)).route("/moved", post(moved)).with_state(seen.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

async fn answer(State(seen): State<Seen>, headers: HeaderMap, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap();
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != "Bearer canary") {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "").into_response();
    }
    let reply = |result: Value| {
        let text = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string();
        ([(header::CONTENT_TYPE, "application/json")], text).into_response()
    };
    match message["method"].as_str().unwrap_or_default() {
        "initialize" => {
            seen.greetings.fetch_add(1, Ordering::SeqCst);
            let info = json!({ "name": "web", "version": "1" });
            reply(json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} }, "serverInfo": info }))
        }
        "tools/list" => {
            let names = ["fine", "busy", "broken", "html", "huge", "hang"];
            let tools = names.map(|name| json!({ "name": name, "inputSchema": { "type": "object" } }));
            reply(json!({ "tools": tools }))
        }
        "tools/call" => {
            let before = seen.calls.fetch_add(1, Ordering::SeqCst);
            match message["params"]["name"].as_str().unwrap_or_default() {
                "busy" if before < 2 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                "broken" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                "html" => ([(header::CONTENT_TYPE, "text/html")], "<p>hello</p>").into_response(),
                "huge" => reply(json!({ "content": [{ "type": "text", "text": "x".repeat(2_000_000) }] })),
                "hang" => std::future::pending().await,
                _ => reply(json!({ "content": [], "structuredContent": message["params"]["arguments"] })),
            }
        }
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

fn block(url: &str, more: &str) -> String {
    format!("  servers:\n    web: {{ url: '{url}', headers: {{ Authorization: Bearer canary }} }}\n{more}")
}

#[tokio::test]
async fn results_come_with_what_was_asked() {
    let (url, seen) = server().await;
    let host = host(&block(&url, ""), &caller("web", "fine")).await.unwrap();
    for n in 0..3 {
        assert_eq!(ask(&host, json!({ "n": n })).await, json!({ "content": [], "structuredContent": { "n": n } }));
    }
    assert_eq!(seen.greetings.load(Ordering::SeqCst), 1);
    let list = super::host(&block(&url, ""), &caller("web", "tools/list")).await.unwrap();
    assert_eq!(ask(&list, json!({})).await["tools"][0]["name"], "fine");
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let (url, seen) = server().await;
    let mcp = block(&url, "  retry: { max_attempts: 3, base_delay_ms: 50 }\n");
    let host = host(&mcp, &caller("web", "busy")).await.unwrap();
    assert_eq!(ask(&host, json!({})).await["structuredContent"], json!({}));
    assert_eq!(seen.calls.load(Ordering::SeqCst), 3);
    // What the node says counts before what the block does.
    let (url, seen) = server().await;
    let flow = "id: main\ntype: messaging\nnodes:\n  in:\n    mcp.exec: { component: web, action: busy }\n    retry: { max_attempts: 3, \
                base_delay_ms: 1 }\n";
    let host = super::host(&block(&url, "  retry: { max_attempts: 1 }\n"), &Sources::of_flow(flow)).await.unwrap();
    assert_eq!(ask(&host, json!({})).await["structuredContent"], json!({}));
    assert_eq!(seen.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_may_have_been_taken_is_not_asked_again() {
    for (tool, code, word) in [
        ("broken", "GRH-1126", "500"),
        ("html", "GRH-1126", "none of the protocol's"),
        ("huge", "GRH-1128", "bytes"),
        ("hang", "GRH-1127", "in time"),
    ] {
        let (url, seen) = server().await;
        // What has to fail in time has time to begin; the others are not to fail for want of it.
        let time = if tool == "hang" { 4_000 } else { 60_000 };
        let retry = "retry: { max_attempts: 3, base_delay_ms: 50 }";
        let mcp = block(&url, &format!("  runtime: {{ timeout_ms: {time} }}\n  {retry}\n"));
        let host = host(&mcp, &caller("web", tool)).await.unwrap();
        let answer = ask(&host, json!({})).await;
        assert_eq!(answer["code"], code, "{tool}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(word), "{tool}: {answer}");
        assert_eq!(seen.calls.load(Ordering::SeqCst), 1, "{tool}");
    }
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    let (url, _) = server().await;
    let mcp = format!(
        "  servers: {{ web: {{ url: '{url}', headers: {{ Authorization: Bearer wrong-canary }} }} }}\n  retry: {{ max_attempts: 1 }}\n"
    );
    let wrong = host(&mcp, &caller("web", "fine")).await.unwrap();
    let answer = ask(&wrong, json!({})).await;
    assert_eq!(answer["code"], "GRH-1126", "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("credentials"), "{answer}");
    assert!(!answer.to_string().contains("canary"), "{answer}");
    let mcp = format!(
        "  servers: {{ web: {{ url: '{url}', headers: {{ Authorization: {{ secret: MISSING }} }} }} }}\n  retry: {{ max_attempts: 1 }}\n"
    );
    let missing = host(&mcp, &caller("web", "fine")).await.unwrap();
    let answer = ask(&missing, json!({})).await;
    assert!(answer["message"].as_str().unwrap().contains("the secret MISSING of tenant t is missing"), "{answer}");
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp?key=canary", listener.local_addr().unwrap());
    drop(listener);
    let mcp = block(&url, "  retry: { max_attempts: 2, base_delay_ms: 50 }\n");
    let host = host(&mcp, &caller("web", "fine")).await.unwrap();
    let answer = ask(&host, json!({})).await;
    assert_eq!(answer["code"], "GRH-1126", "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("cannot be connected to"), "{answer}");
    assert!(!answer.to_string().contains("canary"), "{answer}");
}

#[tokio::test]
async fn credentials_go_nowhere_else() {
    let (url, seen) = server().await;
    let mcp = block(&url.replace("/mcp", "/moved"), "  retry: { max_attempts: 1 }\n");
    let host = host(&mcp, &caller("web", "fine")).await.unwrap();
    let answer = ask(&host, json!({})).await;
    assert_eq!(answer["code"], "GRH-1126", "{answer}");
    assert_eq!(seen.greetings.load(Ordering::SeqCst), 0, "no redirect is followed");
}
