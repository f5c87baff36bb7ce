//! What is kept at a conversation's route as activities of the Bot Framework's schema.

use serde_json::{Map, Value, json};

use crate::run::transcript::{self, Entry};
use crate::store::StoredReply;

/// The activities that an entry stands for: what a user said as it was said, or a reply.
pub(super) fn of_entry(tenant: &str, conversation: &str, stored: &StoredReply) -> Vec<Value> {
    match transcript::read(&stored.payload) {
        Entry::Said(activity) => vec![activity],
        Entry::Reply { payload, to } => of_reply(tenant, conversation, stored, payload, to.as_deref()),
    }
}

/// The activities that a reply stands for: one, or one per entry of its `messages`.
fn of_reply(tenant: &str, conversation: &str, stored: &StoredReply, reply: Value, to: Option<&str>) -> Vec<Value> {
    let messages = match reply {
        Value::Object(mut object) => match object.remove("messages") {
            Some(Value::Array(messages)) => messages,
            other => {
                object.extend(other.map(|messages| ("messages".to_owned(), messages)));
                vec![Value::Object(object)]
            }
        },
        Value::Null => Vec::new(),
        other => vec![other],
    };
    let timestamp = jiff::Timestamp::from_millisecond(stored.at.0).ok();
    let activities = messages.into_iter().enumerate().map(|(place, message)| {
        let number = if place == 0 { format!("{:07}", stored.seq) } else { format!("{:07}.{place}", stored.seq) };
        let mut activity = json!({
            "type": "message",
            "id": format!("{conversation}|{number}"),
            "timestamp": timestamp,
            "channelId": "webchat",
            "from": {"id": tenant, "role": "bot"},
            "conversation": {"id": conversation},
        });
        if let Value::Object(fields) = &mut activity {
            fields.extend(to.map(|id| ("replyToId".to_owned(), json!(id))));
            fields.extend(content(message));
        }
        activity
    });
    activities.collect()
}

/// What a message says: `text`, `attachments`, `suggestedActions`; what has none of them is the activity's `value`.
fn content(message: Value) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut object = match message {
        Value::String(text) => {
            fields.insert("text".into(), Value::String(text));
            return fields;
        }
        Value::Object(object) => object,
        other => {
            fields.insert("value".into(), other);
            return fields;
        }
    };
    if let Some(Value::String(text)) = object.get("text") {
        fields.insert("text".into(), Value::String(text.clone()));
    }
    if let Some(Value::Array(attachments)) = object.get("attachments") {
        fields.insert("attachments".into(), attachments.iter().map(attachment).collect());
    }
    if let Some(Value::Array(buttons)) = object.get("buttons") {
        let actions: Vec<Value> = buttons.iter().filter_map(action).collect();
        fields.insert("suggestedActions".into(), json!({ "actions": actions }));
    } else if let Some(actions @ Value::Object(_)) = object.remove("suggestedActions") {
        fields.insert("suggestedActions".into(), actions);
    }
    if fields.is_empty() {
        fields.insert("value".into(), Value::Object(object));
    }
    fields
}

/// An attachment in the schema's form; the host's own form is translated.
fn attachment(attachment: &Value) -> Value {
    if attachment.get("contentType").is_some() {
        return attachment.clone();
    }
    let inline = attachment.get("data_inline_b64").and_then(Value::as_str);
    let mime = attachment.get("mime").and_then(Value::as_str);
    let url = match inline {
        Some(data) => json!(format!("data:{};base64,{data}", mime.unwrap_or("application/octet-stream"))),
        None => attachment.get("url").cloned().unwrap_or_default(),
    };
    let mut out = json!({"contentType": mime, "contentUrl": url, "name": attachment.get("name")});
    if let (Some(content), Value::Object(fields)) = (attachment.get("content"), &mut out) {
        fields.insert("content".into(), content.clone());
    }
    out
}

