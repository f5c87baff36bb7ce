//! Slack's Web API and its response URLs, as far as messages go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use greentic_runner_host::egress::Verdict;
use greentic_runner_host::ingress::slack::{self as adapter, Address};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::deliver::{deliver, sender};
use super::{Instead, Script, json as answer, serve};

/// How often a response URL can be used.
const USES: usize = 5;

/// An app of Slack.
pub(crate) struct Slack {
    pub(crate) url: String,
    pub(crate) script: Arc<Script>,
}

struct App {
    token: String,
    script: Arc<Script>,
    /// How often each response URL was used.
    used: Mutex<BTreeMap<String, usize>>,
}

impl Slack {
    pub(crate) async fn start(token: &str) -> Self {
        let script = Arc::<Script>::default();
        let app = App { token: token.to_owned(), script: Arc::clone(&script), used: Mutex::default() };
        let router = Router::new()
            .route("/api/chat.postMessage", post(message))
            .route("/hooks/{*path}", post(response))
            .with_state(Arc::new(app));
        Self { url: format!("http://{}", serve(router).await), script }
    }

    /// The settings of a binding that sends replies here.
    pub(crate) fn config(&self) -> Value {
        json!({"base_url": format!("{}/api", self.url), "hooks_url": format!("{}/hooks", self.url)})
    }
}

fn failed(error: &str) -> Response {
    answer(200, &json!({"ok": false, "error": error}))
}

async fn message(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let token = headers.get("authorization").and_then(|line| line.to_str().ok()?.strip_prefix("Bearer "));
    if token != Some(&app.token) {
        return failed("invalid_auth");
    }
    let body = match read(&headers, &body) {
        Ok(body) => body,
        Err(error) => return failed(error),
    };
    if !body["channel"].as_str().is_some_and(|channel| channel.starts_with(['C', 'G', 'D', 'U'])) {
        return failed("channel_not_found");
    }
    let channel = body["channel"].clone();
    match app.script.next() {
        None => {
            let id = app.script.take("chat.postMessage", body);
            answer(200, &json!({"ok": true, "channel": channel, "ts": format!("1731315600.{id:06}")}))
        }
        Some(Instead::Forbidden) => failed("not_in_channel"),
        Some(instead) => otherwise(&app.script, "chat.postMessage", body, instead).await,
    }
}

async fn response(State(app): State<Arc<App>>, Path(path): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let count = {
        let mut used = app.used.lock();
        let count = used.entry(path.clone()).or_default();
        *count += 1;
        *count
    };
    if count > USES {
        return (axum::http::StatusCode::NOT_FOUND, "used_url").into_response();
    }
    let body = match read(&headers, &body) {
        Ok(body) => body,
        Err(error) => return (axum::http::StatusCode::BAD_REQUEST, error).into_response(),
    };
    match app.script.next() {
        None => {
            app.script.take(&format!("/{path}"), body);
            "ok".into_response()
        }
        Some(Instead::Forbidden) => (axum::http::StatusCode::FORBIDDEN, "action_prohibited").into_response(),
        Some(instead) => otherwise(&app.script, &path, body, instead).await,
    }
}

async fn otherwise(script: &Script, what: &str, body: Value, instead: Instead) -> Response {
    match instead {
        Instead::TooMany(seconds) => {
            let mut response = answer(429, &json!({"ok": false, "error": "ratelimited"}));
            response.headers_mut().insert("retry-after", seconds.into());
            response
        }
        Instead::Status(status) => answer(status, &Value::Null),
        Instead::Forbidden => failed("restricted_action"),
        Instead::Answer(status, body) => answer(status, &body),
        Instead::Hang => {
            script.take(what, body);
            std::future::pending().await
        }
    }
}

/// A message, if it is one that Slack takes.
fn read(headers: &HeaderMap, body: &Bytes) -> Result<Value, &'static str> {
    if headers.get("content-type").is_none_or(|given| !given.as_bytes().starts_with(b"application/json")) {
        return Err("invalid_post_type");
    }
    let body: Value = serde_json::from_slice(body).map_err(|_| "invalid_json")?;
    let blocks = body["blocks"].as_array().map_or(&[][..], Vec::as_slice);
    match length(&body["text"]) {
        0 if blocks.is_empty() => return Err("no_text"),
        40_001.. => return Err("msg_too_long"),
        _ => {}
    }
    match blocks.len() <= 50 && blocks.iter().all(is_block) {
        true => Ok(body),
        false => Err("invalid_blocks"),
    }
}

