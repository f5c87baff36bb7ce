//! What the routes of dead letters and of undelivered replies take and give.

use serde_json::json;

use super::describe::{JSON, OF_STORE, identifier};
use super::operation::Operation;
use super::schemas::Schemas;
use crate::error::Code;
use crate::server::admin::dead_letters::{DeadLetters, ReplayRequested};
use crate::server::admin::listed::{LISTED, MOST_LISTED};
use crate::server::admin::undelivered::{ResendRequested, UndeliveredReplies};

/// Errors of changing what is stored.
const OF_CHANGE: &[Code] = &[Code::AuditFailed, Code::StoreFailed, Code::StoreFormat, Code::StoreFull];

/// A list of what failed, of one tenant if it is asked for.
fn list(operation: Operation) -> Operation {
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": LISTED, "description": "How many at most.",
    });
    let tenant = identifier("Only those of this tenant.");
    operation.parameter("query", "tenant", &tenant).parameter("query", "limit", &limit).errors(OF_STORE)
}

/// A change of one of them.
fn one(operation: Operation, name: &str, description: &str, unknown: Code) -> Operation {
    let number = json!({"type": "integer", "minimum": 0, "maximum": u64::MAX, "description": description});
    operation.parameter("path", name, &number).errors(OF_CHANGE).errors(&[unknown])
}

pub(in crate::server) fn dead_letters(schemas: &mut Schemas) -> Operation {
    list(Operation::new("deadLetters", "Events that failed for good, newest first")).answer(
        "200",
        "The dead letters, without what is in them.",
        Some((JSON, schemas.of::<DeadLetters>())),
    )
}

fn dead_letter(operation: Operation) -> Operation {
    one(operation, "event", "The event's number.", Code::DeadLetterUnknown)
}

pub(in crate::server) fn replay(schemas: &mut Schemas) -> Operation {
    dead_letter(Operation::new("replayDeadLetter", "Has the event of a dead letter worked on again"))
        .answer(
            "202",
            "It is stored as another event and will be worked on.",
            Some((JSON, schemas.of::<ReplayRequested>())),
        )
        .errors(&[Code::ReplayImpossible, Code::NotRunning])
}

pub(in crate::server) fn purge_dead_letter(_: &mut Schemas) -> Operation {
    dead_letter(Operation::new("purgeDeadLetter", "Forgets a dead letter")).answer("204", "It is forgotten.", None)
}

pub(in crate::server) fn undelivered(schemas: &mut Schemas) -> Operation {
    list(Operation::new("undelivered", "Replies that could not be delivered, newest first")).answer(
        "200",
        "The replies, without what they say.",
        Some((JSON, schemas.of::<UndeliveredReplies>())),
    )
}

fn undelivered_reply(operation: Operation) -> Operation {
    one(operation, "id", "The reply's number.", Code::UndeliveredUnknown)
}

pub(in crate::server) fn resend(schemas: &mut Schemas) -> Operation {
    undelivered_reply(Operation::new("resendUndelivered", "Has a reply sent again")).answer(
        "202",
        "It will be sent after those of its conversation that wait.",
        Some((JSON, schemas.of::<ResendRequested>())),
    )
}

pub(in crate::server) fn purge_undelivered(_: &mut Schemas) -> Operation {
    undelivered_reply(Operation::new("purgeUndelivered", "Forgets a reply that could not be delivered")).answer(
        "204",
        "It is forgotten.",
        None,
    )
}
