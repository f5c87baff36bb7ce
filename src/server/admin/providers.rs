//! Providers: listing them, storing, enabling, disabling and forgetting some, and asking how they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::change::{Asker, Made};
use super::listed::OfTenant;
use crate::error::{Code, Error, Result};
use crate::host::providers::health::ProvidersHealth;
use crate::host::providers::status::{ProviderStatus, ProvidersStatus};
use crate::id::{self, Id, clip};
use crate::ingress::adapter::json_object;
use crate::server::answer::Problem;
use crate::server::params::{Asked, Param};
use crate::server::{App, body};
use crate::tenant::Instance;

/// Lists providers.
pub(in crate::server) async fn list(
    State(app): State<Arc<App>>,
    Asked(of): Asked<OfTenant>,
) -> Result<Json<ProvidersStatus>, Problem> {
    Ok(Json(app.backend.providers(of.checked()?.as_ref()).await?))
}

/// Asks providers how they are.
pub(in crate::server) async fn health(
    State(app): State<Arc<App>>,
    Asked(of): Asked<OfTenant>,
) -> Result<Json<ProvidersHealth>, Problem> {
    Ok(Json(app.backend.provider_health(of.checked()?.as_ref()).await?))
}

#[derive(Deserialize)]
pub(in crate::server) struct ProviderPath {
    tenant: String,
    id: String,
}

impl ProviderPath {
    fn checked(&self) -> Result<(Id, Id)> {
        let parse = |what: &str, text: &str| {
            id::parse(what, text).map_err(|_| Error::new(Code::RequestInvalid, format!("the {what} is no identifier")))
        };
        Ok((parse("tenant", &self.tenant)?, parse("provider id", &self.id)?))
    }
}

fn detail(tenant: &Id, id: &Id) -> Option<String> {
    Some(format!("tenant {tenant}, provider {id}"))
}

/// What a body may hold. Of what is stored, other keys are left alone: another version may know them.
const KEYS: [&str; 8] =
    ["provider_id", "provider_type", "pack_ref", "component_ref", "export", "world", "enabled", "config"];

/// The provider that a request holds.
pub(in crate::server) struct Sent(Instance);

impl FromRequest<Arc<App>> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = body::read(&parts.headers, body, &app.options.limits).await?;
        let body = json_object(&body)?;
        let unknown = body.as_object().and_then(|map| map.keys().find(|key| !KEYS.contains(&key.as_str())));
        if let Some(key) = unknown {
            let what = format!("the body is no provider: {:?} is none of {}", clip(key), KEYS.join(", "));
            return Err(Error::new(Code::RequestInvalid, what).into());
        }
        let instance = serde_json::from_value(body);
        Ok(Self(instance.map_err(|error| Error::new(Code::RequestInvalid, unreadable(&error.to_string())))?))
    }
}

/// What is wrong with a body. Messages that quote a value of it are not passed on: it may be secret.
fn unreadable(why: &str) -> String {
    match why.starts_with("missing field") {
        true => format!("the body is no provider: {why}"),
        false => "the body is no provider: a value is not of the kind that it has to be".to_owned(),
    }
}

/// Stores a provider.
pub(in crate::server) async fn put(
    State(app): State<Arc<App>>,
    Param(path): Param<ProviderPath>,
    asker: Asker,
    Sent(instance): Sent,
) -> Result<Json<ProviderStatus>, Problem> {
    let (tenant, id) = path.checked()?;
    if !instance.provider_id.is_empty() && *instance.provider_id != *id {
        let what = format!("provider_id is {:?}, and the id in the path is {id}", clip(&instance.provider_id));
        return Err(Error::new(Code::StoredProvider, what).into());
    }
    let instance = Instance { provider_id: id.to_string(), ..instance };
    let (backend, detail) = (Arc::clone(&app.backend), detail(&tenant, &id));
    let change = async move { backend.put_provider(&tenant, instance).await.map(Made::of) };
    Ok(Json(asker.change("provider.put", detail, change).await?))
}

/// Lets flows call a stored provider.
pub(in crate::server) async fn enable(
    app: State<Arc<App>>,
    path: Param<ProviderPath>,
    asker: Asker,
) -> Result<Json<ProviderStatus>, Problem> {
    set_enabled(app, path, asker, true).await
}

/// Keeps flows from calling a stored provider.
pub(in crate::server) async fn disable(
    app: State<Arc<App>>,
    path: Param<ProviderPath>,
    asker: Asker,
) -> Result<Json<ProviderStatus>, Problem> {
    set_enabled(app, path, asker, false).await
}

async fn set_enabled(
    State(app): State<Arc<App>>,
    Param(path): Param<ProviderPath>,
    asker: Asker,
    enabled: bool,
) -> Result<Json<ProviderStatus>, Problem> {
    let (tenant, id) = path.checked()?;
    let (backend, detail) = (Arc::clone(&app.backend), detail(&tenant, &id));
    let change = async move { backend.enable_provider(&tenant, &id, enabled).await.map(Made::of) };
    let action = if enabled { "provider.enable" } else { "provider.disable" };
    Ok(Json(asker.change(action, detail, change).await?))
}

/// Forgets a stored provider.
pub(in crate::server) async fn forget(
    State(app): State<Arc<App>>,
    Param(path): Param<ProviderPath>,
    asker: Asker,
) -> Result<StatusCode, Problem> {
    let (tenant, id) = path.checked()?;
    let (backend, detail) = (Arc::clone(&app.backend), detail(&tenant, &id));
    let change = async move { backend.forget_provider(&tenant, &id).await.map(Made::of) };
    asker.change("provider.forget", detail, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_body_quotes_no_value_of_it() {
        let why = |text: &str| unreadable(&serde_json::from_str::<Instance>(text).unwrap_err().to_string());
        assert!(why("{\"provider_type\": \"t\"}").contains("`component_ref`"));
        for text in [
            r#"{"provider_type": "t", "component_ref": "c", "config": "canary"}"#,
            r#"{"provider_type": "t", "component_ref": "c", "enabled": "canary"}"#,
        ] {
            assert!(!why(text).contains("canary"), "{}", why(text));
        }
    }
}