/// A button as an action that sends its value as the user's message. A button is a text, or has a `title` and maybe a
/// `payload` (also called `value`).
fn action(button: &Value) -> Option<Value> {
    if let Some(text) = button.as_str() {
        return Some(json!({"type": "imBack", "title": text, "value": text}));
    }
    let title = button.get("title").and_then(Value::as_str)?;
    let value = ["payload", "value", "id"].iter().find_map(|key| button.get(key)).filter(|value| !value.is_null());
    Some(match value {
        Some(Value::String(value)) => json!({"type": "imBack", "title": title, "value": value}),
        Some(value) => json!({"type": "postBack", "title": title, "value": value}),
        None => json!({"type": "imBack", "title": title, "value": title}),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::clock::Timestamp;

    fn shown(reply: &Value) -> Vec<Value> {
        let stored = StoredReply { seq: 3, payload: Bytes::from(reply.to_string()), at: Timestamp(0) };
        of_entry("demo", "c", &stored)
    }

    #[test]
    fn what_is_kept_of_a_transcript_is_shown_in_its_order() {
        let kept = |seq, text: &str| StoredReply { seq, payload: Bytes::from(text.to_owned()), at: Timestamp(0) };
        let said = of_entry("demo", "c", &kept(1, "\u{1e}{\"said\":{\"type\":\"message\",\"id\":\"c|u1\"}}"));
        assert_eq!(said, [json!({"type": "message", "id": "c|u1"})]);
        let reply = "\u{1e}{\"reply\":{\"to\":\"c|u1\",\"payload\":{\"messages\":[\"a\",\"b\"]}}}";
        for (place, activity) in of_entry("demo", "c", &kept(2, reply)).into_iter().enumerate() {
            assert_eq!((&activity["replyToId"], &activity["from"]["role"]), (&json!("c|u1"), &json!("bot")), "{place}");
        }
        let forged = json!({"said": {"type": "message", "from": {"id": "admin"}}});
        assert_eq!(shown(&forged)[0]["from"]["id"], "demo");
        assert_eq!(shown(&forged)[0].get("replyToId"), None);
    }

    #[test]
    fn a_reply_becomes_an_activity() {
        assert_eq!(
            shown(
                &json!({"text": "Pay?", "buttons": ["Yes", {"title": "No", "payload": "no"}, {"title": "Edit", "payload": {"n": 1}}, 7]})
            ),
            [json!({
                "type": "message", "id": "c|0000003", "timestamp": "1970-01-01T00:00:00Z", "channelId": "webchat",
                "from": {"id": "demo", "role": "bot"}, "conversation": {"id": "c"}, "text": "Pay?",
                "suggestedActions": {"actions": [
                    {"type": "imBack", "title": "Yes", "value": "Yes"},
                    {"type": "imBack", "title": "No", "value": "no"},
                    {"type": "postBack", "title": "Edit", "value": {"n": 1}},
                ]},
            })]
        );
    }

    #[test]
    fn replies_of_every_form_are_shown() {
        assert_eq!(shown(&json!("hi"))[0]["text"], "hi");
        assert_eq!(shown(&json!({"a": 1}))[0]["value"], json!({"a": 1}));
        assert_eq!(shown(&json!([1]))[0]["value"], json!([1]));
        assert!(shown(&Value::Null).is_empty());
        let several = shown(&json!({"messages": ["a", {"text": "b"}]}));
        assert_eq!(
            (&several[0]["text"], &several[1]["text"], &several[1]["id"]),
            (&json!("a"), &json!("b"), &json!("c|0000003.1"))
        );
        let files = shown(&json!({"attachments": [
            {"contentType": "text/plain", "contentUrl": "https://a.example"},
            {"mime": "image/png", "data_inline_b64": "AA==", "name": "x"},
        ]}));
        assert_eq!(
            files[0]["attachments"],
            json!([
                {"contentType": "text/plain", "contentUrl": "https://a.example"},
                {"contentType": "image/png", "contentUrl": "data:image/png;base64,AA==", "name": "x"},
            ])
        );
    }

    #[test]
    fn a_reply_cannot_forge_what_the_host_says() {
        let forged = shown(&json!({"text": "x", "from": {"id": "admin"}, "id": "y", "conversation": {"id": "z"}}));
        assert_eq!((&forged[0]["from"]["id"], &forged[0]["conversation"]["id"]), (&json!("demo"), &json!("c")));
    }
}
