//! Where a reply goes, and the messages that go there.

use serde_json::{Map, Value, json};

use super::super::message::{File, FileSource};
use super::super::sender::{Call, Part};
use super::{Address, WebexSender};
use crate::error::{Code, Error, Result};

/// A room, perhaps a thread in it.
pub(super) struct Place<'a> {
    sender: &'a WebexSender,
    fields: Map<String, Value>,
}

impl<'a> Place<'a> {
    pub(super) fn of(sender: &'a WebexSender, to: &str) -> Result<Self> {
        let address = Address::parse(to)
            .ok_or_else(|| Error::new(Code::ReplyPlace, "the place of a reply is no room of Webex"))?;
        let mut fields = Map::new();
        fields.insert("roomId".to_owned(), address.room.into());
        address.parent.and_then(|parent| fields.insert("parentId".to_owned(), parent.into()));
        Ok(Self { sender, fields })
    }

    fn post(&self, more: Map<String, Value>) -> Call {
        let mut body = self.fields.clone();
        body.extend(more);
        Call::post("createMessage", self.sender.url(), self.sender.auth(), Value::Object(body))
    }

    /// A text, in the field that says how it is written.
    pub(super) fn text(&self, field: &str, text: &str) -> Call {
        self.post(Map::from_iter([(field.to_owned(), text.into())]))
    }

    /// A card, with the text for clients that show none.
    pub(super) fn card(&self, card: &Value, text: &str) -> Call {
        let attachment = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": card});
        let fields = [("text".to_owned(), text.into()), ("attachments".to_owned(), json!([attachment]))];
        self.post(Map::from_iter(fields)).or(self.text("text", text))
    }

    /// A file, with a text if it has one. What Webex does not take is told, as `told`.
    pub(super) fn file(&self, file: &File, text: Option<(&str, &str)>, told: &str) -> Call {
        let text = text.map(|(field, text)| (field.to_owned(), Value::from(text)));
        let call = match &file.source {
            FileSource::Url(url) => self.post(text.into_iter().chain([("files".to_owned(), json!([url]))]).collect()),
            FileSource::Inline(bytes) => {
                let as_text = |(name, value): (String, Value)| (name, value.as_str().unwrap_or_default().to_owned());
                let fields = self.fields.clone().into_iter().chain(text).map(as_text).collect();
                let (name, mime) = (file.file_name(), file.upload_type());
                let part = Part { field: "files".to_owned(), name, mime, bytes: bytes.clone() };
                Call::upload("createMessage", self.sender.url(), self.sender.auth(), fields, part)
            }
        };
        call.or(self.text("text", told))
    }
}
