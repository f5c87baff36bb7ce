//! What a message says, by its type.

use serde_json::Value;

use super::super::envelope::{Attachment, AttachmentKind, Button};
use super::super::json;
use crate::egress::unpacked;

/// What a user said.
#[derive(Default)]
pub(super) struct Content {
    pub(super) text: Option<String>,
    pub(super) attachment: Option<Attachment>,
    pub(super) button: Option<Button>,
    /// The name of the field that is told as it is, as `channel_data.{name}`.
    pub(super) told: Option<&'static str>,
}

impl Content {
    /// What a message says, or why it is nothing that a user said to a flow.
    pub(super) fn of(message: &Value) -> Result<Self, &'static str> {
        let text = |path: &[&str]| json::text(message, path).map(str::to_owned);
        let told = |name, text| Ok(Self { told: Some(name), text, ..Self::default() });
        match json::text(message, &["type"]).unwrap_or_default() {
            "text" => text(&["text", "body"])
                .map_or(Err("a text without a body"), |text| Ok(Self { text: Some(text), ..Self::default() })),
            "image" => file(message, "image", AttachmentKind::Image),
            "video" => file(message, "video", AttachmentKind::Video),
            "audio" => file(message, "audio", AttachmentKind::Audio),
            "sticker" => file(message, "sticker", AttachmentKind::Image),
            "document" => file(message, "document", AttachmentKind::File),
            "location" => told("location", text(&["location", "name"]).or_else(|| text(&["location", "address"]))),
            "contacts" => told("contacts", None),
            "order" => told("order", text(&["order", "text"])),
            "button" => quick_reply(message),
            "interactive" => interactive(message),
            "reaction" => Err("a reaction is no message"),
            "system" => Err("a note about a user"),
            "edit" => Err("an edit is no new message"),
            "revoke" => Err("a message was taken back"),
            "request_welcome" => Err("a chat was opened and nothing said yet"),
            "unsupported" => Err("a message that WhatsApp does not pass on"),
            _ => Err("no type of message that is known"),
        }
    }

    fn pressed(button: Button) -> Self {
        Self {
            text: Some(button.title.clone()).filter(|title| !title.is_empty()),
            button: Some(button),
            ..Self::default()
        }
    }
}

/// A file. WhatsApp tells an id, for which the API gives a URL for a while; both take the token.
fn file(message: &Value, name: &str, kind: AttachmentKind) -> Result<Content, &'static str> {
    let Some(file) = json::at(message, &[name]).filter(|file| file.is_object()) else {
        return Err("a file without its particulars");
    };
    let mime = json::text(file, &["mime_type"]).map(str::to_owned);
    // A document is what its media type says; but a file that a user sends is no card.
    let kind = match (kind, mime.as_deref().map(AttachmentKind::of_mime)) {
        (AttachmentKind::File, Some(stated)) if stated != AttachmentKind::Card => stated,
        (kind, _) => kind,
    };
    let mut content = serde_json::Map::new();
    json::copy(file, &["id", "sha256", "voice", "animated"], &mut content);
    Ok(Content {
        text: json::text(file, &["caption"]).map(str::to_owned),
        attachment: Some(Attachment {
            kind,
            name: json::text(file, &["filename"]).map(str::to_owned),
            mime,
            size: json::integer(file, &["file_size"]).and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            url: json::text(file, &["url"]).map(str::to_owned),
            data_inline_b64: None,
            requires_auth: true,
            content: Some(Value::Object(content)),
        }),
        ..Content::default()
    })
}

/// The button of a template.
fn quick_reply(message: &Value) -> Result<Content, &'static str> {
    let title = json::text(message, &["button", "text"]);
    let Some(id) = json::text(message, &["button", "payload"]).or(title) else { return Err("a button without a name") };
    Ok(Content::pressed(Button { id: id.into(), title: title.unwrap_or(id).into(), payload: id.into() }))
}

/// The answer to an interactive message.
fn interactive(message: &Value) -> Result<Content, &'static str> {
    let Some(reply) = json::at(message, &["interactive"]) else {
        return Err("an interactive message without an answer");
    };
    let text = |path: &[&str]| json::text(reply, path);
    for name in ["button_reply", "list_reply"] {
        if let Some(id) = text(&[name, "id"]) {
            let title = text(&[name, "title"]).unwrap_or_default().to_owned();
            let pressed = Content::pressed(Button { id: id.into(), title, payload: unpacked(id) });
            return Ok(Content { told: Some("interactive"), ..pressed });
        }
    }
    // A form that was filled in; its fields come as JSON in a text.
    if let Some(form) = json::at(reply, &["nfm_reply"]) {
        let fields = json::text(form, &["response_json"])
            .map(|text| json::parse(text.as_bytes()).unwrap_or_else(|_| Value::from(text)));
        let button = Button {
            id: json::text(form, &["name"]).unwrap_or("nfm_reply").into(),
            title: json::text(form, &["body"]).unwrap_or_default().into(),
            payload: fields.unwrap_or_default(),
        };
        return Ok(Content::pressed(button));
    }
    if let Some(answer) = json::at(reply, &["call_permission_reply"]) {
        let title = json::text(answer, &["response"]).unwrap_or_default().into();
        return Ok(Content::pressed(Button { id: "call_permission_reply".into(), title, payload: answer.clone() }));
    }
    Err("an interactive message without an answer")
}
