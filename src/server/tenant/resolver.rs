//! What a request itself says about its tenant, by each way of `TENANT_RESOLVER`.

use std::sync::Arc;

use axum::http::request::Parts;

use super::hostname;
use super::proxy::Proxies;
use super::token::Tokens;
use crate::clock::Clock;
use crate::config::TenantResolver;
use crate::error::{Code, Error, Result};

/// A way to find the tenant of a request.
pub(in crate::server) enum Resolver {
    Default,
    Host,
    Header(Proxies),
    Token(Box<Tokens>),
}

impl Resolver {
    /// Fails if keys cannot be used. A key set that is fetched is fetched when it is needed first.
    pub(in crate::server) fn new(settings: &TenantResolver, clock: &Arc<dyn Clock>) -> Result<Self> {
        Ok(match settings {
            TenantResolver::Env => Self::Default,
            TenantResolver::Host => Self::Host,
            TenantResolver::Header { proxies } => Self::Header(Proxies::new(proxies.clone())),
            TenantResolver::Jwt(settings) => Self::Token(Box::new(Tokens::new(settings, Arc::clone(clock))?)),
        })
    }

    /// The tenant that a request names: in its path, else in another way. None if it names none.
    pub(super) async fn named(&self, parts: &Parts, in_path: Option<String>) -> Result<Option<String>> {
        let (inferred, by) = match self {
            Self::Default => (None, "default"),
            // A client is free to say any host, so it proves nothing against the path.
            Self::Host if in_path.is_some() => (None, "host"),
            Self::Host => (hostname::first_label(&parts.uri, &parts.headers)?, "host"),
            Self::Header(proxies) => (proxies.tenant(parts)?, "header of the proxy"),
            // Platforms that call a tenant's path authorize themselves in their own ways, which the adapters verify.
            Self::Token(tokens) if in_path.is_some() && !tokens.are_meant(&parts.headers) => (None, "token"),
            Self::Token(tokens) => (tokens.tenant(&parts.headers).await?, "token"),
        };
        match (in_path, inferred) {
            (Some(path), Some(inferred)) if path != inferred => {
                Err(Error::new(Code::TenantConflict, format!("the path names another tenant than the {by}"))
                    .hint("leave the tenant out of the path"))
            }
            (Some(tenant), _) | (None, Some(tenant)) => Ok(Some(tenant)),
            (None, None) => Ok(None),
        }
    }
}
