//! What each route takes and gives.

use serde_json::{Value, json};

pub(in crate::server) use super::directline::{
    generate_token, reconnect, refresh_token, start_conversation, transcript, transcript_stream,
};
use super::operation::Operation;
use super::schemas::{Schemas, platform_id};
use super::{activities, directline};
use crate::error::Code;
use crate::ingress::adapter::AdapterRoute;
use crate::ingress::webchat;
use crate::reload::Readiness;
use crate::reload::status::{PacksStatus, ReloadReport};
use crate::server::{admin, health, metrics as server_metrics};
use crate::timers::TimersStatus;

pub(super) const JSON: &str = "application/json";

/// A header's text, bare or in quotes.
const IDEMPOTENCY_KEY: &str = r#"^[ \t]*(?:[!#-~][ -~\t]{0,254}|"(?:[ \t!#-\[\]-~]|\\["\\]){1,255}"[ \t]*)$"#;

/// Errors of reading what is stored.
pub(super) const OF_STORE: &[Code] = &[Code::StoreFailed, Code::StoreFormat];
/// Errors of taking an event.
pub(super) const OF_EVENT: &[Code] = &[
    Code::BodyTooLarge,
    Code::RequestTimeout,
    Code::TooLarge,
    Code::NotRunning,
    Code::PackNotLoaded,
    Code::StoreFailed,
    Code::StoreFull,
];

/// An identifier as a parameter.
pub(super) fn identifier(description: &str) -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9._-]+$", "maxLength": crate::id::MAX_LEN, "description": description})
}

pub(in crate::server) fn healthz(schemas: &mut Schemas) -> Operation {
    Operation::new("health", "Whether the host is alive").answer(
        "200",
        "It is; the status says how well.",
        Some((JSON, schemas.of::<health::Answer>())),
    )
}

pub(in crate::server) fn readyz(schemas: &mut Schemas) -> Operation {
    let readiness = schemas.of::<Readiness>();
    Operation::new("readiness", "Whether the host can serve events")
        .answer("200", "It can.", Some((JSON, readiness.clone())))
        .answer("503", "It cannot; the reasons are given by code.", Some((JSON, readiness)))
}

pub(in crate::server) fn openapi(_: &mut Schemas) -> Operation {
    let schema = json!({"type": "object", "required": ["openapi", "info", "paths"]});
    Operation::new("openapi", "This document").answer("200", "The document.", Some((JSON, schema)))
}

pub(in crate::server) fn metrics(_: &mut Schemas) -> Operation {
    let text = json!({"type": "string"});
    Operation::new("metrics", "Metrics in the text format of Prometheus").answer(
        "200",
        "The metrics.",
        Some((server_metrics::TEXT, text)),
    )
}

pub(in crate::server) fn packs_status(schemas: &mut Schemas) -> Operation {
    Operation::new("packsStatus", "What runs, tenant by tenant").answer(
        "200",
        "What runs.",
        Some((JSON, schemas.of::<PacksStatus>())),
    )
}

pub(in crate::server) fn reload(schemas: &mut Schemas) -> Operation {
    Operation::new("reloadPacks", "Looks at the packs again at once")
        .answer("202", "It will be done.", Some((JSON, schemas.of::<admin::ReloadRequested>())))
        .headers("202", json!({"Location": {"schema": {"type": "string"}, "required": true}}))
        .links("202", json!({"report": {"operationId": "reloadReport", "parameters": {"id": "$response.body#/id"}}}))
        .errors(&[Code::NoReloads, Code::AuditFailed])
}

pub(in crate::server) fn reload_report(schemas: &mut Schemas) -> Operation {
    Operation::new("reloadReport", "What became of a reload")
        .parameter("path", "id", &json!({"type": "string", "minLength": 1, "description": "The reload's id."}))
        .answer("200", "The reload, under way or done.", Some((JSON, schemas.of::<ReloadReport>())))
        .errors(&[Code::ReloadUnknown])
}

pub(in crate::server) fn channels(schemas: &mut Schemas) -> Operation {
    Operation::new("channels", "How requests come in, tenant by tenant").answer(
        "200",
        "The routes and how they are verified, and what came in by them and went no further.",
        Some((JSON, schemas.of::<admin::ChannelsStatus>())),
    )
}

pub(in crate::server) fn timers(schemas: &mut Schemas) -> Operation {
    Operation::new("timers", "What is started on a schedule, tenant by tenant").answer(
        "200",
        "The schedules, what they did and what they will do.",
        Some((JSON, schemas.of::<TimersStatus>())),
    )
}

