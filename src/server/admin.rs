//! The admin API: what runs, reloads, timers, what could not be done at first.
//!
//! In: requests of operators, which [`access`] lets through. Out: the state of the host as data, and changes, each of
//! which is in the audit log before it is made. What belongs to tenants (payloads, sessions, users) is not shown.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Problem;
use super::params::Param;
use super::{App, DroppedCount, RouteInfo, listing};
use crate::egress::DeliveryCount;
use crate::error::{Code, Error};
use crate::id::clip;
use crate::reload::status::{PacksStatus, ReloadReport};
use crate::timers::TimersStatus;
use change::{Asker, Made};

pub(super) mod access;
mod change;
pub(super) mod dead_letters;
pub(super) mod grants;
pub(super) mod listed;
pub(super) mod providers;
pub(super) mod undelivered;

/// What runs.
pub(super) async fn status(State(app): State<Arc<App>>) -> Json<PacksStatus> {
    app.backend.look_for_secrets().await;
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

/// What is started on a schedule.
pub(super) async fn timers(State(app): State<Arc<App>>) -> Json<TimersStatus> {
    Json(app.backend.timers())
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
pub(super) async fn reload(State(app): State<Arc<App>>, asker: Asker) -> Result<Response, Problem> {
    let (backend, peer) = (Arc::clone(&app.backend), asker.peer());
    let change = async move {
        let id = backend.request_reload(&peer.to_string())?;
        Ok(Made { answer: id.clone(), reload: Some(id), detail: None })
    };
    let id = asker.change("packs.reload", None, change).await?;
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
