//! Who makes a request, of which tenant's web chat, and how the server is called by whom it comes from.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::HeaderMap;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use axum::http::uri::Authority;

use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::ingress::channels::off;
use crate::ingress::webchat::directline::PREFIX;
use crate::ingress::webchat::{Access, Caller, PROVIDER, WebchatChannel};
use crate::server::answer::Problem;
use crate::server::correlation::Peer;
use crate::server::tenant::Tenant;
use crate::server::{App, origin};

/// What a proxy in front says of the scheme that it was called by.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// A tenant's web chat that is on.
pub(in crate::server) struct Chat {
    pub(super) app: Arc<App>,
    pub(super) tenant: Id,
    pub(super) access: Access,
    pub(super) now: Timestamp,
}

/// A request of somebody who may make requests.
pub(in crate::server) struct Visit {
    pub(super) app: Arc<App>,
    pub(super) tenant: Id,
    pub(super) access: Access,
    pub(super) now: Timestamp,
    pub(super) caller: Caller,
    /// Where a client reaches the server for streams; why not, if that cannot be told.
    base: Result<String>,
}

impl Visit {
    /// What streams' URLs begin with.
    pub(super) fn base(&self) -> Result<&str> {
        self.base.as_deref().map_err(Clone::clone)
    }
}

impl FromRequestParts<Arc<App>> for Chat {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let tenant = Tenant::from_request_parts(parts, app).await?;
        let channel = tenant.channels.find::<WebchatChannel>().ok_or_else(|| off(PREFIX))?;
        channel.verification.require(PREFIX)?;
        let (app, access, now) = (Arc::clone(app), channel.access.clone(), app.clock.now());
        Ok(Self { app, tenant: tenant.id, access, now })
    }
}

impl FromRequestParts<Arc<App>> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Chat { app, tenant, access, now } = Chat::from_request_parts(parts, app).await?;
        let caller = access.caller(&tenant, &parts.headers, now);
        let caller = caller.inspect_err(|error| app.tally.refused(PROVIDER, error.code()))?;
        let base = base(&app, &tenant, &access, parts);
        Ok(Self { app, tenant, access, now, caller, base })
    }
}

/// The binding says how the server is called, else the request does.
fn base(app: &App, tenant: &str, access: &Access, parts: &Parts) -> Result<String> {
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    let prefix = if path.starts_with("/t/{tenant}/") { format!("/t/{tenant}{PREFIX}") } else { PREFIX.to_owned() };
    if let Some(rest) = access.public_url().and_then(|url| url.as_str().strip_prefix("http")) {
        return Ok(format!("ws{}{prefix}", rest.trim_end_matches('/')));
    }
    let host = origin::named_host(&parts.uri, &parts.headers)?;
    let host = host.ok_or_else(|| Error::new(Code::RequestInvalid, "the request names no host"))?;
    let behind_proxy = parts.extensions.get::<Peer>().is_some_and(|Peer(peer)| app.proxies.trusts(peer.ip()));
    let scheme = if is_https(&parts.headers, &host, behind_proxy) { "wss" } else { "ws" };
    Ok(format!("{scheme}://{host}{prefix}"))
}

/// Whether the client called by https: a declared proxy says so, or a page of the same site that was.
fn is_https(headers: &HeaderMap, host: &Authority, behind_proxy: bool) -> bool {
    let said = headers.get(FORWARDED_PROTO).filter(|_| behind_proxy).and_then(|value| value.to_str().ok());
    match said {
        Some(said) => said.trim().eq_ignore_ascii_case("https"),
        None => headers.contains_key(ORIGIN) && origin::same_site(headers, host, &["https"]).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_as_safe_as_the_way_that_the_client_came() {
        let host: Authority = "bots.example".parse().unwrap();
        for (proto, page, behind_proxy, https) in [
            (None, None, true, false),
            (Some("https"), None, true, true),
            (Some("https"), None, false, false),
            (Some("http"), Some("https://bots.example"), true, false),
            (None, Some("https://bots.example"), false, true),
            (Some("https"), Some("http://bots.example"), false, false),
            (None, Some("https://other.example"), false, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(page.map(|page| (ORIGIN, page.parse().unwrap())));
            if let Some(proto) = proto {
                headers.insert(FORWARDED_PROTO, proto.parse().unwrap());
            }
            assert_eq!(is_https(&headers, &host, behind_proxy), https, "{proto:?} {page:?} {behind_proxy}");
        }
    }
}
