//! Where a reply goes, and the message that goes there.

use serde_json::{Map, Value, json};

use super::super::sender::Call;
use super::{Address, WhatsappSender};
use crate::error::{Code, Error, Result};

/// A user or a group, and the number that it is written from.
pub(super) struct Place<'a> {
    pub(super) sender: &'a WhatsappSender,
    pub(super) number: String,
    /// Whether it is a group, where only texts and files are shown.
    pub(super) is_group: bool,
    /// The fields that say so in every message.
    fields: Map<String, Value>,
}

impl<'a> Place<'a> {
    pub(super) fn of(sender: &'a WhatsappSender, to: &str) -> Result<Self> {
        let unfit =
            |what: &str| Error::new(Code::ReplyPlace, format!("the place of a reply names no {what} of WhatsApp"));
        let address = Address::parse(to).ok_or_else(|| unfit("user"))?;
        let stated = Some(address.phone_number_id).filter(|number| !number.is_empty());
        let number = stated.or_else(|| sender.number.clone()).filter(|number| is_number(number));
        let number = number.ok_or_else(|| {
            unfit("number that it is sent from").hint("set `phone_number_id` in the binding's config to one number")
        })?;
        let (kind, field, id) = match (address.group, address.to, address.recipient) {
            (Some(group), _, _) => ("group", "to", group),
            (None, Some(to), _) => ("individual", "to", to),
            (None, None, Some(recipient)) => ("individual", "recipient", recipient),
            (None, None, None) => return Err(unfit("user")),
        };
        let fields = json!({"messaging_product": "whatsapp", "recipient_type": kind, field: id});
        let fields = fields.as_object().cloned().unwrap_or_default();
        Ok(Self { sender, number, is_group: kind == "group", fields })
    }

    /// A message of a type.
    pub(super) fn message(&self, kind: &str, content: Value) -> Call {
        self.with(json!({ "type": kind, kind: content }))
    }

    /// A message of fields.
    pub(super) fn with(&self, message: Value) -> Call {
        let mut body = self.fields.clone();
        if let Value::Object(fields) = message {
            // Where it goes is nobody else's to say.
            let is_free = |name: &String| !self.fields.contains_key(name) && name != "to" && name != "recipient";
            body.extend(fields.into_iter().filter(|(name, _)| is_free(name)));
        }
        let url = self.sender.url(&self.number, "messages");
        Call::post("sendMessage", url, self.sender.auth(), Value::Object(body))
    }

    /// A text.
    pub(super) fn text(&self, text: &str) -> Call {
        let has_link = ["https://", "http://"].iter().any(|scheme| text.contains(scheme));
        let content = if has_link { json!({ "body": text, "preview_url": true }) } else { json!({ "body": text }) };
        self.message("text", content)
    }
}

/// Whether an id can be a part of a URL.
pub(super) fn is_number(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_digit())
}
