//! Cards, and buttons as cards.

use serde_json::{Value, json};

use super::super::message::{Action, Button};
use super::super::value::packed;

/// The fields of a card's action that carry a button's value and what it says. They come back as inputs, beside which
/// Webex does not tell what was pressed.
pub(crate) const VALUE: &str = "button_value";
/// See [`VALUE`].
pub(crate) const TITLE: &str = "button_title";

/// The newest version of cards that Webex shows.
const VERSION: &str = "1.3";

/// The most actions of a card.
const MOST_ACTIONS: usize = 5;

/// The longest text that stands in the card of its buttons.
const MOST_TEXT: usize = 1000;

/// A message's buttons as actions, and lines for the links that no action opens.
pub(super) struct Buttons {
    actions: Vec<(String, Value)>,
    pub(super) lines: Vec<String>,
}

impl Buttons {
    pub(super) fn of(buttons: &[Button]) -> Self {
        let mut found = Self { actions: Vec::new(), lines: Vec::new() };
        for Button { title, action } in buttons {
            let title = Some(title.trim()).filter(|title| !title.is_empty()).unwrap_or("…").to_owned();
            match action {
                Action::Open(url) if is_page(url) => {
                    let opens = json!({"type": "Action.OpenUrl", "title": title, "url": url});
                    found.actions.push((format!("{title}: {url}"), opens));
                }
                Action::Open(url) => found.lines.push(format!("{title}: {url}")),
                action => {
                    let data = json!({ VALUE: packed(action), TITLE: title });
                    let submits = json!({"type": "Action.Submit", "title": title, "data": data});
                    found.actions.push((format!("• {title}"), submits));
                }
            }
        }
        found
    }

    pub(super) fn any(&self) -> bool {
        !self.actions.is_empty()
    }

    /// Cards with the buttons, each with what it says in words; the text, if there is one, stands in the first.
    pub(super) fn cards(&self, text: &str) -> Vec<(Value, String)> {
        let chunks = self.actions.chunks(MOST_ACTIONS).enumerate();
        let card = |(number, actions): (usize, &[(String, Value)])| {
            let text = if number == 0 && !text.is_empty() { text } else { "…" };
            let line = |line: &str| json!({"type": "TextBlock", "text": line, "wrap": true, "spacing": "none"});
            let body: Vec<Value> =
                text.lines().map(|text| if text.is_empty() { line(" ") } else { line(text) }).collect();
            let card = json!({"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard",
                "version": VERSION, "body": body, "actions": actions.iter().map(|(_, action)| action).collect::<Vec<_>>()});
            let words = actions.iter().map(|(words, _)| words.as_str());
            (card, std::iter::once(text).chain(words).collect::<Vec<_>>().join("\n"))
        };
        chunks.map(card).collect()
    }
}

/// Whether a card shows a text as it is. Cards read some Markdown, and not every client takes a backslash for what it is.
pub(super) fn is_literal(text: &str) -> bool {
    let is_mark = |c: char| matches!(c, '*' | '_' | '~' | '`' | '[' | ']' | '\\' | '<' | '>' | '#' | '|');
    let is_item = |line: &str| {
        let line = line.trim_start();
        line.starts_with(['-', '+']) || line.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['.', ')'])
    };
    text.chars().count() <= MOST_TEXT && !text.contains(is_mark) && !text.lines().any(is_item)
}

/// A flow's own card as Webex knows it: of a version that it shows, and with actions that it has.
pub(super) fn fitted(mut card: Value) -> Value {
    let version = |text: &str| text.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>();
    let stated = card.get("version").and_then(Value::as_str).map(version);
    if let Value::Object(fields) = &mut card
        && stated.is_none_or(|stated| stated > version(VERSION))
    {
        fields.insert("version".to_owned(), VERSION.into());
    }
    submitted(&mut card);
    card
}

/// Makes `Action.Execute` what it was before there was one; its verb goes with the data.
fn submitted(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("type").and_then(Value::as_str) == Some("Action.Execute") {
                fields.insert("type".to_owned(), "Action.Submit".into());
                if let Some(verb) = fields.remove("verb")
                    && let Value::Object(data) = fields.entry("data").or_insert_with(|| json!({}))
                {
                    data.entry("verb").or_insert(verb);
                }
            }
            fields.iter_mut().filter(|(name, _)| *name != "data").for_each(|(_, value)| submitted(value));
        }
        Value::Array(values) => values.iter_mut().for_each(submitted),
        _ => {}
    }
}

fn is_page(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
