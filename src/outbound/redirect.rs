//! Redirects: which request comes next, if one does.

use http::header::{HeaderMap, LOCATION};
use http::{Method, StatusCode};

use super::headers;
use super::reason::{Failure, Reason};
use super::request::Body;
use super::target::Target;

/// A request on its way.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

impl Hop {
    /// The request that an answer with `status` and `answered` headers leads to; none if that is the answer.
    ///
    /// A target of another origin gets no credentials, and no body.
    ///
    /// # Errors
    ///
    /// Why it cannot be followed.
    pub(super) fn next(&self, status: StatusCode, answered: &HeaderMap) -> Result<Option<Self>, Failure> {
        let turns_to_get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            StatusCode::SEE_OTHER => !matches!(self.method, Method::GET | Method::HEAD),
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return Ok(None),
        };
        let (Some(location), Some(body)) = (answered.get(LOCATION), self.body.again()) else { return Ok(None) };
        let origin = self.target.origin();
        let location = std::str::from_utf8(location.as_bytes())
            .map_err(|_| Failure::new(Reason::BadUrl, "what it names is no text").led_to_by(&origin))?;
        let target = self.target.join(location).map_err(|failure| failure.led_to_by(&origin))?;
        let mut next = Self { method: self.method.clone(), target, headers: self.headers.clone(), body };
        if turns_to_get {
            next.method = Method::GET;
            next.body = Body::Whole(bytes::Bytes::new());
            headers::drop_those_of_the_body(&mut next.headers);
        }
        let same_party = next.target.has_origin_of(&self.target) || next.target.is_upgrade_of(&self.target);
        if !same_party {
            if next.body.length() != Some(0) {
                let message = format!("it would send the request's body to {}", next.target);
                return Err(Failure::new(Reason::BodyNotRedirected, message).led_to_by(&origin));
            }
            headers::keep_harmless(&mut next.headers);
        }
        Ok(Some(next))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::*;

    fn hop(method: Method, url: &str, body: &'static str) -> Hop {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "cookie", "x-api-key", "accept", "content-type"] {
            headers.insert(name, HeaderValue::from_static("given"));
        }
        Hop {
            method,
            target: Target::parse(url).unwrap(),
            headers,
            body: Body::Whole(Bytes::from_static(body.as_bytes())),
        }
    }

    fn led(hop: &Hop, status: u16, location: &str) -> Result<Option<Hop>, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_str(location).unwrap());
        hop.next(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn the_method_and_the_body_follow_as_browsers_have_it() {
        for (method, status, next, body) in [
            (Method::GET, 301, Method::GET, 0),
            (Method::POST, 301, Method::GET, 0),
            (Method::POST, 302, Method::GET, 0),
            (Method::PUT, 302, Method::PUT, 4),
            (Method::PUT, 303, Method::GET, 0),
            (Method::HEAD, 303, Method::HEAD, 0),
            (Method::POST, 307, Method::POST, 4),
            (Method::POST, 308, Method::POST, 4),
        ] {
            let sent = if matches!(method, Method::GET | Method::HEAD) { "" } else { "body" };
            let given = hop(method.clone(), "https://a.example/one", sent);
            let found = led(&given, status, "/two?q").unwrap().unwrap();
            assert_eq!((&found.method, found.body.length()), (&next, Some(body)), "{method} {status}");
            assert_eq!(found.target.url().as_str(), "https://a.example/two?q");
            assert_eq!(found.headers["authorization"], "given");
            assert_eq!(found.headers.contains_key("content-type"), found.method == method, "{method} {status}");
        }
        let given = hop(Method::GET, "https://a.example/", "");
        for status in [200, 300, 304, 305, 404] {
            assert!(led(&given, status, "/two").unwrap().is_none(), "{status}");
        }
        assert!(given.next(StatusCode::FOUND, &HeaderMap::new()).unwrap().is_none(), "it leads nowhere");
    }

    #[test]
    fn another_origin_gets_neither_credentials_nor_a_body() {
        for (from, to, same) in [
            ("https://a.example/", "https://b.example/", false),
            ("https://a.example/", "http://a.example/", false),
            ("https://a.example/", "https://a.example:8443/", false),
            ("https://a.example/", "//a.example/x", true),
            ("https://a.example/", "https://A.EXAMPLE:443/x", true),
            ("http://a.example/", "https://a.example/", true),
            ("http://a.example:8080/", "https://a.example/", false),
            ("http://a.example/", "https://a.example:8443/", false),
        ] {
            let found = led(&hop(Method::GET, from, ""), 302, to).unwrap().unwrap();
            let mut kept: Vec<_> = found.headers.keys().map(|name| name.as_str()).collect();
            kept.sort_unstable();
            let all = ["accept", "authorization", "content-type", "cookie", "x-api-key"];
            assert_eq!(kept, if same { &all[..] } else { &["accept"] }, "{from} {to}");
            let with_body = led(&hop(Method::POST, from, "body"), 307, to);
            match same {
                true => assert_eq!(with_body.unwrap().unwrap().body.length(), Some(4)),
                false => assert_eq!(with_body.unwrap_err().reason(), Reason::BodyNotRedirected, "{from} {to}"),
            }
        }
    }

    #[test]
    fn a_target_that_is_none_is_refused() {
        let given = hop(Method::GET, "https://a.example/", "");
        for (location, reason) in [
            ("file:///etc/passwd", Reason::SchemeNotAllowed),
            ("javascript:alert(1)", Reason::SchemeNotAllowed),
            ("https://user:pass@b.example/", Reason::CredentialsInUrl),
            ("//user@b.example/", Reason::CredentialsInUrl),
            ("https://[::1", Reason::BadUrl),
            ("\\\\b.example", Reason::BadUrl),
        ] {
            assert_eq!(led(&given, 302, location).unwrap_err().reason(), reason, "{location}");
        }
    }
}
