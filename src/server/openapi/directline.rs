//! What the routes of Direct Line take and give.

use serde_json::{Value, json};

use super::activities;
use super::describe::{JSON, OF_EVENT, OF_STORE, set, watermark};
use super::operation::Operation;
use super::schemas::{Schemas, platform_id};
use crate::error::Code;

/// Errors of reading a body.
const OF_BODY: &[Code] = &[Code::BodyTooLarge, Code::RequestTimeout];

pub(in crate::server) fn generate_token(schemas: &mut Schemas) -> Operation {
    let token = token(schemas);
    Operation::new("generateToken", "Makes a token for a new conversation, for whoever has the secret")
        .body(false, &wanted(schemas))
        .answer("200", "The token.", Some((JSON, token)))
        .errors(OF_BODY)
}

pub(in crate::server) fn refresh_token(schemas: &mut Schemas) -> Operation {
    let token = token(schemas);
    Operation::new("refreshToken", "Makes another token in place of one that has not expired").answer(
        "200",
        "The token.",
        Some((JSON, token)),
    )
}

pub(in crate::server) fn start_conversation(schemas: &mut Schemas) -> Operation {
    let (begun, again) = (conversation(schemas), conversation(schemas));
    Operation::new("startConversation", "Begins the token's conversation, or with the secret a new one")
        .body(false, &wanted(schemas))
        .answer("200", "It was begun before.", Some((JSON, again)))
        .answer("201", "It has begun.", Some((JSON, begun)))
        .errors(OF_BODY)
        .errors(OF_STORE)
}

pub(in crate::server) fn reconnect(schemas: &mut Schemas) -> Operation {
    let answer = conversation(schemas);
    in_conversation(Operation::new("reconnectToConversation", "Gives another stream of a conversation"))
        .parameter("query", "watermark", &watermark())
        .answer("200", "The stream, and another token.", Some((JSON, answer)))
}

pub(in crate::server) fn transcript(_: &mut Schemas) -> Operation {
    in_conversation(Operation::new("listActivities", "What was said and replied in a conversation after a place"))
        .parameter("query", "watermark", &watermark())
        .answer("200", "The activities, oldest first.", Some((JSON, set())))
        .errors(OF_STORE)
}

pub(in crate::server) fn transcript_stream(_: &mut Schemas) -> Operation {
    let token = json!({"type": "string", "description": "The token in the stream's URL, good for a minute."});
    in_conversation(Operation::new("streamActivities", "What is said and replied in a conversation, as a WebSocket"))
        .parameter("query", "watermark", &watermark())
        .parameter("query", "t", &token)
        .answer("101", "Messages are sets of activities as listActivities gives them, or empty.", None)
}

pub(super) fn post_activity(schemas: &mut Schemas) -> Operation {
    let activity = schemas.named("PostedActivity", activities::posted);
    in_conversation(Operation::new("postActivity", "Says something in a conversation"))
        .body(true, &json!({JSON: {"schema": activity}}))
        .answer("200", "It is stored and will be worked on.", Some((JSON, taken())))
        .errors(&[Code::MediaType])
        .errors(OF_EVENT)
}

pub(super) fn upload(_: &mut Schemas) -> Operation {
    let form = json!({
        "type": "object",
        "description": "Files, and maybe an activity: the part of the media type application/vnd.microsoft.activity.",
        "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
    });
    in_conversation(Operation::new("uploadFiles", "Says something with files in a conversation"))
        .parameter("query", "userId", &platform_id("The sender, where there is no activity."))
        .body(true, &json!({"multipart/form-data": {"schema": form}}))
        .answer("200", "It is stored and will be worked on.", Some((JSON, taken())))
        .errors(&[Code::MediaType])
        .errors(OF_EVENT)
}

fn in_conversation(operation: Operation) -> Operation {
    let id = json!({"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "The conversation's id."});
    operation.parameter("path", "conversation", &id).errors(&[Code::ConversationUnknown])
}

fn wanted(schemas: &mut Schemas) -> Value {
    let schema = schemas.named("WantedConversation", || {
        let mut id = platform_id("Whom the token speaks for. Names that begin with dl_ are given by the secret only.");
        if let Some(fields) = id.as_object_mut() {
            fields.insert("type".to_owned(), json!(["string", "null"]));
        }
        json!({"type": "object", "properties": {
            "user": {"type": ["object", "null"], "properties": {"id": id}},
            "trustedOrigins": {
                "type": ["array", "null"], "maxItems": crate::ingress::webchat::access::MOST_ORIGINS,
                "items": {"type": "string", "pattern": "^https?://[a-z]{1,20}(\\.[a-z]{1,20}){0,3}(:[1-9][0-9]{0,3})?$"},
                "description": "The sites that browsers may use the token from.",
            },
        }})
    });
    json!({JSON: {"schema": schema}})
}

fn token(schemas: &mut Schemas) -> Value {
    schemas.named("DirectLineToken", || {
        json!({
            "type": "object",
            "required": ["conversationId", "token", "expires_in"],
            "properties": {
                "conversationId": {"type": "string", "description": "The conversation that it is for."},
                "token": {"type": "string"},
                "expires_in": {"type": "integer", "description": "Seconds."},
            },
        })
    })
}

fn conversation(schemas: &mut Schemas) -> Value {
    schemas.named("DirectLineConversation", || {
        json!({
            "type": "object",
            "required": ["conversationId", "token", "expires_in", "streamUrl"],
            "properties": {
                "conversationId": {"type": "string"},
                "token": {"type": "string"},
                "expires_in": {"type": "integer", "description": "Seconds."},
                "streamUrl": {"type": "string", "description": "Where to open a WebSocket, within a minute."},
            },
        })
    })
}

fn taken() -> Value {
    json!({
        "type": "object", "required": ["id"], "properties": {"id": {"type": "string"}},
        "description": "The activity's id. What was no user's message is dropped.",
    })
}
