//! The activities that clients send: messages with what each endpoint needs, and whatever else is dropped.

use serde_json::{Map, Value, json};

use super::schemas::platform_id;
use crate::ingress::adapter::MAX_PLATFORM_ID;

/// An activity that says where it belongs: messages need a conversation and a user.
pub(super) fn addressed() -> Value {
    let mut id = client();
    if let Some(schema) = id.as_object_mut() {
        schema.insert("type".to_owned(), json!(["string", "null"]));
    }
    let conversation = json!({"type": "object", "required": ["id"], "properties": {
        "id": platform_id("Its conversation, which whoever knows the id can read."),
        "conversationType": text(), "tenantId": text(),
    }});
    let from = json!({"type": "object", "required": ["id"], "properties": {
        "id": platform_id("Its sender."), "name": text(), "role": text(), "aadObjectId": text(),
    }});
    let recipient = json!({"type": ["object", "null"], "properties": {
        "id": text(), "name": text(), "role": text(), "aadObjectId": text(),
    }});
    let own = [
        ("id", id),
        ("conversation", conversation),
        ("from", from),
        ("recipient", recipient),
        ("channelId", text()),
        ("serviceUrl", text()),
        ("timestamp", text()),
    ];
    activity(&["conversation", "from"], own)
}

/// An activity of a conversation that the host keeps. What the host itself says of it may be anything.
pub(super) fn posted() -> Value {
    let from = json!({"type": "object", "required": ["id"], "properties": {
        "id": platform_id("Its sender, unless the token says who that is."),
    }});
    activity(&["from"], [("from", from)])
}

/// An activity: a message with these fields besides those that every message may have, or of any other kind.
fn activity(required: &[&str], own: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let attachment = json!({"type": "object", "properties": {
        "contentType": text(), "contentUrl": text(), "name": text(), "content": true,
    }});
    let actions = json!({
        "type": ["array", "null"], "items": {"type": "object", "properties": {"title": text(), "value": true}},
    });
    let kind = [("type", json!({"enum": ["message", null]}))];
    let every = [
        ("replyToId", text()),
        ("name", text()),
        ("text", text()),
        ("locale", text()),
        ("attachments", json!({"type": ["array", "null"], "items": attachment})),
        ("entities", json!({"type": ["array", "null"]})),
        ("suggestedActions", json!({"type": ["object", "null"], "properties": {"actions": actions}})),
        ("value", json!(true)),
        ("channelData", json!({"properties": {"clientActivityID": client()}})),
    ];
    let fields = kind.into_iter().chain(own).chain(every).map(|(name, schema)| (name.to_owned(), schema));
    let fields: Map<String, Value> = fields.collect();
    json!({"anyOf": [
        {"title": "Message", "type": "object", "required": required, "properties": fields},
        {
            "title": "Other",
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"type": "string", "not": {"const": "message"}}},
        },
    ]})
}

fn text() -> Value {
    json!({"type": ["string", "null"]})
}

/// An id of the client's. An empty one counts as none, and what is no text is none.
fn client() -> Value {
    json!({"pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", "maxLength": MAX_PLATFORM_ID})
}
