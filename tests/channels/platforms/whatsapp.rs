//! The Cloud API: `messages` and `media` below `/{version}/{number}/`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};

use super::{Instead, Script, form, json as answer, serve};

/// An account of WhatsApp.
pub(crate) struct Whatsapp {
    pub(crate) url: String,
    pub(crate) script: Arc<Script>,
}

struct Account {
    token: String,
    script: Arc<Script>,
}

impl Whatsapp {
    pub(crate) async fn start(token: &str) -> Self {
        let script = Arc::<Script>::default();
        let account = Arc::new(Account { token: token.to_owned(), script: Arc::clone(&script) });
        let router = Router::new()
            .route("/{version}/{number}/messages", post(messages))
            .route("/{version}/{number}/media", post(media))
            .layer(DefaultBodyLimit::max(100 << 20))
            .with_state(account);
        Self { url: format!("http://{}", serve(router).await), script }
    }
}

fn error(status: u16, code: u64, message: &str) -> Response {
    let error = json!({"message": format!("(#{code}) {message}"), "type": "OAuthException", "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": message}, "fbtrace_id": "A1"});
    answer(status, &json!({ "error": error }))
}

impl Account {
    /// What is wrong with a request before it is looked into.
    fn refuse(&self, (version, number): &(String, String), headers: &HeaderMap) -> Option<Response> {
        let token = headers.get("authorization").and_then(|line| line.to_str().ok()?.strip_prefix("Bearer "));
        if token != Some(&self.token) {
            return Some(error(401, 190, "Error validating access token"));
        }
        let is_known = version.starts_with('v') && number.bytes().all(|byte| byte.is_ascii_digit());
        (!is_known).then(|| error(400, 100, "Unsupported post request"))
    }

    async fn take(&self, what: &str, body: Value, then: impl FnOnce(usize) -> Value) -> Response {
        match self.script.next() {
            None => answer(200, &then(self.script.take(what, body))),
            Some(Instead::TooMany(seconds)) => {
                let mut response = error(429, 130_429, "Rate limit hit");
                response.headers_mut().insert("retry-after", seconds.into());
                response
            }
            Some(Instead::Status(status)) => answer(status, &Value::Null),
            Some(Instead::Forbidden) => error(400, 131_047, "Re-engagement message"),
            Some(Instead::Answer(status, body)) => answer(status, &body),
            Some(Instead::Hang) => {
                self.script.take(what, body);
                std::future::pending().await
            }
        }
    }
}

async fn messages(
    State(account): State<Arc<Account>>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refused) = account.refuse(&path, &headers) {
        return refused;
    }
    let Some(body) = form::fields(&headers, &body) else { return error(400, 100, "Invalid parameter") };
    if body["status"] == "read" && body["message_id"].is_string() {
        return account.take("read", body, |_| json!({"success": true})).await;
    }
    if let Err(why) = check(&body) {
        return error(400, 100, why);
    }
    let to = body["to"].as_str().or(body["recipient"].as_str()).unwrap_or_default().to_owned();
    let sent = |id| {
        json!({"messaging_product": "whatsapp", "contacts": [{"input": to, "wa_id": to}],
            "messages": [{"id": format!("wamid.{id}")}]})
    };
    account.take("message", body, sent).await
}

async fn media(
    State(account): State<Arc<Account>>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refused) = account.refuse(&path, &headers) {
        return refused;
    }
    match form::fields(&headers, &body) {
        Some(body) if body["messaging_product"] == "whatsapp" && body["file"]["field"] == "file" => {
            account.take("media", body, |id| json!({"id": format!("media{id}")})).await
        }
        _ => error(400, 100, "Invalid parameter"),
    }
}

/// Whether the Cloud API takes a message.
fn check(body: &Value) -> Result<(), &'static str> {
    let length = |value: &Value| value.as_str().map_or(0, |text| text.encode_utf16().count());
    let within = |value: &Value, most: usize| (1..=most).contains(&length(value));
    if body["messaging_product"] != "whatsapp" || body["to"].as_str().or(body["recipient"].as_str()).is_none() {
        return Err("The parameter to is required");
    }
    let kind = body["type"].as_str().unwrap_or_default();
    let content = &body[kind];
    let fits = match kind {
        "text" => within(&content["body"], 4096),
        "image" | "video" | "audio" | "document" => {
            (content["link"].is_string() != content["id"].is_string()) && length(&content["caption"]) <= 1024
        }
        "interactive" => {
            let action = &content["action"];
            let body = within(&content["body"]["text"], if content["type"] == "list" { 4096 } else { 1024 });
            body && match content["type"].as_str() {
                Some("button") => action["buttons"].as_array().is_some_and(|buttons| {
                    let fits =
                        |button: &Value| within(&button["reply"]["title"], 20) && within(&button["reply"]["id"], 256);
                    (1..=3).contains(&buttons.len()) && buttons.iter().all(fits)
                }),
                Some("list") => action["sections"][0]["rows"].as_array().is_some_and(|rows| {
                    let fits = |row: &Value| {
                        within(&row["title"], 24) && within(&row["id"], 200) && length(&row["description"]) <= 72
                    };
                    within(&action["button"], 20) && (1..=10).contains(&rows.len()) && rows.iter().all(fits)
                }),
                Some("cta_url") => within(&action["parameters"]["display_text"], 20),
                _ => false,
            }
        }
        "template" => content["name"].is_string(),
        _ => false,
    };
    if fits { Ok(()) } else { Err("Parameter value is not valid") }
}
