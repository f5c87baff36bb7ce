//! The Bot Framework's Activity schema, as far as envelopes need it: one reader for every channel that speaks it.
//!
//! Fields that are unknown are passed over; `null` is the same as no field. A field of another type than the schema
//! says is an error.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::envelope::{Attachment, AttachmentKind, Button, MOST, Mention};
use crate::error::{Code, Error, Result};

/// An activity.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Activity {
    pub(super) id: Option<String>,
    pub(super) timestamp: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) channel_id: Option<String>,
    pub(super) service_url: Option<String>,
    pub(super) reply_to_id: Option<String>,
    /// Which operation an invoke asks for.
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) conversation: Conversation,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) from: Account,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) recipient: Account,
    pub(super) text: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) attachments: Vec<WireAttachment>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) entities: Vec<Value>,
    suggested_actions: Option<SuggestedActions>,
    #[serde(default)]
    pub(super) value: Value,
    #[serde(default, alias = "channel_data")]
    pub(super) channel_data: Value,
}

/// Flattened into a structure, it makes it take objects only, and not also lists of its fields' values.
#[derive(Clone, Debug, Default, Deserialize)]
struct ObjectsOnly {}

/// A user or a bot.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) role: Option<String>,
    pub(super) aad_object_id: Option<String>,
    #[serde(flatten)]
    _object: ObjectsOnly,
}

/// Where an activity takes place.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conversation {
    pub(super) id: Option<String>,
    pub(super) conversation_type: Option<String>,
    pub(super) tenant_id: Option<String>,
    #[serde(flatten)]
    _object: ObjectsOnly,
}

/// An attachment as it is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireAttachment {
    pub(super) content_type: Option<String>,
    pub(super) content_url: Option<String>,
    pub(super) name: Option<String>,
    pub(super) content: Option<Value>,
    #[serde(flatten)]
    _object: ObjectsOnly,
}

#[derive(Debug, Deserialize)]
struct SuggestedActions {
    #[serde(default, deserialize_with = "or_default")]
    actions: Vec<CardAction>,
    #[serde(flatten)]
    _object: ObjectsOnly,
}

#[derive(Debug, Deserialize)]
struct CardAction {
    title: Option<String>,
    #[serde(default)]
    value: Value,
    #[serde(flatten)]
    _object: ObjectsOnly,
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// The type of the activity that `raw` is.
pub(super) fn kind(raw: &Value) -> Result<Option<&str>> {
    match raw.get("type") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(kind)) => Ok(Some(kind)),
        Some(_) => Err(Error::new(Code::RequestInvalid, "type is not a string")),
    }
}

impl Activity {
    /// Reads an activity.
    pub(super) fn of(raw: &Value) -> Result<Self> {
        let unfit = |e| Error::new(Code::RequestInvalid, format!("the activity does not fit the schema: {e}"));
        Self::deserialize(raw).map_err(unfit)
    }

    /// Whether the sender is the receiver: an own message that comes back.
    pub(super) fn is_own(&self) -> bool {
        let from = self.from.id.as_deref().filter(|id| !id.is_empty());
        from.is_some() && from == self.recipient.id.as_deref()
    }

    /// Whether the sender says that it is a bot.
    pub(super) fn is_by_bot(&self) -> bool {
        self.from.role.as_deref() == Some("bot")
    }

    /// The text, if there is some, else the value of a pressed button if that is a text.
    pub(super) fn said(&self) -> Option<&str> {
        self.text.as_deref().filter(|text| !text.is_empty()).or_else(|| self.value.as_str())
    }

    /// Who is mentioned.
    pub(super) fn mentions(&self) -> Vec<Mention> {
        self.entities.iter().filter_map(mention).take(MOST).collect()
    }

    /// The buttons that the activity suggests.
    pub(super) fn suggested(&self) -> Vec<Button> {
        let suggested = self.suggested_actions.iter().flat_map(|suggested| &suggested.actions).take(MOST);
        let button = |(place, action): (usize, &CardAction)| Button {
            id: place.to_string(),
            title: action.title.clone().unwrap_or_default(),
            payload: action.value.clone(),
        };
        suggested.enumerate().map(button).collect()
    }
}

impl WireAttachment {
    /// The attachment in the host's form, one to one.
    pub(super) fn normalize(self) -> Attachment {
        let inline = self.content_url.as_deref().and_then(data_url).map(str::to_owned);
        let size = inline.as_deref().and_then(|b64| STANDARD.decode(b64).ok()).map_or(0, |bytes| bytes.len() as u64);
        Attachment {
            kind: AttachmentKind::of_mime(self.content_type.as_deref().unwrap_or_default()),
            name: self.name,
            mime: self.content_type,
            size,
            url: if inline.is_some() { None } else { self.content_url },
            data_inline_b64: inline,
            requires_auth: false,
            content: self.content,
        }
    }
}

/// The base64 text of a `data:` URL.
fn data_url(url: &str) -> Option<&str> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    head.ends_with(";base64").then_some(data)
}

/// Who an entity mentions, if it is a mention.
pub(super) fn mention(entity: &Value) -> Option<Mention> {
    let is_mention = entity.get("type").and_then(Value::as_str) == Some("mention");
    let who = entity.get("mentioned").filter(|_| is_mention)?;
    Some(Mention {
        id: who.get("id").and_then(Value::as_str)?.to_owned(),
        name: who.get("name").and_then(Value::as_str).map(str::to_owned),
    })
}
