//! The OpenAPI document of the server, made from the table of routes and from the types that the handlers answer with.
//!
//! Which statuses an operation can answer follows from the codes of the errors that it can end with.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::App;
use super::routes::{ROUTES, Route, Scope};
use crate::error::Code;
use crate::ingress::Adapters;
use crate::ingress::adapter::AdapterRoute;
use crate::ingress::webchat::directline::PREFIX;

mod activities;
pub(super) mod describe;
mod directline;
pub(super) mod failed;
pub(super) mod granted;
pub(super) mod oauth;
mod operation;
mod schemas;

pub(super) use operation::Operation;
pub(super) use schemas::Schemas;

/// Errors that every route can end with.
const ALWAYS: &[Code] = &[Code::Overloaded, Code::Internal];
/// Errors of the way to a tenant.
const OF_TENANT: &[Code] = &[
    Code::RequestInvalid,
    Code::TenantToken,
    Code::TenantConflict,
    Code::TenantUnknown,
    Code::TenantKeysUnavailable,
    Code::RequestDenied,
    Code::RouteOff,
];
/// Errors of the way to the web chat.
const OF_CHAT: &[Code] = &[Code::DirectLineToken, Code::DirectLineDenied, Code::DirectLineExpired];
/// Errors of the way to the admin API.
const OF_ADMIN: &[Code] = &[Code::RequestInvalid, Code::AdminToken, Code::AdminDenied];

/// The document as it is served.
pub(super) async fn serve(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], app.openapi.clone())
}

/// The OpenAPI document of every route that a server without further adapters serves.
pub fn document() -> Value {
    of(&Adapters::default())
}

/// The document with the routes of these adapters.
pub(super) fn of(adapters: &Adapters) -> Value {
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    for route in ROUTES {
        add(&mut paths, route.path.to_owned(), methods(route, false, &mut schemas));
        if route.scope == Scope::Tenant {
            add(&mut paths, format!("/t/{{tenant}}{}", route.path), methods(route, true, &mut schemas));
        }
    }
    for (place, route) in adapters.routes() {
        let name = adapters.get(place).map_or("", |adapter| adapter.provider());
        add(&mut paths, route.path.to_owned(), adapter_methods(name, route, false, &mut schemas));
        add(&mut paths, format!("/t/{{tenant}}{}", route.path), adapter_methods(name, route, true, &mut schemas));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "greentic-runner",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": "What a greentic-runner host serves over HTTP. Every error has a stable code, which docs/errors explains.",
        },
        "tags": [
            {"name": "host", "description": "How the host is. Open to everybody."},
            {"name": "admin", "description": "For operators: with ADMIN_TOKEN, or without one from the same machine."},
            {"name": "tenant", "description": "Events for a tenant. What its bindings do not open is answered with 403."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.into_definitions(),
            "securitySchemes": {
                "adminToken": {"type": "http", "scheme": "bearer", "description": "ADMIN_TOKEN"},
                "tenantToken": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "With TENANT_RESOLVER=jwt: names the tenant by its claim tenant.",
                },
                "directLine": {
                    "type": "http", "scheme": "bearer",
                    "description": "DIRECT_LINE_SECRET, or a token made by it. Where there is no secret, nothing is needed.",
                },
            },
        },
    })
}

/// Adds a path's methods. A path may be served in part by the server and in part by an adapter.
fn add(paths: &mut Map<String, Value>, path: String, methods: Value) {
    match (paths.get_mut(&path), methods) {
        (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
        (_, methods) => drop(paths.insert(path, methods)),
    }
}

fn methods(route: &Route, named: bool, schemas: &mut Schemas) -> Value {
    let describe = |method: &&str| {
        let operation = (route.describe)(schemas).errors(ALWAYS);
        let operation = match route.scope {
            Scope::Host => operation.tag("host"),
            Scope::Admin => operation.tag("admin").errors(OF_ADMIN).security(&json!([{"adminToken": []}])),
            Scope::Tenant => of_tenant(operation, route.path, named),
        };
        let distinct = (route.methods.len() > 1).then_some(*method);
        ((*method).to_owned(), operation.into_value(distinct, schemas))
    };
    Value::Object(route.methods.iter().map(describe).collect())
}

fn of_tenant(operation: Operation, path: &str, named: bool) -> Operation {
    let operation = if named { operation.of_named_tenant() } else { operation };
    let operation = operation.tag("tenant").errors(OF_TENANT);
    if path.starts_with(PREFIX) {
        return operation.errors(OF_CHAT).errors(&[Code::OriginDenied]).security(&json!([{}, {"directLine": []}]));
    }
    if path.starts_with("/webchat/") {
        let either = json!([{}, {"tenantToken": []}, {"directLine": []}]);
        return operation.errors(OF_CHAT).security(&either);
    }
    operation.security(&json!([{}, {"tenantToken": []}]))
}

const ANY: &[&str] = &["get", "put", "post", "delete", "options", "head", "patch", "trace"];

fn adapter_methods(provider: &str, route: &AdapterRoute, named: bool, schemas: &mut Schemas) -> Value {
    let lower: Vec<String> = route.methods.iter().map(|method| method.to_ascii_lowercase()).collect();
    let methods: Vec<&str> =
        if route.methods.contains(&"*") { ANY.to_vec() } else { lower.iter().map(String::as_str).collect() };
    let describe = |method: &&str| {
        let operation = of_tenant(describe::adapter(provider, route, schemas).errors(ALWAYS), route.path, named);
        ((*method).to_owned(), operation.into_value((methods.len() > 1).then_some(*method), schemas))
    };
    Value::Object(methods.iter().map(describe).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_that_is_served_is_the_one_in_docs() {
        let made = format!("{:#}\n", document());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == made, "docs/openapi.json is not what is served; UPDATE_SCHEMA=1 writes it anew");
    }

    #[test]
    fn operations_have_names_of_their_own_and_references_lead_somewhere() {
        let document = document();
        let mut ids = Vec::new();
        for (_, path) in document["paths"].as_object().unwrap() {
            ids.extend(path.as_object().unwrap().values().map(|operation| operation["operationId"].to_string()));
        }
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(references.len() > 20);
        for reference in references {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }

    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| collect(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
}
