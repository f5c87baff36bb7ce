//! Which tenant a request is addressed to: by its path (`/t/{tenant}/…`), else the default tenant, else the only one.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::Deserialize;

use super::App;
use super::answer::Problem;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::ingress::Channels;

/// The tenant of a request.
pub(super) struct Tenant {
    pub(super) id: Id,
    pub(super) channels: Arc<Channels>,
}

#[derive(Deserialize)]
struct InPath {
    tenant: Option<String>,
}

impl FromRequestParts<Arc<App>> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Param(InPath { tenant }) = Param::from_request_parts(parts, app).await?;
        Ok(resolve(app, tenant.as_deref())?)
    }
}

fn resolve(app: &App, named: Option<&str>) -> Result<Tenant> {
    let find = |id: &str| Some(Tenant { id: Id::from(id), channels: app.backend.channels(id)? });
    let unknown = |what: String| Error::new(Code::TenantUnknown, what);
    if let Some(named) = named {
        return find(named).ok_or_else(|| unknown(format!("tenant {:?} is not served", crate::id::clip(named))));
    }
    if let Some(tenant) = app.options.default_tenant.as_deref().and_then(find) {
        return Ok(tenant);
    }
    let tenants = app.backend.tenants();
    match tenants.as_slice() {
        [only] => find(only).ok_or_else(|| unknown(format!("tenant {only} is not served any more"))),
        [] => Err(unknown("no tenant is served".into())),
        several => Err(unknown(format!("the path names none of {} tenants", several.len()))
            .hint("use /t/{tenant}/… or set DEFAULT_TENANT")),
    }
}

/// The named parameters of a route's path.
pub(super) struct Param<T>(pub(super) T);

impl<T: serde::de::DeserializeOwned + Send> FromRequestParts<Arc<App>> for Param<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, app).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(Error::new(Code::RequestInvalid, "the path is not valid").into()),
        }
    }
}
