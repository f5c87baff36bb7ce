//! What Telegram recognised in a text: mentions and links. It counts in UTF-16 units.

use serde_json::Value;

use super::super::envelope::{Entities, MOST, Mention, urls_in};
use super::super::json;

/// The mentions and links of a text. A text in which Telegram marks no link is searched for links all the same.
pub(super) fn of(text: &str, marks: &[Value]) -> Entities {
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut found = Entities::default();
    for mark in marks.iter().take(2 * MOST) {
        let shown = || shown(&units, mark);
        match json::text(mark, &["type"]) {
            Some("mention") => {
                found.mentions.extend(shown().map(|name| Mention { id: name.clone(), name: Some(name) }))
            }
            Some("text_mention") => found
                .mentions
                .extend(json::integer(mark, &["user", "id"]).map(|id| Mention { id: id.to_string(), name: shown() })),
            Some("url") => found.urls.extend(shown()),
            Some("text_link") => found.urls.extend(json::text(mark, &["url"]).map(str::to_owned)),
            _ => {}
        }
    }
    if found.urls.is_empty() {
        found.urls = urls_in(text);
    }
    found.mentions.truncate(MOST);
    found.urls.truncate(MOST);
    found
}

/// The marked part of the text.
fn shown(units: &[u16], mark: &Value) -> Option<String> {
    let number = |name| json::integer(mark, &[name]).and_then(|n| usize::try_from(n).ok());
    let (from, length) = (number("offset")?, number("length")?);
    let part = units.get(from..from.checked_add(length)?)?;
    String::from_utf16(part).ok().filter(|part| !part.is_empty())
}
