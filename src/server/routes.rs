//! The table of routes. The router and the OpenAPI document are both made from it, and from the routes of adapters.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, delete, get, post, put};

use super::openapi::{Operation, Schemas, describe, failed, granted};
use super::{App, admin, channel, directline, health, metrics, oauth, openapi, webchat};
use crate::ingress::Adapters;
use crate::ingress::webchat::directline::PREFIX;

/// Whose routes they are, and with that who may use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The host's, open to everybody.
    Host,
    /// An operator's.
    Admin,
    /// A tenant's: they exist as they are, and under `/t/{tenant}`.
    Tenant,
}

/// A path, who serves it, and what each of its methods does.
pub(super) struct Route {
    pub(super) scope: Scope,
    pub(super) path: &'static str,
    serve: fn() -> MethodRouter<Arc<App>>,
    pub(super) methods: &'static [&'static str],
    pub(super) describe: fn(&mut Schemas) -> Operation,
}

pub(super) const ROUTES: &[Route] = &[
    Route {
        scope: Scope::Host,
        path: "/healthz",
        serve: || get(health::healthz),
        methods: &["get"],
        describe: describe::healthz,
    },
    Route {
        scope: Scope::Host,
        path: "/readyz",
        serve: || get(health::readyz),
        methods: &["get"],
        describe: describe::readyz,
    },
    Route {
        scope: Scope::Host,
        path: "/openapi.json",
        serve: || get(openapi::serve),
        methods: &["get"],
        describe: describe::openapi,
    },
    Route {
        scope: Scope::Admin,
        path: "/metrics",
        serve: || get(metrics::serve),
        methods: &["get"],
        describe: describe::metrics,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/packs/status",
        serve: || get(admin::status),
        methods: &["get"],
        describe: describe::packs_status,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/packs/reload",
        serve: || post(admin::reload),
        methods: &["post"],
        describe: describe::reload,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/packs/reloads/{id}",
        serve: || get(admin::report),
        methods: &["get"],
        describe: describe::reload_report,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/channels",
        serve: || get(admin::channels),
        methods: &["get"],
        describe: describe::channels,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/grants",
        serve: || get(admin::grants::status),
        methods: &["get"],
        describe: granted::grants,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/providers",
        serve: || get(admin::providers::list),
        methods: &["get"],
        describe: granted::providers,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/providers/health",
        serve: || get(admin::providers::health),
        methods: &["get"],
        describe: granted::provider_health,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/providers/{tenant}/{id}",
        serve: || put(admin::providers::put),
        methods: &["put"],
        describe: granted::put_provider,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/providers/{tenant}/{id}",
        serve: || delete(admin::providers::forget),
        methods: &["delete"],
        describe: granted::forget_provider,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/providers/{tenant}/{id}/enable",
        serve: || post(admin::providers::enable),
        methods: &["post"],
        describe: granted::enable_provider,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/providers/{tenant}/{id}/disable",
        serve: || post(admin::providers::disable),
        methods: &["post"],
        describe: granted::disable_provider,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/timers",
        serve: || get(admin::timers),
        methods: &["get"],
        describe: describe::timers,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/dead-letters",
        serve: || get(admin::dead_letters::list),
        methods: &["get"],
        describe: failed::dead_letters,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/dead-letters/{event}",
        serve: || delete(admin::dead_letters::purge),
        methods: &["delete"],
        describe: failed::purge_dead_letter,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/dead-letters/{event}/replay",
        serve: || post(admin::dead_letters::replay),
        methods: &["post"],
        describe: failed::replay,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/undelivered",
        serve: || get(admin::undelivered::list),
        methods: &["get"],
        describe: failed::undelivered,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/undelivered/{id}",
        serve: || delete(admin::undelivered::purge),
        methods: &["delete"],
        describe: failed::purge_undelivered,
    },
    Route {
        scope: Scope::Admin,
        path: "/admin/undelivered/{id}/resend",
        serve: || post(admin::undelivered::resend),
        methods: &["post"],
        describe: failed::resend,
    },
    Route {
        scope: Scope::Tenant,
        path: "/webchat/conversations/{conversation}/activities",
        serve: || get(webchat::activities),
        methods: &["get"],
        describe: describe::replies,
    },
    Route {
        scope: Scope::Tenant,
        path: "/webchat/conversations/{conversation}/stream",
        serve: || get(webchat::stream),
        methods: &["get"],
        describe: describe::stream,
    },
    Route {
        scope: Scope::Tenant,
        path: "/oauth/callback",
        serve: || get(oauth::callback),
        methods: &["get"],
        describe: openapi::oauth::callback,
    },
    Route {
        scope: Scope::Tenant,
        path: "/v3/directline/tokens/generate",
        serve: || post(directline::generate),
        methods: &["post"],
        describe: describe::generate_token,
    },
    Route {
        scope: Scope::Tenant,
        path: "/v3/directline/tokens/refresh",
        serve: || post(directline::refresh),
        methods: &["post"],
        describe: describe::refresh_token,
    },
    Route {
        scope: Scope::Tenant,
        path: "/v3/directline/conversations",
        serve: || post(directline::start),
        methods: &["post"],
        describe: describe::start_conversation,
    },
    Route {
        scope: Scope::Tenant,
        path: "/v3/directline/conversations/{conversation}",
        serve: || get(directline::reconnect),
        methods: &["get"],
        describe: describe::reconnect,
    },
    Route {
        scope: Scope::Tenant,
        path: "/v3/directline/conversations/{conversation}/activities",
        serve: || get(directline::activities),
        methods: &["get"],
        describe: describe::transcript,
    },
    Route {
        scope: Scope::Tenant,
        path: "/v3/directline/conversations/{conversation}/stream",
        serve: || get(directline::stream),
        methods: &["get"],
        describe: describe::transcript_stream,
    },
];

/// The routes of a scope that is no tenant's.
pub(super) fn of(scope: Scope) -> Router<Arc<App>> {
    let routes = ROUTES.iter().filter(|route| route.scope == scope);
    routes.fold(Router::new(), |router, route| router.route(route.path, (route.serve)()))
}

/// The routes of a tenant, those of adapters among them: Direct Line's, or all others.
pub(super) fn of_tenants(adapters: &Adapters, direct_line: bool) -> Router<Arc<App>> {
    let wanted = |path: &str| path.starts_with(PREFIX) == direct_line;
    let own = ROUTES.iter().filter(|route| route.scope == Scope::Tenant && wanted(route.path));
    let own = own.map(|route| (route.path, (route.serve)()));
    let of_adapters = adapters.routes().filter(|(_, route)| wanted(route.path));
    let of_adapters = of_adapters.map(|(place, route)| (route.path, channel::serve(place, route)));
    own.chain(of_adapters).fold(Router::new(), |router, (path, serve)| router.route(path, serve))
}
