//! Buttons, and what Slack tells when one is pressed.
//!
//! A button's value is a text for Slack, and that a link was pressed is told as well. Which buttons are a reply's, and which
//! of them are links, is in their `action_id`, which comes back.

use serde_json::{Value, json};

use super::text::{address, chars};
use crate::egress::value::{packed, shortened, unpacked};
use crate::egress::{Action, Button};

/// The longest words on a button, the longest value, and the longest URL of one.
const TITLE: usize = 75;
const VALUE: usize = 2000;
const URL: usize = 3000;

/// How the ids of a reply's buttons begin, and those of its links.
const OWN: &str = "reply:";
const OPENS: &str = "reply:open:";

/// What a pressed button of a reply stands for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pressed {
    /// A value: of a text, as if the user had written it.
    Value(Value),
    /// Nothing: a page was opened.
    Opened,
}

/// What an element stands for if it is a button of a reply.
pub(crate) fn pressed(action_id: &str, value: Option<&str>) -> Option<Pressed> {
    match value {
        _ if action_id.starts_with(OPENS) => Some(Pressed::Opened),
        Some(value) if action_id.starts_with(OWN) => Some(Pressed::Value(unpacked(value))),
        _ => None,
    }
}

/// The element for a button, the `place`th of its reply.
///
/// # Errors
///
/// What is told instead, where the button does not fit.
pub(super) fn element(button: &Button, place: usize) -> Result<Value, String> {
    let title = match button.title.trim() {
        "" => "…",
        title => title,
    };
    let element = |kind: &str, field: &str, value: &str, most: usize| {
        let text = json!({"type": "plain_text", "text": shortened(title, TITLE, chars), "emoji": true});
        let element = json!({"type": "button", "action_id": format!("{kind}{place}"), "text": text, field: value});
        (chars(value) <= most).then_some(element)
    };
    match (&button.action, packed(&button.action)) {
        (Action::Open(url), _) => {
            address(url).and_then(|url| element(OPENS, "url", url, URL)).ok_or_else(|| format!("• {title}: {url}"))
        }
        (_, value) => value.and_then(|value| element(OWN, "value", &value, VALUE)).ok_or_else(|| format!("• {title}")),
    }
}
