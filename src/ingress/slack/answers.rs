//! Answers that Slack waits for, made of a flow's replies.
//!
//! An answer takes all replies. Where they are nothing that Slack can show at that place there is no answer, and they
//! go the usual way.

use serde_json::{Map, Value, json};

use super::super::adapter::Answer;
use super::super::json;
use crate::egress::Message;
use crate::egress::slack::escape;

/// The most options of a menu, and the longest text and value of one.
const MOST_OPTIONS: usize = 100;
const OPTION_TEXT: usize = 75;
const OPTION_VALUE: usize = 150;

/// The longest text of an answer to a command; longer ones are messages, which can be split.
const ANSWER_TEXT: usize = 3000;

/// The answer to a request; `request` is the envelope's `raw`.
pub(super) fn respond(request: &Value, replies: &[Value]) -> Option<Answer> {
    match json::text(request, &["type"]) {
        Some("view_submission") => replies.iter().find(|reply| is_view_answer(reply)).map(ok),
        Some("dialog_submission") => {
            let errors = replies.iter().find_map(|reply| json::at(reply, &["errors"]).filter(|found| found.is_array()));
            errors.map(|errors| ok(&json!({ "errors": errors })))
        }
        Some("block_suggestion") => Some(options(replies, &block_option)),
        Some("dialog_suggestion") => Some(options(replies, &|text, value| json!({ "label": text, "value": value }))),
        Some("interactive_message") => Some(options(replies, &|text, value| json!({ "text": text, "value": value }))),
        _ => json::text(request, &["command"]).and_then(|_| command(replies)),
    }
}

/// No options.
pub(super) fn no_options() -> Answer {
    ok(&json!({ "options": [] }))
}

fn ok(body: &Value) -> Answer {
    Answer::json(200, body)
}

/// Whether a reply says what becomes of the view.
fn is_view_answer(reply: &Value) -> bool {
    let has = |name: &str| reply.get(name).is_some_and(Value::is_object);
    match json::text(reply, &["response_action"]) {
        Some("errors") => has("errors"),
        Some("update" | "push") => has("view"),
        Some("clear") => true,
        _ => false,
    }
}

/// The options in the replies. An option that is a text stands for itself.
fn options(replies: &[Value], made: &dyn Fn(&str, &str) -> Value) -> Answer {
    if let Some(groups) = replies.iter().find_map(|reply| json::at(reply, &["option_groups"]).filter(|g| g.is_array()))
    {
        return ok(&json!({ "option_groups": groups }));
    }
    let given = replies.iter().flat_map(|reply| match reply {
        Value::Array(options) => options.as_slice(),
        reply => json::list(reply, &["options"]),
    });
    let option = |option: &Value| match option {
        Value::String(text) if !text.is_empty() => Some(made(&cut(text, OPTION_TEXT), &cut(text, OPTION_VALUE))),
        Value::Object(fields) => {
            let label = ["title", "label", "text"].iter().find_map(|name| json::text(option, &[name]));
            let value = fields.get("value").and_then(Value::as_str).or(label)?;
            Some(
                label.map_or_else(|| option.clone(), |label| made(&cut(label, OPTION_TEXT), &cut(value, OPTION_VALUE))),
            )
        }
        _ => None,
    };
    let options: Vec<_> = given.filter_map(option).take(MOST_OPTIONS).collect();
    ok(&json!({ "options": options }))
}

fn block_option(text: &str, value: &str) -> Value {
    json!({ "text": { "type": "plain_text", "text": text }, "value": value })
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Whether a reply holds more than a text and blocks: buttons, cards, files.
fn holds_more(reply: &Map<String, Value>) -> bool {
    reply.iter().filter(|(name, _)| *name != "blocks").any(|(_, value)| match value {
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => false,
    })
}

/// Whether a reply's text is in Slack's markup. None if it is in another one.
fn is_mrkdwn(reply: &Value) -> Option<bool> {
    match Message::of_reply(reply).first().and_then(Message::format).as_deref() {
        None | Some("plain") => Some(false),
        Some("mrkdwn") => Some(true),
        Some(_) => None,
    }
}

/// One message of all replies, if they are texts in one markup, or blocks with a text beside them. Only the user sees it
/// unless a reply says `response_type: in_channel`.
fn command(replies: &[Value]) -> Option<Answer> {
    let mut body = Map::new();
    let (mut texts, mut blocks) = (Vec::new(), Vec::new());
    let mrkdwn = is_mrkdwn(replies.first()?)?;
    if replies.iter().any(|reply| is_mrkdwn(reply) != Some(mrkdwn)) {
        return None;
    }
    let shown = |text: &str| if mrkdwn { text.to_owned() } else { escape(text) };
    body.insert("response_type".into(), "ephemeral".into());
    for reply in replies {
        match reply {
            Value::String(text) => texts.push(shown(text)),
            Value::Object(fields) if !holds_more(fields) => {
                texts.push(shown(json::text(reply, &["text"])?));
                blocks.extend(json::list(reply, &["blocks"]).iter().cloned());
                if json::text(reply, &["response_type"]) == Some("in_channel") {
                    body.insert("response_type".into(), "in_channel".into());
                }
            }
            _ => return None,
        }
    }
    let text = texts.join("\n");
    // Blocks take the place of the text, so they cannot stand beside texts of other replies.
    let is_whole = blocks.is_empty() || replies.len() == 1;
    if text.is_empty() || text.len() > ANSWER_TEXT || !is_whole {
        return None;
    }
    body.insert("text".into(), text.into());
    if !mrkdwn {
        body.insert("mrkdwn".into(), false.into());
    }
    if !blocks.is_empty() {
        body.insert("blocks".into(), blocks.into());
    }
    Some(ok(&body.into()))
}
