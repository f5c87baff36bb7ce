//! What the tests of platforms share: replies of every kind, and requests in a form to look at.

use http::HeaderMap;
use http::header::RETRY_AFTER;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::sender::{Answer, Auth, Body, Call, Sender, Verdict};

/// The token that senders have in tests. Nothing that is shown may hold it.
pub(super) const TOKEN: &str = "123:canary";

/// Replies of every kind, by what they are.
pub(super) fn replies() -> Vec<(&'static str, Value)> {
    let png = json!({"mime": "image/png", "url": "https://a.example/x.png", "name": "x.png"});
    let inline = json!({"mime": "image/png", "data_inline_b64": "aGk=", "name": "x.png"});
    let button = |title: &str, payload: Value| json!({"title": title, "payload": payload});
    let card = json!({"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "Order *7*"}],
        "actions": [{"type": "Action.Execute", "title": "Pay", "verb": "pay", "data": {"id": 7}},
            {"type": "Action.OpenUrl", "title": "Site", "url": "https://a.example"}]});
    let many: Vec<Value> = (1..=12).map(|n| button(&format!("Choice {n}"), json!(format!("c{n}")))).collect();
    vec![
        ("nothing", Value::Null),
        ("blank", json!({"text": " \n "})),
        ("a text with what looks like marks", json!("*a* _b_ <c> & [d](e) 1. f")),
        (
            "Markdown",
            json!({"format": "markdown", "text": "# T\n**b** _i_ [l](https://a.example) `c`\n\n- x\n- y\n\n```rust\nz\n```"}),
        ),
        ("HTML", json!({"format": "html", "text": "<b>b</b> a &lt; b <a href=\"https://a.example\">l</a> <tag>"})),
        ("Telegram's Markdown", json!({"parse_mode": "MarkdownV2", "text": "*b* _i_ __u__ \\."})),
        ("several messages", json!({"messages": ["one", {"text": "two"}]})),
        (
            "buttons",
            json!({"text": "Sure?", "buttons": ["Yes", button("No", json!({"n": 1})), {"title": "Site", "url": "https://a.example"}]}),
        ),
        ("one link", json!({"text": "See", "buttons": [{"title": "Site", "url": "https://a.example"}]})),
        (
            "links that are none",
            json!({"text": "See", "buttons": [{"title": "App", "url": "app://x"}, {"title": "Mine", "url": "http://localhost/"}]}),
        ),
        ("buttons without a text", json!({"buttons": ["A", " "]})),
        (
            "buttons with long words",
            json!({"text": "?", "buttons": [
            button("A title that is longer than a button shows", json!("v")), button("Long", json!("v".repeat(300))), "Short"]}),
        ),
        (
            "buttons alike",
            json!({"text": "?", "buttons": [button("Same", json!("1")), button("Same", json!("2")), button("Other", json!("2"))]}),
        ),
        ("many buttons", json!({"text": "*Which?*", "buttons": many})),
        ("a picture", json!({"text": "look", "attachments": [png]})),
        (
            "files",
            json!({"text": "two", "attachments": [png, {"mime": "application/pdf", "url": "https://a.example/r.pdf", "name": "r.pdf"},
            {"mime": "text/csv", "url": "https://a.example/t.csv"}, {"mime": "audio/ogg", "url": "https://a.example/v.ogg"},
            {"mime": "video/mp4", "url": "https://a.example/v.mp4"}, {"mime": "image/gif", "url": "https://a.example/g.gif"},
            {"mime": "image/png", "url": "ftp://a.example/x.png"}]}),
        ),
        ("a file in the reply, and a button", json!({"text": "look", "attachments": [inline], "buttons": ["Ok"]})),
        ("a sound in the reply", json!({"attachments": [{"mime": "audio/mpeg", "data_inline_b64": "aGk="}]})),
        ("a card", json!({"text": "Order 7", "card": card})),
        (
            "cards",
            json!({"attachments": [
            {"contentType": "application/vnd.microsoft.card.adaptive", "content": card},
            {"contentType": "application/vnd.microsoft.card.hero", "content": {"title": "T", "text": "x", "images": [{"url": "https://a.example/i.png"}]}}]}),
        ),
        (
            "what only Telegram has",
            json!({"text": "hush", "telegram": {"disable_notification": true, "chat_id": 1,
            "link_preview_options": {"is_disabled": true}, "reply_markup": {"remove_keyboard": true}}}),
        ),
    ]
}

