//! Who may use the admin API: whoever has the token; without a token, programs of this machine.
//!
//! In both cases no page of another site may use it through an operator's browser. Without a token a request must also
//! name this machine as itself, or a name that somebody else resolves to it would do, and must not come through a proxy
//! of this machine, which would make every client one of this machine.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::error::{Code, Error, Result};
use crate::secret::Secret;
use crate::server::answer::Problem;
use crate::server::bearer::Authorization;
use crate::server::correlation::{Correlation, Peer};
use crate::server::{App, origin};

/// What proxies add to a request.
const FORWARDED: [&str; 5] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// Lets a request through, or says why not.
pub(in crate::server) async fn guard(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(correlation): Extension<Correlation>,
    request: Request,
    next: Next,
) -> Response {
    let peer = peer.ip().to_canonical();
    if let Err(error) = check(app.options.admin.token.as_ref(), peer, request.uri(), request.headers()) {
        let (method, path, id) = (request.method(), request.uri().path(), &*correlation.0);
        tracing::warn!(target: "audit", %peer, %method, path, correlation_id = id, code = %error.code(), "refused");
        return Problem(error).into_response();
    }
    next.run(request).await
}

fn check(token: Option<&Secret>, peer: IpAddr, uri: &Uri, headers: &HeaderMap) -> Result<()> {
    let denied = |why: &str| Error::new(Code::AdminDenied, why);
    let Some(token) = token else {
        let only = |why: &str| denied(&format!("without ADMIN_TOKEN the admin API serves this machine only: {why}"));
        if !peer.is_loopback() {
            return Err(only("the request comes from another one"));
        }
        if FORWARDED.iter().any(|name| headers.contains_key(*name)) {
            return Err(only("the request comes through a proxy"));
        }
        return origin::local(uri, headers).map_err(only);
    };
    match Authorization::of(headers) {
        Authorization::Bearer(given) if token.matches(given.as_bytes()) => {}
        _ => return Err(Error::new(Code::AdminToken, "the admin API takes a bearer token")),
    }
    match origin::named_host(uri, headers)? {
        Some(host) => origin::same_site(headers, &host, &["http", "https"]).map_err(denied),
        None => Err(denied("the request names no host")),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn code(token: Option<&str>, peer: &str, pairs: &[(&'static str, &str)]) -> Option<Code> {
        let token = token.map(Secret::new);
        let peer: IpAddr = peer.parse().unwrap();
        check(token.as_ref(), peer, &Uri::from_static("/admin/packs/status"), &headers(pairs)).err().map(|e| e.code())
    }

    /// A peer, the headers of its request, and the code of the refusal.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<Code>);

    #[test]
    fn without_a_token_only_this_machine_is_served() {
        const HOST: (&str, &str) = ("host", "localhost:8080");
        let denied = Some(Code::AdminDenied);
        let cases: &[Case<'_>] = &[
            ("127.0.0.1", &[HOST], None),
            ("127.9.9.9", &[("host", "127.0.0.1:8080")], None),
            ("::1", &[("host", "[::1]:8080")], None),
            ("127.0.0.1", &[HOST, ("origin", "http://localhost:8080")], None),
            ("127.0.0.1", &[HOST, ("authorization", "Bearer whatever")], None),
            ("10.0.0.1", &[HOST], denied),
            ("2001:db8::1", &[HOST], denied),
            ("127.0.0.1", &[("host", "evil.example:8080")], denied),
            ("127.0.0.1", &[], denied),
            ("127.0.0.1", &[HOST, ("origin", "http://evil.example")], denied),
            ("127.0.0.1", &[HOST, ("origin", "null")], denied),
            ("127.0.0.1", &[HOST, ("x-forwarded-for", "10.0.0.1")], denied),
            ("127.0.0.1", &[HOST, ("forwarded", "for=10.0.0.1")], denied),
            ("127.0.0.1", &[HOST, ("via", "1.1 proxy")], denied),
        ];
        for (peer, pairs, expected) in cases {
            assert_eq!(code(None, peer, pairs), *expected, "{peer} {pairs:?}");
        }
    }

    #[test]
    fn with_a_token_whoever_has_it_is_served() {
        const HOST: (&str, &str) = ("host", "bots.example");
        let (missing, denied) = (Some(Code::AdminToken), Some(Code::AdminDenied));
        const GOOD: (&str, &str) = ("authorization", "Bearer s3cret");
        let cases: &[Case<'_>] = &[
            ("10.0.0.1", &[HOST, GOOD], None),
            ("10.0.0.1", &[HOST, ("authorization", "bearer s3cret")], None),
            ("10.0.0.1", &[HOST, GOOD, ("x-forwarded-for", "10.0.0.2")], None),
            ("10.0.0.1", &[HOST, GOOD, ("origin", "https://bots.example")], None),
            ("127.0.0.1", &[HOST], missing),
            ("127.0.0.1", &[HOST, ("authorization", "Bearer")], missing),
            ("127.0.0.1", &[HOST, ("authorization", "Bearer s3cre")], missing),
            ("127.0.0.1", &[HOST, ("authorization", "Bearer S3cret")], missing),
            ("127.0.0.1", &[HOST, ("authorization", "Basic s3cret")], missing),
            ("127.0.0.1", &[HOST, ("authorization", "s3cret")], missing),
            ("127.0.0.1", &[HOST, GOOD, GOOD], missing),
            ("127.0.0.1", &[GOOD], denied),
            ("127.0.0.1", &[HOST, GOOD, ("origin", "https://evil.example")], denied),
            ("127.0.0.1", &[HOST, GOOD, ("origin", "null")], denied),
        ];
        for (peer, pairs, expected) in cases {
            assert_eq!(code(Some("s3cret"), peer, pairs), *expected, "{peer} {pairs:?}");
        }
    }
}
