//! What is served and how it is verified, for the report at start-up.

use schemars::JsonSchema;
use serde::Serialize;

use super::App;
use crate::id::Id;
use crate::ingress::Verification;
use crate::ingress::adapter::AdapterRoute;

/// A way into a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RouteInfo {
    /// The tenant.
    #[schemars(with = "String")]
    pub tenant: Id,
    /// The provider.
    pub provider: &'static str,
    /// Methods and path, without the tenant's prefix.
    pub route: String,
    /// Whether it is served.
    pub on: bool,
    /// How its requests are verified, in words.
    pub verified: String,
}

/// The routes of every tenant, those that are off included.
pub(super) fn routes(app: &App) -> Vec<RouteInfo> {
    let mut routes = Vec::new();
    for tenant in app.backend.tenants() {
        let Some(channels) = app.channels.get(&tenant) else { continue };
        for (place, route) in app.adapters.routes() {
            let channel = channels.of_adapter(place);
            let verification = channel.map_or(Verification::Off, |channel| channel.verification());
            routes.push(RouteInfo {
                tenant: tenant.clone(),
                provider: app.adapters.get(place).map_or("", |adapter| adapter.provider()),
                route: shown(route),
                on: verification != Verification::Off,
                verified: verification.to_string(),
            });
        }
    }
    routes
}

/// Methods and path, as `GET|POST /whatsapp/webhook`.
fn shown(route: &AdapterRoute) -> String {
    let methods = if route.methods.contains(&"*") { "ANY".to_owned() } else { route.methods.join("|") };
    format!("{methods} {}", route.path)
}
