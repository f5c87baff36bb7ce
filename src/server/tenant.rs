//! Which tenant a request is for: the one that its path names (`/t/{tenant}/…`), else the one that can be inferred from
//! the request as `TENANT_RESOLVER` says, else the default tenant, else the only one.
//!
//! In: a request's head. Out: a tenant that is served, with the ways into it. What a request only claims is worth
//! nothing: a token is verified, a header counts if a declared proxy sent it. A tenant that was inferred and is not
//! served is an error, never another tenant; so is a path that contradicts what was proved.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;

use super::App;
use super::answer::Problem;
use super::params::Param;
use crate::error::{Code, Error, Result};
use crate::id::{Id, clip};
use crate::ingress::Channels;

mod hostname;
mod key_set;
mod proxy;
mod resolver;
mod token;

pub(super) use resolver::Resolver;

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
        let named = app.tenants.named(parts, tenant).await?;
        Ok(find(app, named.as_deref())?)
    }
}

fn find(app: &App, named: Option<&str>) -> Result<Tenant> {
    let find = |id: &str| {
        let channels = app.channels.get(id).filter(|_| app.backend.config(id).is_some())?;
        Some(Tenant { id: Id::from(id), channels: Arc::clone(channels) })
    };
    let unknown = |what: String| Error::new(Code::TenantUnknown, what);
    if let Some(named) = named {
        return find(named).ok_or_else(|| unknown(format!("tenant {:?} is not served", clip(named))));
    }
    if let Some(tenant) = app.options.default_tenant.as_deref().and_then(find) {
        return Ok(tenant);
    }
    let tenants = app.backend.tenants();
    match tenants.as_slice() {
        [only] => find(only).ok_or_else(|| unknown(format!("tenant {only} is not served any more"))),
        [] => Err(unknown("no tenant is served".into())),
        several => Err(unknown(format!("the request names none of {} tenants", several.len()))
            .hint("use /t/{tenant}/… or set DEFAULT_TENANT")),
    }
}
