//! From a message to activities: what each of them says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::button;
use crate::egress::styled::{Links, Styled};
use crate::egress::text::pack;
use crate::egress::{Button, Card, File, FileSource, Message, split};

/// Teams measures messages in UTF-16. It once took 28 KB, of which some are for the rest of the activity; today it takes
/// more, though clients show shorter ones better.
const SIZE: usize = 12_000;
/// The most mentions of an activity in code units.
const MENTIONS: usize = 1000;
/// The most buttons in a row, and the most rows of a card.
const ROW: usize = 6;
const ROWS: usize = 10;
/// The most images of an activity, and the largest one in bytes.
const IMAGES: usize = 10;
const IMAGE: usize = 1 << 20;

const ADAPTIVE: &str = "application/vnd.microsoft.card.adaptive";

/// The cards that Teams shows.
const CARDS: &[&str] = &[
    ADAPTIVE,
    "application/vnd.microsoft.card.hero",
    "application/vnd.microsoft.card.thumbnail",
    "application/vnd.microsoft.card.receipt",
    "application/vnd.microsoft.card.signin",
    "application/vnd.microsoft.teams.card.list",
    "application/vnd.microsoft.teams.card.o365connector",
];

/// What the activities for a message say, one after the other.
pub(super) fn said(mut message: Message) -> Vec<Map<String, Value>> {
    let (shown, told): (Vec<_>, Vec<_>) = std::mem::take(&mut message.cards).into_iter().partition(is_shown);
    let mut draft = Draft::of(&message);
    draft.cards = shown;
    let mut said = draft.finish(&message);
    // A card that is told in words is a message of its own: its text is not the one beside it.
    let words = |card| Message { cards: vec![card], ..Message::default() }.without_cards();
    said.extend(told.into_iter().map(words).flat_map(|message| Draft::of(&message).finish(&message)));
    said
}

/// A message taken apart.
#[derive(Default)]
struct Draft {
    images: Vec<Value>,
    cards: Vec<Card>,
    actions: Vec<Value>,
    /// What is told in words.
    words: Vec<String>,
}

impl Draft {
    fn of(message: &Message) -> Self {
        let mut draft = Self::default();
        for file in &message.files {
            draft.file(file);
        }
        for button in &message.buttons {
            draft.button(button);
        }
        draft
    }

    fn file(&mut self, file: &File) {
        match (&file.source, image(file)) {
            (_, Some(image)) => self.images.push(image),
            (FileSource::Url(url), None) => match button::opens(&format!("📎 {}", file.label()), url) {
                Some(action) if units(&action) <= SIZE => self.actions.push(action),
                _ => self.words.push(file.in_words()),
            },
            (FileSource::Inline(_), None) => self.words.push(file.in_words()),
        }
    }

    fn button(&mut self, button: &Button) {
        match button::action(button) {
            Ok(action) => self.actions.push(action),
            Err(line) => self.words.push(line),
        }
    }

    fn finish(self, message: &Message) -> Vec<Map<String, Value>> {
        let words = self.words.join("\n");
        let format = format(message);
        // Words are plain, and so they stand in the text only if that is plain as well.
        let (text, apart) = match format {
            "plain" => {
                // What marks it has in other markups is left out.
                let text = Styled::of(message, Links::Spelled).text;
                let parts = [text.trim_end(), words.as_str()].into_iter().filter(|part| !part.is_empty());
                (parts.collect::<Vec<_>>().join("\n"), String::new())
            }
            _ => (message.text.clone(), words),
        };
        let mut said = texts(&text, format, message);
        let images = pack(self.images, IMAGES, SIZE, units);
        said.extend(images.into_iter().map(attached));
        let card = |card: Card| attached(vec![json!({"contentType": card.content_type, "content": card.content})]);
        said.extend(self.cards.into_iter().map(card));
        said.extend(buttons(self.actions));
        said.extend(texts(&apart, "plain", &Message::default()));
        said
    }
}

/// The markup of a text, by Teams' name.
fn format(message: &Message) -> &'static str {
    match message.format().as_deref() {
        Some("markdown") => "markdown",
        Some("extendedmarkdown") => "extendedMarkdown",
        Some("xml" | "html") => "xml",
        _ => "plain",
    }
}

/// A text in as many activities as it takes, each with the mentions that are in it.
fn texts(text: &str, format: &str, message: &Message) -> Vec<Map<String, Value>> {
    let size = |text: &str| units(&Value::from(text));
    let mentions = message.native.get("entities").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let activity = |piece: String| {
        let is_in = |mention: &&Value| {
            let is_mention = mention.get("type").and_then(Value::as_str) == Some("mention");
            let tag = mention.get("text").and_then(Value::as_str).filter(|tag| !tag.is_empty());
            is_mention && tag.is_some_and(|tag| piece.contains(tag))
        };
        let mentioned: Vec<_> = mentions.iter().filter(is_in).cloned().collect();
        let mentioned = pack(mentioned, mentions.len(), MENTIONS, units).into_iter().next();
        let mentioned = mentioned.filter(|mentioned| mentioned.iter().map(units).sum::<usize>() <= MENTIONS);
        let mut said = Map::new();
        said.insert("text".into(), piece.into());
        said.insert("textFormat".into(), format.into());
        if let Some(mentioned) = mentioned {
            said.insert("entities".into(), mentioned.into());
        }
        said
    };
    split(text, SIZE, size).into_iter().map(activity).collect()
}

fn attached(attachments: Vec<Value>) -> Map<String, Value> {
    let mut said = Map::new();
    said.insert("attachments".into(), attachments.into());
    said
}

/// Buttons in as many cards as they take.
fn buttons(actions: Vec<Value>) -> Vec<Map<String, Value>> {
    let row = |actions: Vec<Value>| json!({"type": "ActionSet", "actions": actions});
    let rows: Vec<_> = pack(actions, ROW, SIZE, units).into_iter().map(row).collect();
    let card = |rows: Vec<Value>| {
        let content = json!({"type": "AdaptiveCard", "version": "1.4", "body": rows});
        attached(vec![json!({"contentType": ADAPTIVE, "content": content})])
    };
    pack(rows, ROWS, SIZE, units).into_iter().map(card).collect()
}

/// Whether Teams shows a card of this kind and size.
fn is_shown(card: &Card) -> bool {
    CARDS.iter().any(|known| known.eq_ignore_ascii_case(&card.content_type)) && units(&card.content) <= SIZE
}

/// An image that Teams shows: PNG, JPEG or GIF, by HTTPS or in the message itself.
fn image(file: &File) -> Option<Value> {
    let mime = file.media_type()?;
    let mime = match mime.as_str() {
        "image/png" | "image/jpeg" | "image/gif" => mime.as_str(),
        "image/jpg" => "image/jpeg",
        "image/*" => "image/png",
        _ => return None,
    };
    let content = match &file.source {
        FileSource::Url(url) => {
            let fits = button::opens("", url).is_some() && url.starts_with("https://") && url.len() <= SIZE / 2;
            fits.then(|| url.clone())?
        }
        FileSource::Inline(bytes) if bytes.len() <= IMAGE => format!("data:{mime};base64,{}", STANDARD.encode(bytes)),
        FileSource::Inline(_) => return None,
    };
    let mut attachment = Map::new();
    attachment.insert("contentType".into(), mime.into());
    attachment.insert("contentUrl".into(), content.into());
    if file.name.is_some() {
        attachment.insert("name".into(), file.file_name().into());
    }
    Some(attachment.into())
}

/// The size of a value in UTF-16 code units of its JSON.
pub(super) fn units(value: &Value) -> usize {
    value.to_string().encode_utf16().count()
}
