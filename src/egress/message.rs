//! What a reply says, in one form for all platforms.
//!
//! A reply is a text, or an object with `text`, `buttons`, `suggestedActions`, `attachments`, a card, or `messages`, a list
//! of such objects. Buttons are texts, or objects with `title` and `payload` (also `value` or `id`) or `url`; attachments
//! are of the envelope's form, or of the Bot Framework's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::card;

/// The most messages of one reply, and the most buttons, attachments and cards of one message.
const MOST: usize = 50;

/// The longest text file that is told in words, in bytes.
const MOST_WORDS: usize = 12_000;

/// The media type of Adaptive Cards.
const ADAPTIVE: &str = "application/vnd.microsoft.card.adaptive";

/// One message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// The text; empty if there is none.
    pub text: String,
    /// What the user is offered to press.
    pub buttons: Vec<Button>,
    /// Files.
    pub files: Vec<File>,
    /// Cards, for platforms that show them.
    pub cards: Vec<Card>,
    /// The reply's object as it was given, for what only one platform has.
    pub native: Map<String, Value>,
}

/// Something to press.
#[derive(Clone, Debug, PartialEq)]
pub struct Button {
    /// What it says.
    pub title: String,
    /// What it does.
    pub action: Action,
}

/// What a button does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Sends this text, as if the user had written it.
    Say(String),
    /// Sends a value that is not shown.
    Post(Value),
    /// Opens a page.
    Open(String),
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its media type, if known.
    pub mime: Option<String>,
    /// Where it is.
    pub source: FileSource,
}

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSource {
    /// At a public URL.
    Url(String),
    /// In the reply itself.
    Inline(Bytes),
}

/// A card.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Its media type: `application/vnd.microsoft.card.adaptive`.
    pub content_type: String,
    /// The card.
    pub content: Value,
}

impl File {
    /// Whether it is of this kind: `image`, `audio`, `video`.
    pub fn is(&self, kind: &str) -> bool {
        let prefix = self.mime.as_deref().and_then(|mime| mime.get(..kind.len()));
        prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(kind))
    }

    /// What to call it.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or("file")
    }

    /// Its media type, in lower case and without parameters: the stated one, else the one that its name or its URL stands
    /// for.
    pub fn media_type(&self) -> Option<String> {
        let essence = |mime: &str| mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let stated = self.mime.as_deref().map(essence).filter(|mime| mime.contains('/'));
        if stated.as_ref().is_some_and(|mime| !mime.ends_with("/*") && mime != "application/octet-stream") {
            return stated;
        }
        let path = match &self.source {
            FileSource::Url(url) => url::Url::parse(url).ok().map(|url| url.path().to_owned()),
            FileSource::Inline(_) => None,
        };
        let guessed = |name: &str| mime_guess::from_path(name).first_raw().map(str::to_owned);
        let guess = self.name.as_deref().and_then(guessed).or_else(|| path.as_deref().and_then(guessed));
        guess.or(stated)
    }

    /// A name for it where it is uploaded: its own, without what no name of a file has, else one after its media type.
    pub fn file_name(&self) -> String {
        let is_fit = |c: &char| !c.is_control() && !matches!(c, '/' | '\\' | '"');
        let name: String = self.label().chars().filter(is_fit).take(120).collect();
        match self.media_type().as_deref().and_then(extension).filter(|_| !name.contains('.')) {
            Some(extension) => format!("{name}.{extension}"),
            None => name,
        }
    }

    /// The file in words, for platforms that cannot be given it: its name, and where it is, or its text if it is a short
    /// one.
    pub fn in_words(&self) -> String {
        let label = self.label();
        match &self.source {
            FileSource::Url(url) => format!("📎 {label}: {url}"),
            FileSource::Inline(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if self.is("text/") && bytes.len() <= MOST_WORDS => format!("📎 {label}\n{text}"),
                _ => format!("📎 {label}"),
            },
        }
    }

    /// The media type for where it is uploaded.
    pub fn upload_type(&self) -> String {
        let is_fit = |mime: &String| {
            !mime.ends_with("/*") && mime.bytes().all(|b| b.is_ascii_alphanumeric() || b"/.+-_".contains(&b))
        };
        self.media_type().filter(is_fit).unwrap_or_else(|| "application/octet-stream".to_owned())
    }
}

