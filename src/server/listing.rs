//! What is served and how it is verified, for the report at start-up.

use schemars::JsonSchema;
use serde::Serialize;

use super::App;
use crate::id::Id;
use crate::ingress::Verification;

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
    /// Whether the tenant's bindings open its adapter.
    pub bound: bool,
    /// Whether it is served.
    pub on: bool,
    /// How its requests are verified, in words.
    pub verified: String,
}

/// The routes of every tenant, those that are off included. A route whose paths or methods are verified in different ways
/// has a line for each of them.
pub(super) fn routes(app: &App) -> Vec<RouteInfo> {
    let mut routes = Vec::new();
    for tenant in app.backend.tenants() {
        let Some(channels) = app.channels.get(&tenant) else { continue };
        for (place, route) in app.adapters.routes() {
            let channel = channels.of_adapter(place);
            let provider = app.adapters.get(place).map_or("", |adapter| adapter.provider());
            let info = |route: String, verification: Verification, verified: String| RouteInfo {
                tenant: tenant.clone(),
                provider,
                route,
                bound: channel.is_some(),
                on: verification != Verification::Off,
                verified,
            };
            let by_path = channel.map(|channel| channel.verification_by_path()).unwrap_or_default();
            let by_path = by_path.iter().filter(|by| begins_alike(route.path, &by.path));
            let lines = by_path.map(|by| {
                let methods = if by.methods.is_empty() { route.methods } else { by.methods };
                info(shown(methods, &by.path), by.verification, by.to_string())
            });
            let before = routes.len();
            routes.extend(lines);
            if routes.len() == before {
                let verification = channel.map_or(Verification::Off, |channel| channel.verification());
                routes.push(info(shown(route.methods, route.path), verification, verification.to_string()));
            }
        }
    }
    routes
}

/// Whether a path is one of a route's, up to the parameter of that.
fn begins_alike(route: &str, path: &str) -> bool {
    let fixed = route.split('{').next().unwrap_or_default();
    path.starts_with(fixed)
}

/// Methods and path, as `GET|POST /hooks`.
fn shown(methods: &[&str], path: &str) -> String {
    let methods = if methods.contains(&"*") { "ANY".to_owned() } else { methods.join("|") };
    format!("{methods} {path}")
}
