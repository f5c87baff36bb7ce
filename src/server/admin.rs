//! The admin API: what runs, reloads, dead letters.
//!
//! In: requests of operators, which [`access`] lets through. Out: the state of the host as data, and changes, each of
//! which is in the audit log before it is made. What belongs to tenants (payloads, sessions, users) is not shown.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Problem;
use super::correlation::{Correlation, Peer};
use super::params::{Asked, Param};
use super::{App, DroppedCount, RouteInfo, listing};
use crate::egress::DeliveryCount;
use crate::error::{Code, Error};
use crate::id::{self, clip};
use crate::reload::status::{PacksStatus, ReloadReport, rfc3339};
use crate::store::DeadLetter;

pub(super) mod access;
mod change;

/// Dead letters that are listed unless the request says how many.
pub(super) const LISTED: usize = 50;
/// The most dead letters of one answer: each is read with its payload.
pub(super) const MOST_LISTED: usize = 100;

/// What runs.
pub(super) async fn status(State(app): State<Arc<App>>) -> Json<PacksStatus> {
    Json(app.backend.packs_status())
}

/// The ways into the tenants, and what came in by them and went no further.
#[derive(Serialize, JsonSchema)]
pub(super) struct ChannelsStatus {
    /// The routes of every tenant, those that are off included.
    routes: Vec<RouteInfo>,
    /// Requests that went no further, by provider and reason.
    dropped: Vec<DroppedCount>,
    /// What became of replies to platforms since the server began.
    replies: Vec<DeliveryCount>,
}

/// How requests come in.
pub(super) async fn channels(State(app): State<Arc<App>>) -> Json<ChannelsStatus> {
    Json(ChannelsStatus { routes: listing::routes(&app), dropped: app.tally.counts(), replies: app.courier.counts() })
}

/// A reload was asked for.
#[derive(Serialize, JsonSchema)]
pub(super) struct ReloadRequested {
    /// `reload requested`.
    status: String,
    /// The reload's id.
    id: String,
}

/// Asks for a reload. Its outcome is told by [`report`].
pub(super) async fn reload(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(correlation): Extension<Correlation>,
) -> Result<Response, Problem> {
    let peer = peer.ip().to_canonical();
    let backend = Arc::clone(&app.backend);
    let asked = move || backend.request_reload(&peer.to_string());
    let id = change::audited(&app, "packs.reload", peer, &correlation, asked).await?;
    let location = format!("/admin/packs/reloads/{id}");
    let body = ReloadRequested { status: "reload requested".into(), id };
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(body)).into_response())
}

#[derive(Deserialize)]
pub(super) struct ReloadPath {
    id: String,
}

/// What became of a reload.
pub(super) async fn report(
    State(app): State<Arc<App>>,
    Param(ReloadPath { id }): Param<ReloadPath>,
) -> Result<Json<ReloadReport>, Problem> {
    let report = app.backend.reload(&id);
    let unknown = || Error::new(Code::ReloadUnknown, format!("no reload has the id {:?}", clip(&id)));
    Ok(Json(report.ok_or_else(unknown)?))
}

#[derive(Deserialize)]
pub(super) struct Listing {
    tenant: Option<String>,
    limit: Option<usize>,
}

/// Events that failed for good.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeadLetters {
    /// Newest first.
    dead_letters: Vec<DeadLetterStatus>,
}

/// An event that failed for good. Its payload is the tenant's and not shown.
#[derive(Serialize, JsonSchema)]
struct DeadLetterStatus {
    /// Its number.
    event: u64,
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

/// Lists dead letters.
pub(super) async fn dead_letters(
    State(app): State<Arc<App>>,
    Asked(Listing { tenant, limit }): Asked<Listing>,
) -> Result<Json<DeadLetters>, Problem> {
    let limit = limit.unwrap_or(LISTED);
    if !(1..=MOST_LISTED).contains(&limit) {
        return Err(Error::new(Code::RequestInvalid, format!("limit is not from 1 to {MOST_LISTED}")).into());
    }
    let tenant = tenant.map(|tenant| {
        let unusable = |_| Error::new(Code::RequestInvalid, "tenant is no identifier");
        id::parse("tenant", &tenant).map_err(unusable)
    });
    let found = app.backend.dead_letters(tenant.transpose()?.as_ref(), limit).await?;
    Ok(Json(DeadLetters { dead_letters: found.iter().map(DeadLetterStatus::of).collect() }))
}

impl DeadLetterStatus {
    /// The message of a failure may quote what a guest or a user said, so the code's own words stand for it.
    fn of(letter: &DeadLetter) -> Self {
        let code = Code::ALL.iter().find(|code| code.to_string() == letter.failure.code);
        Self {
            event: letter.event.0,
            tenant: letter.tenant.to_string(),
            code: letter.failure.code.clone(),
            title: code.map(|code| code.title().to_owned()),
            accepted: rfc3339(letter.accepted_at),
            failed: rfc3339(letter.failure.at),
            payload_bytes: letter.payload.len(),
        }
    }
}