impl Button {
    /// The button as a line, where it cannot be pressed.
    pub fn in_words(&self) -> String {
        match &self.action {
            Action::Open(url) => format!("{}: {url}", self.title),
            Action::Say(_) | Action::Post(_) => format!("• {}", self.title),
        }
    }
}

impl Card {
    /// Whether it is an Adaptive Card.
    pub fn is_adaptive(&self) -> bool {
        self.content_type.eq_ignore_ascii_case(ADAPTIVE)
    }
}

impl Message {
    /// The messages of a reply.
    pub fn of_reply(reply: &Value) -> Vec<Self> {
        let messages = match reply.get("messages") {
            Some(Value::Array(messages)) => messages.as_slice(),
            _ => std::slice::from_ref(reply),
        };
        messages.iter().take(MOST).filter_map(Self::of).collect()
    }

    /// The same without cards: their texts, images and actions are the message's, for platforms that show no cards.
    #[must_use]
    pub fn without_cards(mut self) -> Self {
        for Card { content_type, content } in std::mem::take(&mut self.cards) {
            let told = card::told(&content_type, &content);
            // A text beside a card is what is shown instead of it where a platform knows no cards.
            if self.text.is_empty() {
                self.text = told.text;
            }
            self.buttons.extend(told.buttons);
            self.files.extend(told.files);
        }
        self.buttons.truncate(MOST);
        self.files.truncate(MOST);
        self
    }

    /// The markup that the text is in, in lower case, if the reply says so: `format`, or the Bot Framework's `textFormat`.
    /// A text is plain otherwise, and what looks like markup in it is none.
    pub fn format(&self) -> Option<String> {
        let stated = ["format", "textFormat"].iter().find_map(|key| self.native.get(*key)?.as_str());
        stated.map(str::to_ascii_lowercase)
    }

    fn of(message: &Value) -> Option<Self> {
        match message {
            Value::Null => None,
            Value::String(text) => Some(Self { text: text.clone(), ..Self::default() }),
            Value::Object(object) => Some(Self::of_object(object)),
            // What has no form of its own is shown as it is rather than lost.
            other => Some(Self { text: other.to_string(), ..Self::default() }),
        }
    }

    fn of_object(object: &Map<String, Value>) -> Self {
        let text = match object.get("text") {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        };
        let list = |name: &str| object.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let suggested = object.get("suggestedActions").and_then(|suggested| suggested.get("actions"));
        let suggested = suggested.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let buttons = list("buttons").iter().chain(suggested).filter_map(button).take(MOST).collect();
        let mut message = Self { text, buttons, native: object.clone(), ..Self::default() };
        message.cards.extend(own_card(object));
        for attachment in list("attachments").iter().take(MOST) {
            match card_of(attachment) {
                Some(card) => message.cards.push(card),
                None => message.files.extend(file(attachment)),
            }
        }
        message
    }
}

