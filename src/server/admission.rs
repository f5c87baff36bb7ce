//! What every request passes first: the bound on requests at once, and in demo mode the check that it comes from this
//! machine and from no other site.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::App;
use super::answer::Problem;
use crate::error::{Code, Error, Result};

/// Admits a request, or says why not.
pub(super) async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Ok(_running) = app.requests.try_acquire() else {
        return Problem(Error::new(Code::Overloaded, "too many requests at once")).into_response();
    };
    if app.options.demo
        && let Err(error) = local(request.uri(), request.headers())
    {
        return Problem(error).into_response();
    }
    next.run(request).await
}

/// A page of another site must not use the demo through the visitor's browser: neither by a request across sites
/// (`Origin`) nor by a name of its own that resolves to this machine (`Host`).
fn local(uri: &Uri, headers: &HeaderMap) -> Result<()> {
    let refuse =
        |what: &str| Err(Error::new(Code::RequestDenied, format!("the demo serves this machine only: {what}")));
    let host = match uri.authority() {
        Some(authority) => Some(authority.clone()),
        None => text(headers, HOST).and_then(|host| host.parse::<Authority>().ok()),
    };
    let Some(host) = host.filter(is_loopback) else { return refuse("the Host header names another machine") };
    match text(headers, ORIGIN) {
        None if headers.contains_key(ORIGIN) => refuse("the Origin header is not text"),
        None => Ok(()),
        Some(origin) if origin.strip_prefix("http://") == Some(host.as_str()) => Ok(()),
        Some(_) => refuse("the request comes from another site"),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_this_site() {
        let cases = [
            (Some("localhost:8080"), None, true),
            (Some("127.0.0.1:8080"), Some("http://127.0.0.1:8080"), true),
            (Some("[::1]:8080"), Some("http://[::1]:8080"), true),
            (Some("LOCALHOST"), None, true),
            (Some("evil.example:8080"), None, false),
            (Some("127.0.0.1.evil.example"), None, false),
            (Some("localhost:8080"), Some("http://evil.example"), false),
            (Some("localhost:8080"), Some("https://localhost:8080"), false),
            (Some("localhost:8080"), Some("null"), false),
            (Some("localhost:8080"), Some("http://localhost:9090"), false),
            (Some(""), None, false),
            (None, None, false),
        ];
        for (host, origin, allowed) in cases {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(HOST, host.parse().unwrap());
            }
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(local(&Uri::from_static("/"), &headers).is_ok(), allowed, "{host:?} {origin:?}");
        }
    }
}
