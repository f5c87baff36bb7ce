//! Dead letters: listing, replaying and purging them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Asker, Made};
use super::listed::{Listing, title};
use crate::reload::status::rfc3339;
use crate::server::App;
use crate::server::answer::Problem;
use crate::server::params::{Asked, Param};
use crate::store::{DeadLetter, EventId};

/// Events that failed for good.
#[derive(Serialize, JsonSchema)]
pub(in crate::server) struct DeadLetters {
    /// Newest first.
    dead_letters: Vec<DeadLetterStatus>,
}

/// An event that failed for good. Its payload is the tenant's and not shown.
#[derive(Serialize, JsonSchema)]
struct DeadLetterStatus {
    /// Its number.
    event: u64,
    /// The number as which it was accepted, if it was replayed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<u64>,
    /// Its tenant.
    tenant: String,
    /// The stable code of the error.
    code: String,
    /// What that code means.
    title: Option<String>,
    /// When it was accepted, in RFC 3339.
    accepted: Option<String>,
    /// When it failed, in RFC 3339.
    failed: Option<String>,
    /// How large its payload is.
    payload_bytes: usize,
}

impl DeadLetterStatus {
    fn of(letter: &DeadLetter) -> Self {
        Self {
            event: letter.event.0,
            origin: (letter.origin != letter.event).then_some(letter.origin.0),
            tenant: letter.tenant.to_string(),
            code: letter.failure.code.clone(),
            title: title(&letter.failure),
            accepted: rfc3339(letter.accepted_at),
            failed: rfc3339(letter.failure.at),
            payload_bytes: letter.payload.len(),
        }
    }
}

/// Lists dead letters.
pub(in crate::server) async fn list(
    State(app): State<Arc<App>>,
    Asked(listing): Asked<Listing>,
) -> Result<Json<DeadLetters>, Problem> {
    let (tenant, limit) = listing.checked()?;
    let found = app.backend.dead_letters(tenant.as_ref(), limit).await?;
    Ok(Json(DeadLetters { dead_letters: found.iter().map(DeadLetterStatus::of).collect() }))
}

#[derive(Deserialize)]
pub(in crate::server) struct DeadLetterPath {
    event: u64,
}

/// A dead letter is an event again.
#[derive(Serialize, JsonSchema)]
pub(in crate::server) struct ReplayRequested {
    /// `replay requested`.
    status: String,
    /// The event that it is now.
    event: u64,
}

/// Has the event of a dead letter worked on again.
pub(in crate::server) async fn replay(
    State(app): State<Arc<App>>,
    Param(DeadLetterPath { event }): Param<DeadLetterPath>,
    asker: Asker,
) -> Result<(StatusCode, Json<ReplayRequested>), Problem> {
    let backend = Arc::clone(&app.backend);
    let change = async move {
        let EventId(now) = backend.replay(EventId(event)).await?;
        Ok(Made { answer: now, reload: None, detail: Some(format!("event {event} is event {now} now")) })
    };
    let event = asker.change("dead-letter.replay", Some(format!("event {event}")), change).await?;
    Ok((StatusCode::ACCEPTED, Json(ReplayRequested { status: "replay requested".into(), event })))
}

/// Forgets a dead letter.
pub(in crate::server) async fn purge(
    State(app): State<Arc<App>>,
    Param(DeadLetterPath { event }): Param<DeadLetterPath>,
    asker: Asker,
) -> Result<StatusCode, Problem> {
    let backend = Arc::clone(&app.backend);
    let change = async move { backend.purge_dead(EventId(event)).await.map(Made::of) };
    asker.change("dead-letter.purge", Some(format!("event {event}")), change).await?;
    Ok(StatusCode::NO_CONTENT)
}
