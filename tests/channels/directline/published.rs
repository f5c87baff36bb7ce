//! The client that Microsoft publishes for web pages, from npm, in a page of another site.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{SECRET, chat_of, generate};
use crate::Running;

fn packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/webchat")
}

/// What the client saw of a conversation.
async fn talk(host: &Running, domain: &str, web_socket: bool) -> Value {
    let token = generate(host, domain, SECRET, &json!({"user": {"id": "dl_ada"}})).await;
    let asked = json!({
        "domain": host.url(domain), "page": "https://shop.example/chat", "token": token["token"], "webSocket": web_socket,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/channels/directline/client.cjs");
    let mut command = Command::new("node");
    command.arg(script).arg(packages()).arg(asked.to_string()).stdin(Stdio::null());
    // It gives up by itself when nothing comes.
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let output = output.expect("node cannot be started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"))
}

fn as_expected(seen: &Value) {
    let id = &seen["ids"]["id"];
    assert_eq!((&seen["echo"]["id"], &seen["echo"]["text"]), (id, &json!("hello")));
    assert_eq!(seen["echo"]["channelData"], json!({"clientActivityID": "a1"}));
    assert_eq!(
        seen["echo"]["from"],
        json!({"id": "dl_ada", "role": "user", "name": "Ada"}),
        "the token says who speaks"
    );
    assert_eq!((&seen["reply"]["text"], &seen["reply"]["replyToId"]), (&json!("echo: hello"), id));
    assert_eq!(seen["reply"]["from"]["role"], "bot");
    assert_eq!(seen["ids"]["repeated"], seen["ids"]["again"]);
    assert!(seen["ids"]["typing"].is_string());
    let file = json!([{"contentType": "text/plain", "name": "a.txt", "contentUrl": "data:text/plain;base64,aGVsbG8="}]);
    assert_eq!(seen["upload"], file);
    assert_eq!(
        seen["said"],
        json!({"first": ["hello", "echo: hello", "again", "echo: again", "file", "echo: file"], "later": ["last", "echo: last"]})
    );
    assert_eq!(seen["other"], json!({"refreshed": true, "watermark": "6", "online": true, "session": ""}));
}

#[tokio::test(flavor = "multi_thread")]
async fn needs_directlinejs_the_published_client_talks_by_websocket() {
    let host = chat_of("allowed_origins: [https://shop.example]").await;
    as_expected(&talk(&host, "/v3/directline", true).await);
    as_expected(&talk(&host, "/t/t/v3/directline", true).await);
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn needs_directlinejs_the_published_client_talks_by_polling() {
    let host = chat_of("allowed_origins: [https://shop.example]").await;
    as_expected(&talk(&host, "/v3/directline", false).await);
    host.end().await;
}
