//! Replies that could not be delivered: listing them, sending them again, and purging them.

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
use crate::session::parts_of;
use crate::store::Undelivered;

/// Replies that could not be delivered.
#[derive(Serialize, JsonSchema)]
pub(in crate::server) struct UndeliveredReplies {
    /// Newest first.
    undelivered: Vec<UndeliveredStatus>,
}

/// A reply that could not be delivered. What it says and whom it is for is the tenant's and not shown.
#[derive(Serialize, JsonSchema)]
struct UndeliveredStatus {
    /// Its number.
    id: u64,
    /// Its tenant.
    tenant: String,
    /// The provider by which it was to go.
    provider: Option<String>,
    /// The stable code of the error.
    code: String,
    /// What that code means.
    title: Option<String>,
    /// When it was made, in RFC 3339.
    made: Option<String>,
    /// When it was given up, in RFC 3339.
    failed: Option<String>,
    /// How many of its parts were delivered before.
    parts_delivered: u32,
    /// How large it is.
    payload_bytes: usize,
}

impl UndeliveredStatus {
    fn of(reply: &Undelivered) -> Self {
        Self {
            id: reply.id,
            tenant: reply.tenant.to_string(),
            provider: parts_of(&reply.route).map(|(_, provider, _)| provider),
            code: reply.failure.code.clone(),
            title: title(&reply.failure),
            made: rfc3339(reply.at),
            failed: rfc3339(reply.failure.at),
            parts_delivered: reply.done,
            payload_bytes: reply.payload.len(),
        }
    }
}

/// Lists replies that could not be delivered.
pub(in crate::server) async fn list(
    State(app): State<Arc<App>>,
    Asked(listing): Asked<Listing>,
) -> Result<Json<UndeliveredReplies>, Problem> {
    let (tenant, limit) = listing.checked()?;
    let found = app.backend.undelivered(tenant.as_ref(), limit).await?;
    Ok(Json(UndeliveredReplies { undelivered: found.iter().map(UndeliveredStatus::of).collect() }))
}

#[derive(Deserialize)]
pub(in crate::server) struct UndeliveredPath {
    id: u64,
}

/// A reply is sent again.
#[derive(Serialize, JsonSchema)]
pub(in crate::server) struct ResendRequested {
    /// `resend requested`.
    status: String,
}

/// Has a reply sent again.
pub(in crate::server) async fn resend(
    State(app): State<Arc<App>>,
    Param(UndeliveredPath { id }): Param<UndeliveredPath>,
    asker: Asker,
) -> Result<(StatusCode, Json<ResendRequested>), Problem> {
    let backend = Arc::clone(&app.backend);
    let change = async move { backend.resend(id).await.map(Made::of) };
    asker.change("undelivered.resend", Some(format!("reply {id}")), change).await?;
    Ok((StatusCode::ACCEPTED, Json(ResendRequested { status: "resend requested".into() })))
}

/// Forgets a reply that could not be delivered.
pub(in crate::server) async fn purge(
    State(app): State<Arc<App>>,
    Param(UndeliveredPath { id }): Param<UndeliveredPath>,
    asker: Asker,
) -> Result<StatusCode, Problem> {
    let backend = Arc::clone(&app.backend);
    let change = async move { backend.purge_undelivered(id).await.map(Made::of) };
    asker.change("undelivered.purge", Some(format!("reply {id}")), change).await?;
    Ok(StatusCode::NO_CONTENT)
}
