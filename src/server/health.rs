//! `GET /healthz`: whether the host is alive and ready. Always 200 while it can answer at all.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::App;

/// `{status, telemetry_ready, secrets_ready, active_packs, last_reload, last_error}`. Telemetry goes to the log and no
/// secret is wanted from anywhere, so both are ready as soon as the host is. Anybody may ask, so of an error only the
/// code is told.
pub(super) async fn healthz(State(app): State<Arc<App>>) -> Json<Value> {
    let health = app.backend.health();
    let last_reload = health.last_load.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok());
    let last_error = health.last_error.as_deref().and_then(|error| error.split(':').next());
    Json(json!({
        "status": if health.started && health.active_packs > 0 { "ok" } else { "degraded" },
        "telemetry_ready": health.started,
        "secrets_ready": health.started,
        "active_packs": health.active_packs,
        "last_reload": last_reload,
        "last_error": last_error,
    }))
}
