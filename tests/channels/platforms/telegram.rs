//! The Bot API: methods below `/bot{token}/`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};

use super::{Instead, Script, form, json as answer, serve};

/// A bot of Telegram.
pub(crate) struct Telegram {
    pub(crate) url: String,
    pub(crate) script: Arc<Script>,
}

struct Bot {
    token: String,
    script: Arc<Script>,
}

impl Telegram {
    pub(crate) async fn start(token: &str) -> Self {
        let script = Arc::<Script>::default();
        let bot = Arc::new(Bot { token: token.to_owned(), script: Arc::clone(&script) });
        let router =
            Router::new().route("/{bot}/{method}", post(call)).layer(DefaultBodyLimit::max(50 << 20)).with_state(bot);
        Self { url: format!("http://{}", serve(router).await), script }
    }
}

fn refused(status: u16, description: &str) -> Response {
    answer(status, &json!({"ok": false, "error_code": status, "description": description}))
}

async fn call(
    State(bot): State<Arc<Bot>>,
    Path((path, method)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if path.strip_prefix("bot") != Some(&bot.token) {
        return refused(401, "Unauthorized");
    }
    let Some(body) = form::fields(&headers, &body) else { return refused(400, "Bad Request: the body cannot be read") };
    if let Err(why) = check(&method, &body) {
        return refused(if why == "Not Found" { 404 } else { 400 }, why);
    }
    match bot.script.next() {
        None => {
            let id = bot.script.take(&method, body);
            answer(
                200,
                &json!({"ok": true, "result": if method == "answerCallbackQuery" { json!(true) } else { json!({"message_id": id}) }}),
            )
        }
        Some(Instead::TooMany(seconds)) => answer(
            429,
            &json!({"ok": false, "error_code": 429, "description": format!("Too Many Requests: retry after {seconds}"),
                "parameters": {"retry_after": seconds}}),
        ),
        Some(Instead::Status(status)) => answer(status, &Value::Null),
        Some(Instead::Forbidden) => refused(403, "Forbidden: bot was blocked by the user"),
        Some(Instead::Answer(status, body)) => answer(status, &body),
        Some(Instead::Hang) => {
            bot.script.take(&method, body);
            std::future::pending().await
        }
    }
}

/// Whether the Bot API takes these fields.
fn check(method: &str, body: &Value) -> Result<(), &'static str> {
    let units = |field: &str| body[field].as_str().map(|text| text.encode_utf16().count());
    let is_there = |field: &str| body["file"]["field"] == field || body[field].is_string();
    match method {
        "answerCallbackQuery" if body["callback_query_id"].is_string() => return Ok(()),
        "sendMessage" => match units("text") {
            None | Some(0) => return Err("Bad Request: message text is empty"),
            Some(..=4096) => {}
            Some(_) => return Err("Bad Request: message is too long"),
        },
        "sendPhoto" if is_there("photo") => {}
        "sendAudio" if is_there("audio") => {}
        "sendVoice" if is_there("voice") => {}
        "sendVideo" if is_there("video") => {}
        "sendAnimation" if is_there("animation") => {}
        "sendDocument" if is_there("document") => {}
        "sendPhoto" | "sendAudio" | "sendVoice" | "sendVideo" | "sendAnimation" | "sendDocument" => {
            return Err("Bad Request: there is no file in the request");
        }
        _ => return Err("Not Found"),
    }
    if units("caption").is_some_and(|units| units > 1024) {
        return Err("Bad Request: message caption is too long");
    }
    let is_chat = body["chat_id"].is_i64() || body["chat_id"].as_str().is_some_and(|chat| chat.parse::<i64>().is_ok());
    if !is_chat {
        return Err("Bad Request: chat_id is empty");
    }
    let markup = match &body["reply_markup"] {
        Value::String(text) => {
            serde_json::from_str(text).map_err(|_| "Bad Request: can't parse reply keyboard markup")?
        }
        markup => markup.clone(),
    };
    let buttons = markup["inline_keyboard"].as_array().into_iter().flatten().filter_map(Value::as_array).flatten();
    for button in buttons {
        match (button["callback_data"].as_str(), button["url"].as_str()) {
            (Some(data), None) if (1..=64).contains(&data.len()) => {}
            (Some(_), None) => return Err("Bad Request: BUTTON_DATA_INVALID"),
            (None, Some(url)) if url.starts_with("http") && url.contains('.') => {}
            _ => return Err("Bad Request: BUTTON_URL_INVALID"),
        }
    }
    Ok(())
}
