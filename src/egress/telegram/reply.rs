//! A reply as calls of methods: texts, then files, with the buttons under the last of them.

use serde_json::{Map, Value, json};

use super::super::message::{File, Message};
use super::super::sender::Call;
use super::super::styled::{Links, Mark, Style, Styled};
use super::keyboard::Keyboard;
use super::{Address, TelegramSender, files};
use crate::error::{Code, Error, Result};

/// The longest text, in UTF-16 units.
pub(super) const MOST_TEXT: usize = 4096;

/// The longest caption, in UTF-16 units.
const MOST_CAPTION: usize = 1024;

/// The most marks that Telegram shows in a message.
const MOST_MARKS: usize = 100;

/// How long a text is for Telegram.
pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Where a reply goes: the parameters that all of its requests have.
pub(super) struct Place(Map<String, Value>);

impl Place {
    pub(super) fn of(to: &str) -> Result<Self> {
        let unfit = || Error::new(Code::ReplyPlace, "the place of a reply is no chat of Telegram");
        let address = Address::parse(to).ok_or_else(unfit)?;
        let number = |text: &str| text.parse::<i64>().map_err(|_| unfit());
        let mut fields = Map::new();
        fields.insert("chat_id".to_owned(), number(&address.chat)?.into());
        if let Some(topic) = &address.topic {
            fields.insert("message_thread_id".to_owned(), number(topic)?.into());
        }
        if let Some(business) = address.business {
            fields.insert("business_connection_id".to_owned(), business.into());
        }
        Ok(Self(fields))
    }
}

/// The requests that a reply takes.
pub(super) fn calls(sender: &TelegramSender, place: &Place, reply: &Value) -> Vec<Call> {
    Message::of_reply(reply).into_iter().flat_map(|message| Writer::of(sender, place, message).calls()).collect()
}

/// A message that is being put into requests.
struct Writer<'a> {
    sender: &'a TelegramSender,
    place: &'a Place,
    options: Options,
    text: Styled,
    files: Vec<(&'static str, &'static str, File)>,
    markup: Option<Value>,
}

impl<'a> Writer<'a> {
    fn of(sender: &'a TelegramSender, place: &'a Place, message: Message) -> Self {
        let options = Options::of(&message);
        let message = message.without_cards();
        let mut text = Styled::of(&message, Links::Marked);
        let keyboard = Keyboard::of(&message.buttons);
        let mut files = Vec::new();
        for file in message.files {
            match files::method(&file) {
                Some((method, field)) => files.push((method, field, file)),
                None => text.push_line(&file.in_words()),
            }
        }
        keyboard.lines.iter().for_each(|line| text.push_line(line));
        let markup = options.markup.clone().or_else(|| keyboard.markup());
        Self { sender, place, options, text, files, markup }
    }

    fn calls(self) -> Vec<Call> {
        // A text that fits below the only file stands there.
        let captioned = self.files.len() == 1 && units(self.text.text.trim()) <= MOST_CAPTION;
        let mut texts = self.text.split(if captioned { MOST_CAPTION } else { MOST_TEXT }, units);
        if texts.is_empty() && self.files.is_empty() && self.markup.is_some() {
            texts.push(Styled::plain("…"));
        }
        let caption = if captioned { texts.pop() } else { None };
        let count = texts.len() + self.files.len();
        let mut calls = Vec::with_capacity(count);
        for text in &texts {
            calls.push(self.message(text, calls.len() + 1 == count));
        }
        for (method, field, file) in &self.files {
            let mut fields = self.fields(calls.len() + 1 == count);
            caption.iter().for_each(|caption| write(caption, "caption", "caption_entities", &mut fields));
            calls.push(files::call(self.sender, (*method, *field), file, &fields));
        }
        calls
    }

    fn message(&self, text: &Styled, is_last: bool) -> Call {
        let mut fields = self.fields(is_last);
        write(text, "text", "entities", &mut fields);
        if let Some(preview) = &self.options.preview {
            fields.insert("link_preview_options".to_owned(), preview.clone());
        }
        self.sender.call("sendMessage", Value::Object(fields))
    }

    /// What every method takes.
    fn fields(&self, is_last: bool) -> Map<String, Value> {
        let mut fields = self.place.0.clone();
        fields.extend(self.options.fields.clone());
        if let Some(markup) = self.markup.as_ref().filter(|_| is_last) {
            fields.insert("reply_markup".to_owned(), markup.clone());
        }
        fields
    }
}

/// What only Telegram has, under `telegram` in a reply.
struct Options {
    fields: Map<String, Value>,
    preview: Option<Value>,
    markup: Option<Value>,
}

impl Options {
    fn of(message: &Message) -> Self {
        let given = message.native.get("telegram").unwrap_or(&Value::Null);
        let object = |name: &str| given.get(name).filter(|value| value.is_object()).cloned();
        let flag = |name: &str| Some((name.to_owned(), given.get(name).filter(|value| value.is_boolean())?.clone()));
        Self {
            fields: ["disable_notification", "protect_content"].into_iter().filter_map(flag).collect(),
            preview: object("link_preview_options"),
            markup: object("reply_markup"),
        }
    }
}

/// Writes a text and its marks.
fn write(styled: &Styled, text: &str, entities: &str, fields: &mut Map<String, Value>) {
    fields.insert(text.to_owned(), styled.text.as_str().into());
    let marks: Vec<Value> =
        styled.marks.iter().take(MOST_MARKS).filter_map(|mark| entity(&styled.text, mark)).collect();
    if !marks.is_empty() {
        fields.insert(entities.to_owned(), marks.into());
    }
}

/// A mark as Telegram tells it: it counts in UTF-16 units.
fn entity(text: &str, mark: &Mark) -> Option<Value> {
    let (offset, length) = (units(text.get(..mark.span.start)?), units(text.get(mark.span.clone())?));
    let more = match &mark.style {
        Style::Link(url) => Some(("url", url)),
        Style::Pre(Some(language)) => Some(("language", language)),
        _ => None,
    };
    let entity = json!({ "type": kind(&mark.style), "offset": offset, "length": length });
    let mut entity = entity.as_object()?.clone();
    entity.extend(more.map(|(name, text)| (name.to_owned(), text.as_str().into())));
    Some(Value::Object(entity))
}

fn kind(style: &Style) -> &'static str {
    match style {
        Style::Bold => "bold",
        Style::Italic => "italic",
        Style::Underline => "underline",
        Style::Strike => "strikethrough",
        Style::Spoiler => "spoiler",
        Style::Code => "code",
        Style::Pre(_) => "pre",
        Style::Quote => "blockquote",
        Style::Link(_) => "text_link",
    }
}
