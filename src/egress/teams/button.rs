//! Buttons, and what Teams tells when one is pressed.
//!
//! Teams gives back the object that a card's action holds, and nothing but objects. So a button's value is in one, under a
//! name that tells it from what authors of cards write.

use serde_json::{Map, Value, json};

use super::activity::units;
use crate::egress::value::shortened;
use crate::egress::{Action, Button};

/// The name of a button's value in what Teams gives back.
const PAYLOAD: &str = "greentic:payload";

/// The most words on a button, in characters, and the most code units of one in all.
const TITLE: usize = 200;
const SIZE: usize = 10_000;

/// What a button of a reply stood for, if the `value` of an activity tells of one.
pub(crate) fn pressed(value: &Value) -> Option<Value> {
    let of = |value: &Value| value.get(PAYLOAD).filter(|payload| !payload.is_null()).cloned();
    match value {
        // Some clients give back text.
        Value::String(text) if text.contains(PAYLOAD) => of(&serde_json::from_str(text).ok()?),
        value => of(value),
    }
}

/// The action of a card for a button.
///
/// # Errors
///
/// What is told instead, where the button does not fit.
pub(super) fn action(button: &Button) -> Result<Value, String> {
    let title = match button.title.trim() {
        "" => "…",
        title => title,
    };
    let shown = shortened(title, TITLE, |text| text.chars().count());
    let action = match &button.action {
        Action::Open(url) => opens(&shown, url),
        Action::Say(text) => {
            let said = if text.is_empty() { title } else { text };
            Some(submits(&shown, said, Some(&shown), &text.as_str().into()))
        }
        Action::Post(value) => Some(submits(&shown, title, None, value)),
    };
    action.filter(|action| units(action) <= SIZE).ok_or_else(|| match &button.action {
        Action::Open(url) => format!("• {title}: {url}"),
        Action::Say(_) | Action::Post(_) => format!("• {title}"),
    })
}

/// The action that opens a page of the web.
pub(super) fn opens(title: &str, url: &str) -> Option<Value> {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    let is_plain = !url.chars().any(|c| c.is_whitespace() || c.is_control());
    (is_web && is_plain).then(|| json!({"type": "Action.OpenUrl", "title": title, "url": url}))
}

/// The action that sends a text and a value; what is `shown` stands in the chat as the user's.
fn submits(title: &str, said: &str, shown: Option<&str>, payload: &Value) -> Value {
    let mut back = Map::new();
    back.insert("type".into(), "messageBack".into());
    back.insert("text".into(), said.into());
    back.insert("value".into(), json!({PAYLOAD: payload}));
    if let Some(shown) = shown {
        back.insert("displayText".into(), shown.into());
    }
    // Clients that know no `messageBack` give back what stands beside it.
    json!({"type": "Action.Submit", "title": title, "data": {PAYLOAD: payload, "msteams": back}})
}
