//! Cards told in words, for platforms that show none: texts, facts, images and actions, in their order.

use serde_json::Value;

use super::message::{Action, Button, File, FileSource, Message};

/// The most elements of a card that are told, so that none takes long.
const MOST_ELEMENTS: usize = 1000;
/// The deepest nesting that is told.
const MOST_DEPTH: usize = 32;
/// The most bytes of a card in CBOR.
const MOST_BYTES: usize = 1 << 20;

/// What a card says. Of other cards than adaptive ones `title`, `subtitle`, `text`, `images` and `buttons` are known.
pub(super) fn told(content_type: &str, content: &Value) -> Message {
    let mut words = Words { lines: Vec::new(), message: Message::default(), left: MOST_ELEMENTS };
    if content_type.to_ascii_lowercase().ends_with("card.adaptive") || content.get("body").is_some() {
        words.elements(content.get("body"), 0);
        words.actions(content.get("actions"), 0);
    } else {
        words.plain(content);
    }
    words.message.text = words.lines.join("\n");
    words.message
}

/// A card in CBOR, as a list of bytes.
pub(super) fn of_cbor(bytes: &Value) -> Option<Value> {
    let list = bytes.as_array().filter(|list| list.len() <= MOST_BYTES)?;
    let bytes: Option<Vec<u8>> = list.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect();
    ciborium::de::from_reader_with_recursion_limit(bytes?.as_slice(), 64).ok()
}

struct Words {
    lines: Vec<String>,
    message: Message,
    left: usize,
}

impl Words {
    fn elements(&mut self, elements: Option<&Value>, depth: usize) {
        for element in elements.and_then(Value::as_array).into_iter().flatten() {
            self.element(element, depth);
        }
    }

    fn element(&mut self, element: &Value, depth: usize) {
        if self.left == 0 || depth > MOST_DEPTH || element.get("isVisible") == Some(&Value::Bool(false)) {
            return;
        }
        self.left -= 1;
        let text = |key: &str| element.get(key).and_then(Value::as_str);
        match text("type") {
            Some("TextBlock" | "TextRun") => self.line(text("text")),
            Some("RichTextBlock") => {
                let runs = element.get("inlines").and_then(Value::as_array).into_iter().flatten();
                let run = |run: &Value| run.as_str().or_else(|| run.get("text")?.as_str()).map(str::to_owned);
                let line: String = runs.filter_map(run).collect();
                self.line(Some(&line));
            }
            Some("FactSet") => {
                for fact in element.get("facts").and_then(Value::as_array).into_iter().flatten() {
                    let of = |key: &str| fact.get(key).and_then(Value::as_str).unwrap_or_default();
                    self.line(Some(&format!("{}: {}", of("title").trim_end_matches(':'), of("value"))));
                }
            }
            Some("Image") => self.image(text("url"), text("altText")),
            Some("ActionSet") => self.actions(element.get("actions"), depth + 1),
            _ => {}
        }
        for key in ["items", "columns", "images", "rows", "cells"] {
            self.elements(element.get(key), depth + 1);
        }
    }

    fn actions(&mut self, actions: Option<&Value>, depth: usize) {
        for action in actions.and_then(Value::as_array).into_iter().flatten() {
            if self.left == 0 || depth > MOST_DEPTH {
                return;
            }
            self.left -= 1;
            let text = |key: &str| action.get(key).and_then(Value::as_str);
            if text("type") == Some("Action.ShowCard") {
                let card = action.get("card");
                self.elements(card.and_then(|card| card.get("body")), depth + 1);
                self.actions(card.and_then(|card| card.get("actions")), depth + 1);
                continue;
            }
            let Some(title) = text("title").filter(|title| !title.is_empty()) else { continue };
            let does = match (text("type"), text("url")) {
                (Some("Action.OpenUrl"), Some(url)) => Action::Open(url.to_owned()),
                (Some("Action.Submit" | "Action.Execute"), _) => match action.get("data") {
                    None | Some(Value::Null) => Action::Say(title.to_owned()),
                    Some(Value::String(data)) => Action::Say(data.clone()),
                    Some(data) => Action::Post(data.clone()),
                },
                _ => continue,
            };
            self.message.buttons.push(Button { title: title.to_owned(), action: does });
        }
    }