/// A sender's requests for these replies, as JSON.
pub(super) fn rendered(sender: &dyn Sender, to: &str, replies: &[(&'static str, Value)]) -> Value {
    let calls = |reply: &Value| Value::from_iter(sender.render(to, reply).unwrap().iter().map(shown));
    Value::Object(replies.iter().map(|(what, reply)| ((*what).to_owned(), calls(reply))).collect())
}

/// A request as JSON, without its token.
pub(super) fn shown(call: &Call) -> Value {
    let body = match &call.body {
        Body::Json(body) => body.clone(),
        Body::Multipart { fields, file } => json!({
            "fields": fields.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect::<Map<_, _>>(),
            "file": {"field": file.field, "name": file.name, "mime": file.mime, "bytes": file.bytes.len()},
        }),
    };
    let auth = match &call.auth {
        Auth::None => json!("none"),
        Auth::Bearer(token) if token.expose() == TOKEN => json!("bearer"),
        Auth::Bearer(_) => json!("other"),
        Auth::Client(client) => {
            json!({"token_url": client.token_url, "client_id": client.client_id, "scope": client.scope})
        }
    };
    let url = call.url.expose().replace(TOKEN, "<token>");
    let mut shown = json!({"request": format!("{} {url}", call.method), "auth": auth, "body": body});
    for (name, next) in [("then", &call.then), ("otherwise", &call.otherwise)] {
        if let Some(next) = next {
            shown[name] = self::shown(next);
        }
    }
    sorted(shown)
}

/// The same with the keys of objects in order, whatever order is kept otherwise.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// The JSON body of a request.
pub(super) fn json_body(call: &Call) -> &Value {
    match &call.body {
        Body::Json(body) => body,
        Body::Multipart { .. } => panic!("the request is a form"),
    }
}

/// The JSON bodies of requests and of those that take their place.
pub(crate) fn bodies(calls: &[Call]) -> Vec<Value> {
    let forms = calls.iter().flat_map(|call| std::iter::successors(Some(call), |call| call.otherwise.as_deref()));
    forms.map(|call| json_body(call).clone()).collect()
}

/// What a sender makes of an answer to a request.
pub(super) fn judged(
    sender: &dyn Sender,
    call: &Call,
    status: u16,
    retry_after: Option<&str>,
    body: &Value,
) -> Verdict {
    let mut headers = HeaderMap::new();
    headers.extend(retry_after.map(|text| (RETRY_AFTER, text.parse().unwrap())));
    let body = body.to_string();
    let verdict = sender.judge(call, &Answer { status, headers: &headers, body: body.as_bytes() });
    assert!(!format!("{verdict:?}").contains("canary"));
    verdict
}

/// Everything of a text but its white space.
pub(super) fn solid(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Texts around a platform's limit.
pub(super) fn long_text(most: usize) -> impl Strategy<Value = String> {
    let word = prop_oneof!["[a-z]{1,12}", "[äöü😀]{1,4}", "[*_<>&\\[\\]()]{1,3}"];
    let words = prop::collection::vec((word, prop_oneof![Just(" "), Just("\n"), Just("\n\n"), Just(". ")]), 1..40);
    (words, 1..=4usize).prop_map(move |(words, times)| {
        let words: String = words.into_iter().map(|(word, gap)| word + gap).collect();
        words.repeat(times * most / words.len().max(1) + 1)
    })
}

/// Any value, now and then with the fields that replies have.
pub(super) fn any_reply() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        Just(json!("https://a.example/x.png")),
        Just(json!("data:image/png;base64,aGk=")),
        Just(json!("markdown")),
        Just(json!("AdaptiveCard")),
    ];
    let name = prop::sample::select(&[
        "text",
        "buttons",
        "title",
        "payload",
        "url",
        "attachments",
        "mime",
        "contentUrl",
        "data_inline_b64",
        "name",
        "card",
        "type",
        "body",
        "actions",
        "items",
        "messages",
        "format",
        "parse_mode",
        "telegram",
        "whatsapp",
        "content",
        "suggestedActions",
        "reply_markup",
        "template",
        "blocks",
        "entities",
        "contentType",
    ]);
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6).prop_map(|fields| Value::Object(
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
}
