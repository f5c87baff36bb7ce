//! What tenants' components were granted and used.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::listed::OfTenant;
use crate::host::grants::GrantsStatus;
use crate::server::App;
use crate::server::answer::Problem;
use crate::server::params::Asked;

/// Tells it of every tenant, or of the one that is asked for.
pub(in crate::server) async fn status(
    State(app): State<Arc<App>>,
    Asked(of): Asked<OfTenant>,
) -> Result<Json<GrantsStatus>, Problem> {
    Ok(Json(app.backend.grants(of.checked()?.as_ref())?))
}