/// How the names of files of a media type end.
fn extension(media_type: &str) -> Option<&str> {
    let (_, subtype) = media_type.split_once('/')?;
    Some(match media_type {
        "text/plain" => "txt",
        "image/jpeg" => "jpg",
        "image/svg+xml" => "svg",
        "audio/mpeg" => "mp3",
        "audio/mp4" => "m4a",
        _ => subtype.strip_prefix("x-").unwrap_or(subtype),
    })
    .filter(|extension| extension.len() <= 5 && extension.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// A button, if it says something.
fn button(given: &Value) -> Option<Button> {
    if let Some(title) = given.as_str().filter(|title| !title.is_empty()) {
        return Some(Button { title: title.to_owned(), action: Action::Say(title.to_owned()) });
    }
    let title = given.get("title").and_then(Value::as_str).filter(|title| !title.is_empty())?.to_owned();
    let opens = given.get("type").and_then(Value::as_str) == Some("openUrl");
    let url = given.get("url").or_else(|| given.get("value").filter(|_| opens)).and_then(Value::as_str);
    if let Some(url) = url {
        return Some(Button { title, action: Action::Open(url.to_owned()) });
    }
    let value = ["payload", "value", "id"].iter().find_map(|key| given.get(key)).filter(|value| !value.is_null());
    let action = match value {
        Some(Value::String(text)) => Action::Say(text.clone()),
        Some(value) => Action::Post(value.clone()),
        None => Action::Say(title.clone()),
    };
    Some(Button { title, action })
}

fn adaptive(content: Value) -> Card {
    Card { content_type: ADAPTIVE.to_owned(), content }
}

/// The card that an object is, or has beside its text.
fn own_card(object: &Map<String, Value>) -> Option<Card> {
    let is_card = |value: &Value| value.get("type").and_then(Value::as_str) == Some("AdaptiveCard");
    if object.get("type").and_then(Value::as_str) == Some("AdaptiveCard") {
        return Some(adaptive(Value::Object(object.clone())));
    }
    let named = ["card", "adaptive_card", "renderedCard"].iter().find_map(|key| object.get(*key));
    match named.filter(|card| is_card(card)) {
        Some(card) => Some(adaptive(card.clone())),
        None => object.get("card_cbor").and_then(card::of_cbor).filter(is_card).map(adaptive),
    }
}

/// A card that came as an attachment.
fn card_of(attachment: &Value) -> Option<Card> {
    let content = attachment.get("content").filter(|content| content.is_object())?;
    let content_type = ["contentType", "mime"].iter().find_map(|key| attachment.get(key)).and_then(Value::as_str);
    let content_type = content_type.unwrap_or(ADAPTIVE).to_owned();
    Some(Card { content_type, content: content.clone() })
}

/// A file, if it says where it is.
fn file(attachment: &Value) -> Option<File> {
    let text = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| attachment.get(key)).and_then(Value::as_str);
        found.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let name = text(&["name"]);
    let mime = text(&["mime", "contentType"]);
    if let Some(data) = text(&["data_inline_b64"]) {
        let bytes = STANDARD.decode(data).ok()?;
        return Some(File { name, mime, source: FileSource::Inline(bytes.into()) });
    }
    let url = text(&["url", "contentUrl"])?;
    match url.strip_prefix("data:") {
        Some(data) => {
            let (head, data) = data.split_once(";base64,")?;
            let mime = mime.or_else(|| Some(head.to_owned()).filter(|head| !head.is_empty()));
            let bytes = STANDARD.decode(data).ok()?;
            Some(File { name, mime, source: FileSource::Inline(bytes.into()) })
        }
        None => Some(File { name, mime, source: FileSource::Url(url) }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(reply: Value) -> Message {
        let mut messages = Message::of_reply(&reply);
        assert_eq!(messages.len(), 1, "{reply}");
        messages.remove(0)
    }

    #[test]
    fn replies_of_every_form_say_something() {
        assert_eq!(one(json!("hi")).text, "hi");
        assert_eq!(one(json!({"text": "hi"})).text, "hi");
        assert_eq!(one(json!({"text": 7})).text, "7");
        assert_eq!(one(json!([1])).text, "[1]");
        assert!(Message::of_reply(&Value::Null).is_empty());
        let several = Message::of_reply(&json!({"messages": ["a", {"text": "b"}, null]}));
        assert_eq!(several.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_reply_says_what_markup_its_text_is_in() {
        assert_eq!(one(json!({"text": "*a*", "format": "Markdown"})).format().as_deref(), Some("markdown"));
        assert_eq!(one(json!({"text": "*a*", "textFormat": "xml"})).format().as_deref(), Some("xml"));
        assert_eq!(one(json!({"text": "*a*", "format": 7})).format(), None);
        assert_eq!(one(json!("*a*")).format(), None);
    }

    #[test]
    fn buttons_say_post_and_open() {
        let message = one(json!({"text": "?", "buttons": [
            "Yes", {"title": "No", "payload": "no"}, {"title": "Edit", "payload": {"n": 1}},
            {"title": "Site", "url": "https://a.example"}, {"title": ""}, 7,
        ], "suggestedActions": {"actions": [{"type": "openUrl", "title": "Doc", "value": "https://b.example"}]}}));
        let shown: Vec<_> = message.buttons.into_iter().map(|button| (button.title, button.action)).collect();
        let of = |title: &str, action| (title.to_owned(), action);
        assert_eq!(
            shown,
            [
                of("Yes", Action::Say("Yes".into())),
                of("No", Action::Say("no".into())),
                of("Edit", Action::Post(json!({"n": 1}))),
                of("Site", Action::Open("https://a.example".into())),
                of("Doc", Action::Open("https://b.example".into())),
            ]
        );
    }

    #[test]
    fn files_are_where_they_say() {
        let message = one(json!({"attachments": [
            {"contentType": "image/png", "contentUrl": "https://a.example/x.png", "name": "x.png"},
            {"type": "file", "mime": "text/plain", "data_inline_b64": "aGk=", "name": "n.txt"},
            {"contentType": "image/gif", "contentUrl": "data:image/gif;base64,aGk="},
            {"mime": "text/plain"}, {"data_inline_b64": "%%"},
        ]}));
        let sources: Vec<_> = message.files.iter().map(|file| file.source.clone()).collect();
        let inline = FileSource::Inline(Bytes::from_static(b"hi"));
        assert_eq!(sources, [FileSource::Url("https://a.example/x.png".into()), inline.clone(), inline]);
        assert!(message.files[0].is("image") && !message.files[1].is("image"));
        let words: Vec<_> = message.files.iter().map(File::in_words).collect();
        assert_eq!(words, ["📎 x.png: https://a.example/x.png", "📎 n.txt\nhi", "📎 file"]);
    }

    #[test]
    fn a_file_has_a_type_and_a_name() {
        for (attachment, media_type, name) in [
            (json!({"mime": "Image/PNG; q=1", "data_inline_b64": "aGk="}), Some("image/png"), "file.png"),
            (json!({"url": "https://a.example/x.PDF?y=1"}), Some("application/pdf"), "file.pdf"),
            (json!({"mime": "image/*", "url": "https://a.example/x.jpg"}), Some("image/jpeg"), "file.jpg"),
            (
                json!({"mime": "application/vnd.ms-excel", "data_inline_b64": "aGk="}),
                Some("application/vnd.ms-excel"),
                "file",
            ),
            (json!({"mime": "image/*", "url": "https://a.example/x"}), Some("image/*"), "file"),
            (json!({"mime": "nonsense", "url": "https://a.example/"}), None, "file"),
            (json!({"name": "../a\"\nb.txt", "data_inline_b64": "aGk="}), Some("text/plain"), "..ab.txt"),
        ] {
            let message = one(json!({ "attachments": [attachment] }));
            let file = &message.files[0];
            assert_eq!((file.media_type().as_deref(), file.file_name().as_str()), (media_type, name), "{attachment}");
        }
    }

    #[test]
    fn cards_are_found_and_told() {
        let card = json!({"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "Hello"}],
            "actions": [{"type": "Action.Submit", "title": "Go", "data": {"a": 1}}]});
        let bytes: Vec<u8> = {
            let mut bytes = Vec::new();
            ciborium::into_writer(&card, &mut bytes).unwrap();
            bytes
        };
        for reply in [
            card.clone(),
            json!({"card": card}),
            json!({"renderedCard": card}),
            json!({"card_cbor": bytes}),
            json!({"attachments": [{"contentType": ADAPTIVE, "content": card}]}),
        ] {
            let message = one(reply);
            assert_eq!(message.cards, [adaptive(card.clone())]);
            let told = message.without_cards();
            assert_eq!((told.text.as_str(), told.cards.len()), ("Hello", 0));
            assert_eq!(told.buttons, [Button { title: "Go".into(), action: Action::Post(json!({"a": 1})) }]);
        }
        assert_eq!(one(json!({"text": "instead", "card": card})).without_cards().text, "instead");
    }
}