fn length(text: &Value) -> usize {
    text.as_str().map_or(0, |text| text.chars().count())
}

fn is_block(block: &Value) -> bool {
    let fits = |element: &Value| {
        let is_named = (1..=75).contains(&length(&element["text"]["text"])) && length(&element["action_id"]) <= 255;
        is_named && length(&element["value"]) <= 2000 && length(&element["url"]) <= 3000
    };
    match block["type"].as_str() {
        Some("section") => (1..=3000).contains(&length(&block["text"]["text"])),
        Some("markdown") => (1..=12_000).contains(&length(&block["text"])),
        // What Slack cannot fetch spoils the whole message.
        Some("image") => {
            let is_there = !block["image_url"].as_str().unwrap_or("unreachable").contains("unreachable");
            is_there && length(&block["alt_text"]) > 0
        }
        Some("actions") => {
            let elements = block["elements"].as_array().map_or(&[][..], Vec::as_slice);
            let ids: BTreeSet<_> = elements.iter().map(|element| element["action_id"].to_string()).collect();
            (1..=25).contains(&elements.len()) && ids.len() == elements.len() && elements.iter().all(fits)
        }
        Some("divider" | "header" | "context" | "rich_text") => true,
        _ => false,
    }
}

#[tokio::test]
async fn slack_takes_what_is_rendered() {
    let slack = Slack::start("xoxb").await;
    let sender = sender(&adapter::Slack, &slack.config(), &[(adapter::BOT_TOKEN, "xoxb")]);
    let place = Address { channel: "C1".into(), ..Address::default() }.to_text();
    let buttons: Vec<_> = (0..40).map(|n| json!({"title": format!("b{n}"), "payload": "x".repeat(1500)})).collect();
    let reply = json!({"text": "long & <text> ".repeat(600), "buttons": buttons, "attachments": [
        {"mime": "image/png", "url": "https://a.example/x.png"}, {"mime": "application/pdf", "url": "https://a.example/x.pdf"}]});
    let verdicts = deliver(&*sender, &place, &reply, None).await;
    assert!(verdicts.len() > 3 && verdicts.iter().all(|verdict| *verdict == Verdict::Sent), "{verdicts:?}");
    assert_eq!(slack.script.taken(verdicts.len()).await.len(), verdicts.len());
}

#[tokio::test]
async fn slack_says_what_becomes_of_a_message() {
    let slack = Slack::start("xoxb").await;
    let with = |token: &str| sender(&adapter::Slack, &slack.config(), &[(adapter::BOT_TOKEN, token)]);
    let place = Address { channel: "C1".into(), ..Address::default() }.to_text();
    let one = async |token: &str, instead: Option<Instead>| {
        slack.script.answer(instead);
        deliver(&*with(token), &place, &json!("x"), None).await.remove(0)
    };
    assert_eq!(one("xoxb", Some(Instead::TooMany(7))).await, Verdict::Later(Some(Duration::from_secs(7))));
    assert!(matches!(one("xoxb", Some(Instead::Status(502))).await, Verdict::Unclear(_)));
    assert!(
        matches!(one("xoxb", Some(Instead::Forbidden)).await, Verdict::Refused(why) if why.starts_with("not_in_channel"))
    );
    assert!(matches!(one("other", None).await, Verdict::Refused(why) if why.starts_with("invalid_auth")));
    let fatal = Instead::Answer(200, json!({"ok": false, "error": "fatal_error"}));
    assert_eq!(one("xoxb", Some(fatal)).await, Verdict::Unclear("fatal_error".into()));
    assert_eq!(one("xoxb", None).await, Verdict::Sent);
}

#[tokio::test]
async fn slack_takes_five_answers_to_a_command() {
    let slack = Slack::start("xoxb").await;
    let sender = sender(&adapter::Slack, &slack.config(), &[(adapter::BOT_TOKEN, "xoxb")]);
    let url = Some("https://hooks.slack.com/commands/T1/1/x".to_owned());
    let command = Address { channel: "C1".into(), response_url: url, user: Some("U1".into()), ..Address::default() };
    let reply = json!({"messages": ["1", "2", "3", "4", "5", "6"]});
    let verdicts = deliver(&*sender, &command.to_text(), &reply, None).await;
    assert!(verdicts[..5].iter().all(|verdict| *verdict == Verdict::Sent), "{verdicts:?}");
    assert_eq!(verdicts[5], Verdict::Refused("it answered with 404, used_url".into()));
    assert_eq!(slack.script.taken(5).await[0].what, "/commands/T1/1/x");
}
