//! Which host a request names and which site it comes from.
//!
//! A page of another site must not use a server through its visitor's browser: neither by a request across sites
//! (`Origin`) nor by a name of its own that resolves to the server's machine (`Host`).

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

use crate::error::{Code, Error, Result};

/// The host that a request names: in its target, else in its `Host` header. None if it names none.
pub(super) fn named_host(uri: &Uri, headers: &HeaderMap) -> Result<Option<Authority>> {
    let invalid = || Error::new(Code::RequestInvalid, "the Host header names no host");
    if let Some(authority) = uri.authority() {
        return Ok(Some(authority.clone()));
    }
    let mut hosts = headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else { return Ok(None) };
    if hosts.next().is_some() {
        return Err(Error::new(Code::RequestInvalid, "there are several Host headers"));
    }
    let host = host.to_str().map_err(|_| invalid())?;
    if host.is_empty() {
        return Ok(None);
    }
    host.parse::<Authority>().ok().filter(|host| !host.as_str().contains('@')).map(Some).ok_or_else(invalid)
}

/// Refuses a request that does not name this machine as itself, or comes from another site; says why.
pub(super) fn local(uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
    let host = named_host(uri, headers).ok().flatten().filter(is_loopback);
    let host = host.ok_or("the Host header names another machine")?;
    same_site(headers, &host, &["http"])
}

/// Refuses a request that another site than `host` sent; says why. Programs that are no browsers send no `Origin`.
pub(super) fn same_site(headers: &HeaderMap, host: &Authority, schemes: &[&str]) -> Result<(), &'static str> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(()) };
    let origin = origin.to_str().ok().filter(|_| origins.next().is_none());
    match origin.and_then(|origin| origin.split_once("://")) {
        Some((scheme, site)) if schemes.contains(&scheme) && is_same(scheme, site, host) => Ok(()),
        _ => Err("the request comes from another site"),
    }
}

fn is_same(scheme: &str, site: &str, host: &Authority) -> bool {
    let usual = if scheme == "https" { 443 } else { 80 };
    site.parse::<Authority>().is_ok_and(|site| {
        site.host().eq_ignore_ascii_case(host.host())
            && site.port_u16().unwrap_or(usual) == host.port_u16().unwrap_or(usual)
    })
}

/// The address that a host is, if it is written as one.
pub(super) fn address(authority: &Authority) -> Option<IpAddr> {
    authority.host().trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_loopback(authority: &Authority) -> bool {
    authority.host().eq_ignore_ascii_case("localhost") || address(authority).is_some_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: Option<&str>, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.extend(host.map(|host| (HOST, host.parse().unwrap())));
        headers.extend(origin.map(|origin| (ORIGIN, origin.parse().unwrap())));
        headers
    }

    #[test]
    fn only_this_machine_and_this_site() {
        let cases = [
            (Some("localhost:8080"), None, true),
            (Some("127.0.0.1:8080"), Some("http://127.0.0.1:8080"), true),
            (Some("[::1]:8080"), Some("http://[::1]:8080"), true),
            (Some("LOCALHOST"), None, true),
            (Some("evil.example:8080"), None, false),
            (Some("127.0.0.1.evil.example"), None, false),
            (Some("evil.example@127.0.0.1"), None, false),
            (Some("localhost:8080"), Some("http://evil.example"), false),
            (Some("localhost:8080"), Some("https://localhost:8080"), false),
            (Some("localhost:8080"), Some("null"), false),
            (Some("localhost:8080"), Some("http://localhost:9090"), false),
            (Some(""), None, false),
            (None, None, false),
        ];
        for (host, origin, allowed) in cases {
            let headers = headers(host, origin);
            assert_eq!(local(&Uri::from_static("/"), &headers).is_ok(), allowed, "{host:?} {origin:?}");
        }
        let mut twice = headers(Some("localhost"), None);
        twice.append(HOST, "evil.example".parse().unwrap());
        assert!(local(&Uri::from_static("/"), &twice).is_err());
        let mut twice = headers(Some("localhost"), Some("http://localhost"));
        twice.append(ORIGIN, "http://evil.example".parse().unwrap());
        assert!(local(&Uri::from_static("/"), &twice).is_err());
    }

    #[test]
    fn a_site_is_a_scheme_a_name_and_a_port() {
        let cases = [
            ("bots.example", None, true),
            ("bots.example", Some("https://bots.example"), true),
            ("bots.example:443", Some("https://BOTS.example"), true),
            ("bots.example", Some("http://bots.example:80"), true),
            ("bots.example", Some("https://bots.example:80"), false),
            ("bots.example", Some("https://evil.bots.example"), false),
            ("bots.example", Some("https://bots.example.evil"), false),
            ("bots.example", Some("https://"), false),
            ("bots.example", Some("ftp://bots.example"), false),
            ("bots.example", Some("null"), false),
            ("bots.example", Some(""), false),
        ];
        for (host, origin, allowed) in cases {
            let (headers, host) = (headers(None, origin), host.parse().unwrap());
            assert_eq!(same_site(&headers, &host, &["http", "https"]).is_ok(), allowed, "{host} {origin:?}");
        }
    }
}