    /// A card of the Bot Framework's older kinds.
    fn plain(&mut self, card: &Value) {
        for key in ["title", "subtitle", "text"] {
            self.line(card.get(key).and_then(Value::as_str));
        }
        for image in card.get("images").and_then(Value::as_array).into_iter().flatten() {
            self.image(image.get("url").and_then(Value::as_str), None);
        }
        let message = Message::of_reply(&serde_json::json!({ "buttons": card.get("buttons") }));
        self.message.buttons.extend(message.into_iter().flat_map(|message| message.buttons));
    }

    fn line(&mut self, text: Option<&str>) {
        self.lines.extend(text.filter(|text| !text.is_empty()).map(str::to_owned));
    }

    fn image(&mut self, url: Option<&str>, name: Option<&str>) {
        if let Some(url) = url.filter(|url| url.starts_with("https://") || url.starts_with("http://")) {
            let (name, mime) = (name.map(str::to_owned), Some("image/*".to_owned()));
            self.message.files.push(File { name, mime, source: FileSource::Url(url.to_owned()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_card_is_told_in_its_order() {
        let card = json!({"type": "AdaptiveCard", "body": [
            {"type": "TextBlock", "text": "Order 7"},
            {"type": "ColumnSet", "columns": [{"type": "Column", "items": [{"type": "TextBlock", "text": "left"}]},
                {"type": "Column", "items": [{"type": "Image", "url": "https://a.example/i.png", "altText": "logo"}]}]},
            {"type": "FactSet", "facts": [{"title": "Total:", "value": "9 €"}]},
            {"type": "RichTextBlock", "inlines": ["plain ", {"type": "TextRun", "text": "run"}]},
            {"type": "TextBlock", "text": "hidden", "isVisible": false},
            {"type": "ActionSet", "actions": [{"type": "Action.OpenUrl", "title": "Site", "url": "https://a.example"}]},
        ], "actions": [{"type": "Action.ShowCard", "title": "More", "card": {"body": [{"type": "TextBlock", "text": "more"}]}},
            {"type": "Action.Submit", "title": "Pay"}]});
        let told = told("application/vnd.microsoft.card.adaptive", &card);
        assert_eq!(told.text, "Order 7\nleft\nTotal: 9 €\nplain run\nmore");
        assert_eq!(told.files.len(), 1);
        let titles: Vec<_> = told.buttons.iter().map(|button| button.title.as_str()).collect();
        assert_eq!(titles, ["Site", "Pay"]);
    }

    #[test]
    fn a_hero_card_is_told() {
        let card = json!({"title": "T", "subtitle": "S", "text": "X", "images": [{"url": "https://a.example/i.png"}],
            "buttons": [{"type": "imBack", "title": "Go", "value": "go"}]});
        let told = told("application/vnd.microsoft.card.hero", &card);
        assert_eq!((told.text.as_str(), told.files.len(), told.buttons.len()), ("T\nS\nX", 1, 1));
    }

    #[test]
    fn a_hostile_card_costs_little() {
        let mut deep = json!({"type": "TextBlock", "text": "x"});
        for _ in 0..100 {
            deep = json!({"type": "Container", "items": [deep]});
        }
        assert_eq!(told("x/card.adaptive", &json!({"body": [deep]})).text, "");
        let wide: Vec<_> = (0..5000).map(|_| json!({"type": "TextBlock", "text": "x"})).collect();
        assert_eq!(told("x/card.adaptive", &json!({"body": wide})).text.len(), 2 * MOST_ELEMENTS - 1);
        assert_eq!(of_cbor(&json!([300])), None);
        assert_eq!(of_cbor(&json!([0x9f])), None);
    }
}
