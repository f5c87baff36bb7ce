//! Who sent a message.

use serde_json::Value;

use super::super::json;

/// Whoever sent a message. At least one of the two is known.
pub(super) struct Sender<'a> {
    /// The number, unless it is hidden.
    pub(super) number: Option<String>,
    /// What stands for the user towards this business, with or without a number.
    pub(super) user_id: Option<String>,
    /// What is told about the user.
    pub(super) contact: Option<&'a Value>,
}

impl<'a> Sender<'a> {
    /// The sender of a message; none if the delivery does not tell. `alone` says that the message is the only one beside
    /// these contacts: then a contact that is alone too is its sender, even where numbers are written in two ways.
    pub(super) fn of(message: &Value, contacts: &'a [Value], alone: bool) -> Option<Self> {
        let from = json::id(message, &["from"]);
        let stated = json::id(message, &["from_user_id"]);
        let is = |contact: &Value, name, wanted: &Option<String>| {
            wanted.is_some() && json::text(contact, &[name]) == wanted.as_deref()
        };
        let only = || contacts.first().filter(|_| alone && contacts.len() == 1);
        let contact = contacts
            .iter()
            .find(|c| is(c, "wa_id", &from) || is(c, "user_id", &stated) || is(c, "user_id", &from))
            .or_else(only);
        let user_id = stated.or_else(|| json::id(contact?, &["user_id"]));
        // Where the number is hidden, `from` may hold the user's id.
        let hidden = |from: &String| user_id.as_ref() == Some(from) || is_user_id(from);
        let (number, user_id) = match from {
            Some(from) if hidden(&from) => (None, user_id.or(Some(from))),
            from => (from, user_id),
        };
        (number.is_some() || user_id.is_some()).then_some(Self { number, user_id, contact })
    }

    /// What envelopes show.
    pub(super) fn shown(&self) -> &str {
        self.number.as_deref().or(self.user_id.as_deref()).unwrap_or_default()
    }

    /// What stays the same when the number is hidden.
    pub(super) fn lasting(&self) -> &str {
        self.user_id.as_deref().or(self.number.as_deref()).unwrap_or_default()
    }
}

/// Whether it looks like a user's id: two letters of a country, a dot, letters and digits.
fn is_user_id(text: &str) -> bool {
    let (country, rest) = text.split_once('.').unwrap_or_default();
    country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()) && !rest.is_empty()
}
