//! `GET /healthz`: whether the host is alive and ready. Always 200 while it can answer at all.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::App;

/// `{status, telemetry_ready, secrets_ready, active_packs, last_reload, last_error}`.
pub(super) async fn healthz(State(app): State<Arc<App>>) -> Json<Value> {
    let health = app.backend.health();
    let ready = health.telemetry_ready && health.secrets_ready && health.active_packs > 0;
    let last_reload = health.last_reload.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok());
    Json(json!({
        "status": if ready { "ok" } else { "degraded" },
        "telemetry_ready": health.telemetry_ready,
        "secrets_ready": health.secrets_ready,
        "active_packs": health.active_packs,
        "last_reload": last_reload,
        "last_error": health.last_error,
    }))
}
