//! `GET /healthz`: whether the host is alive, always 200 while it can answer at all. `GET /readyz`: whether it can serve
//! events, 503 if not. Anybody may ask, so of an error only the code is told, and of tenants only how many.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::App;
use crate::error::Code;
use crate::reload::Readiness;
use crate::reload::status::rfc3339;
use crate::secrets::SecretsManager;

/// How the host is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Health")]
pub(super) struct Answer {
    /// `ok` if both are ready and there is at least one pack.
    status: Status,
    /// Whether telemetry arrives where it is sent to, if it is sent anywhere.
    telemetry_ready: bool,
    /// Whether the place where secrets are kept answers and knows this host.
    secrets_ready: bool,
    /// How many tenants have a pack.
    active_packs: usize,
    /// When packs were loaded last, in RFC 3339.
    last_reload: Option<String>,
    /// The code of the error with which that failed, if it did.
    last_error: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Degraded,
}

/// How long an answer waits for the place where secrets are kept.
const MOMENT: Duration = Duration::from_secs(1);

/// Telemetry is ready as soon as the host is, unless a collector is named and does not take it.
pub(super) async fn healthz(State(app): State<Arc<App>>) -> Json<Answer> {
    let health = app.backend.health();
    let secrets_ready = health.started && can_be_asked(app.backend.secrets()).await;
    let last_error = health.last_error.as_deref().and_then(|error| error.split(':').next());
    let telemetry_ready = health.started && app.backend.is_telemetry_ready();
    Json(Answer {
        status: if secrets_ready && telemetry_ready && health.active_packs > 0 { Status::Ok } else { Status::Degraded },
        telemetry_ready,
        secrets_ready,
        active_packs: health.active_packs,
        last_reload: health.last_load.and_then(rfc3339),
        last_error: last_error.map(str::to_owned),
    })
}

/// Whether the place where secrets are kept can be asked, as far as that is known soon. What it said is kept for a while,
/// and the question goes on behind the answer.
async fn can_be_asked(secrets: Arc<dyn SecretsManager>) -> bool {
    let asked = tokio::spawn(async move { secrets.check().await.is_ok() });
    matches!(tokio::time::timeout(MOMENT, asked).await, Ok(Ok(true)))
}

pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    // A server that stops takes no further events, whatever the host behind it would do.
    let readiness =
        if app.draining.is_cancelled() { Readiness::not_yet(Code::NotRunning) } else { app.backend.readiness() };
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}
