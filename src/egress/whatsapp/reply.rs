//! A reply as messages: texts, then files, then what can be pressed.

use serde_json::Value;

use super::super::message::Message;
use super::super::sender::Call;
use super::super::styled::{Links, Styled};
use super::interactive::{Buttons, MOST_BODY};
use super::markup::{pieces, units};
use super::media;
use super::place::Place;
use crate::error::{Code, Error, Result};

/// The longest text.
pub(super) const MOST_TEXT: usize = 4096;

/// The longest text below a file.
const MOST_CAPTION: usize = 1024;

/// The requests that a reply takes.
pub(super) fn calls(place: &Place<'_>, reply: &Value) -> Result<Vec<Call>> {
    let mut calls = Vec::new();
    for message in Message::of_reply(reply) {
        match message.native.get("whatsapp") {
            None | Some(Value::Null) => calls.extend(written(place, message)),
            Some(own) => calls.push(native(place, own)?),
        }
    }
    Ok(calls)
}

/// What a flow says for WhatsApp alone: `{type: template, template: {…}}`.
fn native(place: &Place<'_>, own: &Value) -> Result<Call> {
    let invalid = |what: &str| {
        Error::new(Code::ReplyInvalid, format!("`whatsapp` of a reply {what}"))
            .hint("give the type of the message and its content: {type: template, template: {…}}")
    };
    let kind = own.get("type").and_then(Value::as_str).ok_or_else(|| invalid("has no `type`"))?;
    match own.get(kind) {
        Some(Value::Object(_)) if kind != "type" => Ok(place.with(own.clone())),
        _ => Err(invalid("has no object named as its `type` says")),
    }
}

fn written(place: &Place<'_>, message: Message) -> Vec<Call> {
    let message = message.without_cards();
    let mut text = Styled::of(&message, Links::Spelled);
    let buttons = Buttons::of(place, &message.buttons);
    let mut files = Vec::new();
    for file in message.files {
        match media::kind(&file) {
            Some(kind) => files.push((kind, file)),
            None => text.push_line(&file.in_words()),
        }
    }
    buttons.lines.iter().for_each(|line| text.push_line(line));
    let mut texts = pieces(&text, MOST_TEXT);
    let takes_caption = matches!(files.as_slice(), [(kind, _)] if media::has_caption(kind)) && !buttons.any();
    // A text that fits stands below the only file, or above the buttons.
    let caption = match texts.as_slice() {
        [only] if takes_caption && units(only) <= MOST_CAPTION => texts.pop(),
        _ => None,
    };
    let body = if buttons.any() { body(&text, &mut texts) } else { String::new() };
    let mut calls: Vec<Call> = texts.iter().map(|text| place.text(text)).collect();
    calls.extend(files.iter().map(|(kind, file)| media::call(place, kind, file, caption.as_deref())));
    if buttons.any() {
        calls.extend(buttons.calls(place, &body));
    }
    calls
}

/// Takes the end of a text off, to stand above buttons.
fn body(text: &Styled, texts: &mut Vec<String>) -> String {
    if texts.last().is_some_and(|last| units(last) > MOST_BODY) {
        *texts = pieces(text, MOST_BODY);
    }
    texts.pop().unwrap_or_default()
}
