//! The messages API of Webex.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::{Instead, Script, form, json as answer, serve};

/// A bot of Webex.
pub(crate) struct Webex {
    pub(crate) url: String,
    pub(crate) script: Arc<Script>,
}

struct Bot {
    token: String,
    script: Arc<Script>,
}

impl Webex {
    pub(crate) async fn start(token: &str) -> Self {
        let script = Arc::<Script>::default();
        let bot = Arc::new(Bot { token: token.to_owned(), script: Arc::clone(&script) });
        let router = Router::new()
            .route("/v1/messages", post(create))
            .route("/v1/messages/{id}", get(message))
            .layer(DefaultBodyLimit::max(100 << 20))
            .with_state(bot);
        Self { url: format!("http://{}", serve(router).await), script }
    }
}

fn error(status: u16, message: &str) -> Response {
    answer(status, &json!({"message": message, "errors": [{"description": message}], "trackingId": "ROUTER_1"}))
}

/// The message of an id, as it was written in the room `r1`.
async fn message(State(bot): State<Arc<Bot>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match headers.get("authorization").and_then(|line| line.to_str().ok()?.strip_prefix("Bearer ")) {
        Some(token) if token == bot.token => {
            answer(200, &json!({"id": id, "roomId": "r1", "personId": "p1", "text": format!("message {id}")}))
        }
        _ => error(401, "The request requires a valid access token set in the Authorization request header."),
    }
}

async fn create(State(bot): State<Arc<Bot>>, headers: HeaderMap, body: Bytes) -> Response {
    let token = headers.get("authorization").and_then(|line| line.to_str().ok()?.strip_prefix("Bearer "));
    if token != Some(&bot.token) {
        return error(401, "The request requires a valid access token set in the Authorization request header.");
    }
    let Some(body) = form::fields(&headers, &body) else { return error(415, "Unsupported Media Type") };
    if let Err(why) = check(&body) {
        return error(400, why);
    }
    match bot.script.next() {
        None => {
            let (room, id) = (body["roomId"].clone(), bot.script.take("message", body));
            answer(200, &json!({"id": format!("m{id}"), "roomId": room, "created": "2026-01-01T00:00:00Z"}))
        }
        Some(Instead::TooMany(seconds)) => {
            let mut response = error(429, "Too Many Requests");
            response.headers_mut().insert("retry-after", seconds.into());
            response
        }
        Some(Instead::Status(status)) => answer(status, &Value::Null),
        Some(Instead::Forbidden) => error(403, "The server understood the request, but refused to fulfill it."),
        Some(Instead::Answer(status, body)) => answer(status, &body),
        Some(Instead::Hang) => {
            bot.script.take("message", body);
            std::future::pending().await
        }
    }
}

/// Whether Webex takes a message.
fn check(body: &Value) -> Result<(), &'static str> {
    if body["roomId"].as_str().is_none_or(str::is_empty) {
        return Err("Missing 'roomId'");
    }
    let texts = ["text", "markdown", "html"].map(|field| body[field].as_str());
    if texts.iter().flatten().any(|text| text.len() > 7439) {
        return Err("Message length limited to 7439 bytes");
    }
    let count = |field: &str| body[field].as_array().map_or(0, Vec::len);
    let files = count("files") + usize::from(body["file"]["field"] == "files");
    if files > 1 || count("attachments") > 1 || (files > 0 && count("attachments") > 0) {
        return Err("Only one file or card is allowed");
    }
    for card in body["attachments"].as_array().into_iter().flatten() {
        let content = &card["content"];
        let is_card =
            card["contentType"] == "application/vnd.microsoft.card.adaptive" && content["type"] == "AdaptiveCard";
        if !is_card || !["1.0", "1.1", "1.2", "1.3"].iter().any(|version| content["version"] == *version) {
            return Err("Unable to post a message with an attachment that is no card");
        }
        if content["actions"].as_array().is_some_and(|actions| actions.len() > 5) {
            return Err("A card has at most five actions");
        }
    }
    let is_said = texts.iter().flatten().any(|text| !text.is_empty());
    if is_said || files > 0 { Ok(()) } else { Err("Post must contain one of text, markdown, html or files") }
}
