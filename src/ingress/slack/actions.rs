//! What a user did with an element of a message or a view: a button pressed, an option chosen, a text typed.

use serde_json::{Map, Value};

use super::super::envelope::{Button, MOST};
use super::super::json;
use super::text;
use crate::egress::slack::{self as egress, Pressed};

/// Where elements keep what was chosen, of one kind or another.
const VALUES: &[&str] = &[
    "value",
    "selected_date",
    "selected_time",
    "selected_date_time",
    "selected_user",
    "selected_users",
    "selected_conversation",
    "selected_conversations",
    "selected_channel",
    "selected_channels",
    "rich_text_value",
    "files",
];

/// The pressed buttons of a request; at most [`MOST`]. `original` is the message that they are in, as far as it is told.
pub(super) fn pressed(actions: &[Value], original: Option<&Value>) -> Vec<Button> {
    let buttons = actions.iter().take(MOST).enumerate();
    buttons
        .map(|(place, action)| {
            let mut button = button(action, place);
            if let Some(title) = original.and_then(|message| legacy_title(message, action)) {
                button.title = title;
            }
            button
        })
        .collect()
}

/// An element as a button.
pub(super) fn button(element: &Value, place: usize) -> Button {
    let id = json::text(element, &["action_id"]).or_else(|| json::text(element, &["name"]));
    let payload = match of_reply(element) {
        Some(Pressed::Value(value)) => value,
        Some(Pressed::Opened) | None => value(element),
    };
    let title = title(element).or_else(|| payload.as_str().map(str::to_owned));
    Button { id: id.map_or_else(|| place.to_string(), str::to_owned), title: title.unwrap_or_default(), payload }
}

/// What an element stands for if it is a button of a reply.
pub(super) fn of_reply(element: &Value) -> Option<Pressed> {
    egress::pressed(json::text(element, &["action_id"])?, json::text(element, &["value"]))
}

/// What was chosen or typed; null if the element holds nothing of the kind.
pub(super) fn value(element: &Value) -> Value {
    if let Some(value) = VALUES.iter().find_map(|name| json::at(element, &[name])) {
        return value.clone();
    }
    if let Some(option) = json::at(element, &["selected_option", "value"]) {
        return option.clone();
    }
    match json::at(element, &["selected_options"]).and_then(Value::as_array) {
        Some(options) => options.iter().take(MOST).filter_map(|option| option.get("value")).cloned().collect(),
        None => Value::Null,
    }
}

fn title(element: &Value) -> Option<String> {
    let said = |holder: &Value| {
        let text = json::text(holder, &["text", "text"]).or_else(|| json::text(holder, &["text"]))?;
        match json::text(holder, &["text", "type"]) {
            Some("mrkdwn") => text::read(text, &[]).text,
            _ => Some(text.to_owned()),
        }
    };
    let chosen = json::list(element, &["selected_options"]).iter().take(MOST).filter_map(said);
    let chosen = chosen.collect::<Vec<_>>().join(", ");
    json::at(element, &["selected_option"])
        .and_then(said)
        .or_else(|| Some(chosen).filter(|chosen| !chosen.is_empty()))
        .or_else(|| said(element))
}

/// The words on a button of an old message attachment, of which the action tells only the name and the value.
fn legacy_title(message: &Value, action: &Value) -> Option<String> {
    let all = json::list(message, &["attachments"]).iter().take(MOST);
    let mut known = all.flat_map(|attachment| json::list(attachment, &["actions"]).iter().take(MOST));
    let same = |button: &&Value| {
        ["name", "value"].iter().all(|field| button.get(field).is_some() && button.get(field) == action.get(field))
    };
    json::text(known.find(same)?, &["text"]).map(str::to_owned)
}

/// The values of a view's inputs: `{block: {action: value}}`.
pub(super) fn state(view: &Value) -> Value {
    let blocks = json::at(view, &["state", "values"]).and_then(Value::as_object);
    let inputs = |block: &Value| -> Map<String, Value> {
        let inputs = block.as_object().into_iter().flatten();
        inputs.map(|(action, element)| (action.clone(), value(element))).collect()
    };
    let blocks = blocks.into_iter().flatten().map(|(block, content)| (block.clone(), inputs(content).into()));
    Value::Object(blocks.collect())
}
