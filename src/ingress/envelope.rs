//! The canonical envelope: what every adapter makes of a platform's message, and what a flow gets as its input.
//!
//! The JSON form is public and stable: packs read it by path (`{{in.text}}`, `{{in.provider_ids.user_id}}`). Fields
//! are always present, except the ids that a platform did not give.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::session::SessionKey;

/// The most attachments, buttons, mentions and links, of each, that an adapter puts into an envelope.
pub const MOST: usize = 50;

/// A platform's message in the host's form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IngressEnvelope {
    /// The tenant it is for.
    #[schemars(length(min = 1))]
    pub tenant: String,
    /// The provider it came through: `slack`, `webchat`, `webhook`, …
    #[schemars(length(min = 1))]
    pub provider: String,
    /// The platform's ids.
    pub provider_ids: ProviderIds,
    /// The session it belongs to.
    pub session: Session,
    /// When the platform says it was sent, else when it was received.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub timestamp: jiff::Timestamp,
    /// The sender's language as a BCP 47 tag, if the platform says so.
    pub locale: Option<String>,
    /// The text, as the user wrote it.
    pub text: Option<String>,
    /// Files, images, cards.
    #[schemars(length(max = MOST))]
    pub attachments: Vec<Attachment>,
    /// Buttons that the user pressed, or that the message carries.
    #[schemars(length(max = MOST))]
    pub buttons: Vec<Button>,
    /// What was recognised in the text.
    pub entities: Entities,
    /// About the delivery.
    pub metadata: Metadata,
    /// What only this kind of channel has.
    pub channel_data: Value,
    /// The platform's own payload.
    pub raw: Value,
}

/// The platform's ids; those that it did not give are absent from the JSON form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProviderIds {
    /// The workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub workspace_id: Option<String>,
    /// The team.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub team_id: Option<String>,
    /// The channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub channel_id: Option<String>,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub conversation_id: Option<String>,
    /// The thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub thread_id: Option<String>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub user_id: Option<String>,
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub message_id: Option<String>,
    /// The delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub event_id: Option<String>,
}

impl IngressEnvelope {
    /// The JSON Schema of the JSON form, as `docs/envelope.schema.json` holds it.
    pub fn json_schema() -> Value {
        let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
        settings.into_generator().into_root_schema_for::<Self>().to_value()
    }
}

impl ProviderIds {
    /// The session key by the one policy of the host: the place is the thread, else the conversation, else the
    /// channel, and the user follows. An id that is missing leaves its part out, so that senders without an id never
    /// share a word that stands for one; none if there is neither a place nor a user.
    pub fn session_key(&self, tenant: &str, provider: &str) -> Option<SessionKey> {
        let place = self.thread_id.as_deref().or(self.conversation_id.as_deref()).or(self.channel_id.as_deref());
        match (place, self.user_id.as_deref()) {
            (Some(place), Some(user)) => Some(SessionKey::canonical(tenant, provider, place, user)),
            (Some(only), None) | (None, Some(only)) => Some(SessionKey::of([tenant, provider, only])),
            (None, None) => None,
        }
    }
}

/// The session that an envelope belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// The key as it is shown: `{tenant}:{provider}:{conversation-or-thread-or-channel}:{user}`.
    #[schemars(length(min = 1))]
    pub key: String,
    /// What the channel can carry back: `chat`, `attachments`, `buttons`, `http`.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub scopes: Vec<String>,
}

/// A file, an image, a card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attachment {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: AttachmentKind,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its media type, if known.
    pub mime: Option<String>,
    /// Its size in bytes, 0 if unknown.
    pub size: u64,
    /// Where it can be fetched.
    pub url: Option<String>,
    /// The bytes themselves in base64, where they came with the message.
    pub data_inline_b64: Option<String>,
    /// Whether fetching it takes the channel's own credentials.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requires_auth: bool,
    /// Structured content that came with the message, such as a card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
}

/// What an attachment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttachmentKind {
    /// An image.
    Image,
    /// A recording.
    Audio,
    /// A film.
    Video,
    /// A card: structured content.
    Card,
    /// Anything else.
    File,
}

impl AttachmentKind {
    /// By media type.
    pub fn of_mime(mime: &str) -> Self {
        let starts = |prefix: &str| mime.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        match () {
            () if starts("image/") => Self::Image,
            () if starts("audio/") => Self::Audio,
            () if starts("video/") => Self::Video,
            () if starts("application/json") || starts("application/vnd.microsoft.card.") => Self::Card,
            () => Self::File,
        }
    }
}

/// A button.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Button {
    /// The platform's id of it, else its place among the message's buttons, from 0 on.
    pub id: String,
    /// What it says.
    pub title: String,
    /// What it stands for.
    pub payload: Value,
}

/// What was recognised in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entities {
    /// Who is mentioned.
    #[schemars(length(max = MOST))]
    pub mentions: Vec<Mention>,
    /// The links in it.
    #[schemars(length(max = MOST))]
    pub urls: Vec<String>,
}

/// A mention of somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mention {
    /// Who, by the platform's id.
    pub id: String,
    /// The name that was shown, if the platform says it.
    pub name: Option<String>,
}

