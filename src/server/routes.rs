//! The table of routes. The router and the OpenAPI document are both made from it, and from the routes of adapters.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, delete, get, post};

use super::openapi::{Operation, Schemas, describe, failed};
use super::{App, admin, channel, health, openapi, webchat};
use crate::ingress::Adapters;

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
];

/// The routes of a scope.
pub(super) fn of(scope: Scope) -> Router<Arc<App>> {
    let routes = ROUTES.iter().filter(|route| route.scope == scope);
    routes.fold(Router::new(), |router, route| router.route(route.path, (route.serve)()))
}

/// The routes of adapters, which are a tenant's.
pub(super) fn of_adapters(adapters: &Adapters) -> Router<Arc<App>> {
    adapters
        .routes()
        .fold(Router::new(), |router, (place, route)| router.route(route.path, channel::serve(place, route)))
}