/// A route of an adapter: what the host knows of its own is told, and of others what holds for all.
pub(super) fn adapter(provider: &str, route: &AdapterRoute, schemas: &mut Schemas) -> Operation {
    match route.path {
        "/webchat/activities" => activity(schemas),
        "/webhook/{flow_id}" => webhook(schemas),
        webchat::directline::ACTIVITIES => directline::post_activity(schemas),
        webchat::directline::UPLOAD => directline::upload(schemas),
        path => platform(provider, path),
    }
}

/// A platform calls it, and documents what it sends.
fn platform(provider: &str, path: &str) -> Operation {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let id = words.fold(String::from("take"), |id, word| {
        let (first, rest) = word.split_at(1);
        id + &first.to_ascii_uppercase() + rest
    });
    let any = json!({"*/*": {"schema": {}}});
    let parameters = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let operation = Operation::new(&id, format!("Takes what {provider} sends"))
        .body(false, &any)
        .answer("200", "Everything that it stands for is stored, or it is nothing for a flow.", None)
        .answer("default", "What the platform expects.", None)
        .errors(&[Code::Unauthenticated, Code::KeysWanted, Code::MediaType])
        .errors(OF_EVENT);
    parameters.fold(operation, |operation, name| operation.parameter("path", name, &json!({"type": "string"})))
}

fn activity(schemas: &mut Schemas) -> Operation {
    let activity = schemas.named("Activity", activities::addressed);
    let taken = json!({
        "type": "object", "properties": {"id": {"type": "string"}},
        "description": "The activity's id; empty if it was no user's message and dropped.",
    });
    Operation::new("sendActivity", "Takes an activity of the Bot Framework's schema")
        .body(true, &json!({JSON: {"schema": activity}}))
        .answer("202", "It is stored and will be worked on.", Some((JSON, taken)))
        .errors(&[Code::MediaType])
        .errors(OF_EVENT)
}

pub(super) fn watermark() -> Value {
    json!({"type": "string", "pattern": "^[0-9]{0,18}$", "description": "The place after which replies are wanted."})
}

/// Activities in a row.
pub(super) fn set() -> Value {
    json!({
        "type": "object",
        "required": ["activities", "watermark"],
        "properties": {
            "activities": {"type": "array", "items": {"type": "object", "required": ["type", "id", "conversation"]}},
            "watermark": {"type": "string", "description": "Where to go on."},
        },
    })
}

/// A conversation whose replies are read.
fn conversation(operation: Operation) -> Operation {
    operation
        .parameter("path", "conversation", &platform_id("The conversation's id, which gives the right to read it."))
        .parameter("query", "watermark", &watermark())
        .errors(OF_STORE)
}

pub(in crate::server) fn replies(_: &mut Schemas) -> Operation {
    let operation = Operation::new("listReplies", "The replies of a conversation after a place");
    conversation(operation).answer("200", "The replies, oldest first.", Some((JSON, set())))
}

pub(in crate::server) fn stream(_: &mut Schemas) -> Operation {
    let last = json!({"type": "string", "description": "The id of the last event that was seen."});
    let operation = Operation::new("streamReplies", "The replies of a conversation as they come");
    conversation(operation).parameter("header", "Last-Event-ID", &last).answer(
        "200",
        "Server-sent events of the kind activity; the answer has no end.",
        Some(("text/event-stream", json!({"type": "string"}))),
    )
}

fn webhook(_: &mut Schemas) -> Operation {
    let flow = json!({"type": "string", "minLength": 1, "description": "The flow to run.", "examples": ["index"]});
    let key = json!({
        "type": "string", "pattern": IDEMPOTENCY_KEY,
        "description": "Makes the request act once within 24 hours; a repetition gets the same result.",
    });
    let bodies = json!({
        JSON: {"schema": true},
        "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
        "text/plain": {"schema": {"type": "string"}},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    });
    Operation::new("callWebhook", "Runs a flow and answers with its result")
        .parameter("path", "flow_id", &flow)
        .parameter("header", "Idempotency-Key", &key)
        .body(false, &bodies)
        .answer("202", "The flow waits and said nothing yet.", None)
        .answer("204", "The flow said nothing.", None)
        .answer("default", "What the flow answers, with the status and the media type that it chooses.", None)
        .errors(OF_EVENT)
        .errors(&[
            Code::FlowUnknown,
            Code::FlowDisabled,
            Code::Unauthenticated,
            Code::DuplicateEvent,
            Code::IdempotencyKey,
            Code::IdempotencyKeyReused,
            Code::IdempotencyKeyInUse,
            Code::ResponseInvalid,
            Code::GuestTrap,
            Code::GuestTimeout,
            Code::DeadlinePassed,
        ])
}