/// About the delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// The request's headers that tell something and hold no secret, names in lower case.
    pub raw_headers: IndexMap<String, String>,
    /// The address of the peer that delivered it.
    pub ip: Option<String>,
}

/// The links in `text`: `http` and `https`, without the punctuation that ends a sentence; at most [`MOST`].
pub fn urls_in(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|word| word.trim_start_matches(['(', '<', '"', '\'', '[']))
        .filter(|word| word.starts_with("https://") || word.starts_with("http://"))
        .map(|word| word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '>', '"', '\'', ']']))
        .filter(|word| word.split_once("://").is_some_and(|(_, rest)| !rest.is_empty()))
        .take(MOST)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ingress::testing;

    fn promised() -> Value {
        json!({
            "tenant": "demo",
            "provider": "slack",
            "provider_ids": {
                "workspace_id": "T123",
                "channel_id": "C789",
                "thread_id": "1731315600.000100",
                "user_id": "U456",
                "message_id": "1731315600.000100",
                "event_id": "Ev01ABC"
            },
            "session": { "key": "demo:slack:1731315600.000100:U456", "scopes": ["chat", "attachments", "buttons"] },
            "timestamp": "2025-11-11T09:00:00Z",
            "locale": null,
            "text": "Hi",
            "attachments": [],
            "buttons": [],
            "entities": { "mentions": [], "urls": [] },
            "metadata": { "raw_headers": {}, "ip": null },
            "channel_data": { "type": "message" },
            "raw": { "...": "original provider payload" }
        })
    }

    #[test]
    fn the_promised_json_is_the_form_of_the_envelope() {
        let envelope: IngressEnvelope = serde_json::from_value(promised()).unwrap();
        assert_eq!(serde_json::to_string(&envelope).unwrap(), promised().to_string());
        let key = envelope.provider_ids.session_key("demo", "slack").unwrap();
        assert_eq!(*key.shown(), *envelope.session.key);
    }

    #[test]
    fn the_schema_is_current_and_holds_the_promised_json() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/envelope.schema.json");
        let schema = serde_json::to_string_pretty(&IngressEnvelope::json_schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == schema, "run this test with UPDATE_SCHEMA=1 to write docs/envelope.schema.json anew");
        let broken = testing::errors_of(&promised());
        assert!(broken.is_empty(), "{broken:?}");
    }

    #[test]
    fn the_schema_refuses_what_is_no_envelope() {
        let with = |place: &str, value: Value| {
            let mut envelope = promised();
            *envelope.pointer_mut(place).unwrap() = value;
            envelope
        };
        let attachment =
            json!({"type": "file", "name": null, "mime": null, "size": 0, "url": null, "data_inline_b64": null});
        for broken in [
            json!({}),
            with("/tenant", json!("")),
            with("/text", json!(5)),
            with("/timestamp", json!("yesterday")),
            with("/provider_ids/user_id", Value::Null),
            with("/provider_ids/user_id", json!("")),
            with("/session/scopes", json!([])),
            with("/attachments", json!(vec![attachment.clone(); MOST + 1])),
            with("/attachments", json!([{"type": "hologram"}])),
            with("/buttons", json!([{"id": 1, "title": "", "payload": null}])),
            with("/entities/urls", json!([5])),
            with("/metadata", json!({"raw_headers": {"a": 5}, "ip": null})),
        ] {
            assert!(!testing::errors_of(&broken).is_empty(), "{broken}");
        }
        assert!(testing::errors_of(&with("/attachments", json!([attachment]))).is_empty());
    }

    #[test]
    fn a_missing_id_never_becomes_a_word() {
        let ids = |conversation: Option<&str>, user: Option<&str>| ProviderIds {
            conversation_id: conversation.map(str::to_owned),
            user_id: user.map(str::to_owned),
            ..ProviderIds::default()
        };
        assert_eq!(ids(None, None).session_key("t", "p"), None);
        assert_eq!(&*ids(Some("c"), None).session_key("t", "p").unwrap().shown(), "t:p:c");
        assert_eq!(&*ids(None, Some("u")).session_key("t", "p").unwrap().shown(), "t:p:u");
    }

    #[test]
    fn kinds_follow_the_media_type() {
        let kinds = [
            ("image/png", AttachmentKind::Image),
            ("Audio/ogg", AttachmentKind::Audio),
            ("video/mp4", AttachmentKind::Video),
            ("application/vnd.microsoft.card.adaptive", AttachmentKind::Card),
            ("application/json; charset=utf-8", AttachmentKind::Card),
            ("application/pdf", AttachmentKind::File),
            ("imäge/", AttachmentKind::File),
            ("", AttachmentKind::File),
        ];
        for (mime, kind) in kinds {
            assert_eq!(AttachmentKind::of_mime(mime), kind, "{mime}");
        }
    }

    #[test]
    fn links_end_before_punctuation() {
        let text = "see https://a.example/x?y=1, or (http://b.example). not ftp://c or https:// alone";
        assert_eq!(urls_in(text), ["https://a.example/x?y=1", "http://b.example"]);
        assert_eq!(urls_in(&"http://a ".repeat(1000)).len(), 50);
    }
}
