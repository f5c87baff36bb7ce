//! What is served and how it is verified, for the report at start-up.

use serde::Serialize;

use super::Backend;
use crate::id::Id;
use crate::ingress::Verification;

/// A route of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteInfo {
    /// The tenant.
    pub tenant: Id,
    /// Method and path, without the tenant's prefix.
    pub route: &'static str,
    /// Whether it is served.
    pub on: bool,
    /// How its requests are verified, in words.
    pub verified: String,
}

/// The routes of every tenant, those that are off included.
pub fn routes(backend: &dyn Backend) -> Vec<RouteInfo> {
    let mut routes = Vec::new();
    for tenant in backend.tenants() {
        let Some(channels) = backend.channels(&tenant) else { continue };
        let ways = [
            ("POST /webchat/activities", channels.webchat.verification),
            ("ANY /webhook/{flow_id}", channels.webhook.verification),
        ];
        routes.extend(ways.map(|(route, verification)| RouteInfo {
            tenant: tenant.clone(),
            route,
            on: verification != Verification::Off,
            verified: verification.to_string(),
        }));
    }
    routes
}
