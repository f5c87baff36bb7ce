//! Mentions, as the HTML of a message tells them: `<spark-mention data-object-id="…">Name</spark-mention>`.

use serde_json::Value;

use super::super::envelope::{MOST, Mention};
use super::super::json;
use super::event::plain;

/// The mentions in HTML, in their order.
fn marked(html: &str) -> impl Iterator<Item = Mention> {
    html.split("<spark-mention").skip(1).filter_map(|part| {
        let (tag, rest) = part.split_once('>')?;
        let (name, _) = rest.split_once("</spark-mention>")?;
        let id = ["data-object-id=", "data-group-type="].iter().find_map(|attribute| {
            let value = tag.split_once(attribute)?.1;
            let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            value.get(1..)?.split(quote).next().filter(|id| !id.is_empty())
        })?;
        Some(Mention { id: id.to_owned(), name: Some(unescaped(name)).filter(|name| !name.is_empty()) })
    })
}

/// Who is mentioned in a message: everybody that Webex lists, by the id that it lists, with the names of the HTML.
pub(super) fn of(message: &Value) -> Vec<Mention> {
    let mut marked: Vec<_> = marked(json::text(message, &["html"]).unwrap_or_default()).take(MOST).collect();
    let listed = ["mentionedPeople", "mentionedGroups"].iter().flat_map(|list| json::list(message, &[list]));
    let mut found: Vec<Mention> = Vec::new();
    for id in listed.filter_map(Value::as_str).take(MOST) {
        let place = marked.iter().position(|mention| plain(&mention.id) == plain(id));
        found.push(Mention { id: id.to_owned(), name: place.and_then(|place| marked.remove(place).name) });
    }
    found.append(&mut marked);
    found.truncate(MOST);
    found
}

/// The text without the mention that it begins with, if that is the one of whom `is_addressed` says so: in a group a
/// bot only hears what begins with its name, or has it somewhere.
pub(super) fn without_address(text: &str, html: &str, is_addressed: impl Fn(&str) -> bool) -> String {
    let first = marked(html).next().filter(|mention| is_addressed(&mention.id));
    let name = first.and_then(|mention| mention.name);
    let rest = name.as_deref().and_then(|name| text.trim_start().strip_prefix(name));
    match rest {
        Some(rest) if rest.is_empty() || !rest.starts_with(char::is_alphanumeric) => {
            rest.trim_start_matches([',', ':']).trim_start().to_owned()
        }
        _ => text.to_owned(),
    }
}

fn unescaped(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}
