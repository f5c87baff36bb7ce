//! Headers: what guests may send, what they get to see, and what a redirect takes along.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::reason::{Failure, Reason};
use super::target::Target;
use crate::id::clip;

/// Headers of a request.
const MAX_COUNT: usize = 128;
/// Bytes of their names and values.
const MAX_BYTES: usize = 32 << 10;
/// Headers of an answer.
pub(super) const MAX_ANSWERED: usize = 128;
/// Bytes of their names and values.
pub(super) const MAX_ANSWERED_BYTES: usize = 64 << 10;

/// What speaks of one connection, which is the host's.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What goes along to another origin: what says which answer is wanted, and no more. Any other header may hold a
/// credential.
const HARMLESS: [&str; 8] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "pragma",
    "range",
    "user-agent",
];

/// What speaks of the body.
const OF_THE_BODY: [&str; 4] = ["content-encoding", "content-language", "content-length", "content-type"];

/// The headers as they are sent, with a body of `length` bytes if that is known.
///
/// # Errors
///
/// Which of them cannot be sent, and why.
pub(super) fn checked(
    given: &[(String, Vec<u8>)],
    target: &Target,
    length: Option<usize>,
) -> Result<HeaderMap, Failure> {
    let bytes: usize = given.iter().map(|(name, value)| name.len() + value.len()).sum();
    if given.len() > MAX_COUNT || bytes > MAX_BYTES {
        let message = format!(
            "{} headers of {bytes} bytes; a request has at most {MAX_COUNT} headers of {MAX_BYTES} bytes",
            given.len()
        );
        return Err(Failure::new(Reason::TooManyHeaders, message));
    }
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        let bad = |what: &str| Failure::new(Reason::BadHeader, format!("header {:?} has no valid {what}", clip(name)));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("name"))?;
        let mut value = HeaderValue::from_bytes(value.trim_ascii()).map_err(|_| bad("value"))?;
        let own = match &key {
            key if *key == header::HOST => value == target.authority(),
            key if *key == header::CONTENT_LENGTH => match length {
                Some(length) => value == length.to_string().as_str(),
                None if !headers.contains_key(key) && is_number(&value) => {
                    headers.insert(key, value);
                    continue;
                }
                None => false,
            },
            key if HOP_BY_HOP.contains(&key.as_str()) => false,
            key => {
                value.set_sensitive(is_secret(key));
                headers.append(key, value);
                continue;
            }
        };
        // What says the same as the host does is left to the host; what says something else would mislead a server.
        if !own {
            let message = format!("header {:?} is the host's own", key.as_str());
            return Err(Failure::new(Reason::HeaderNotAllowed, message));
        }
    }
    Ok(headers)
}

fn is_number(value: &HeaderValue) -> bool {
    !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit)
}

fn is_secret(name: &HeaderName) -> bool {
    *name == header::AUTHORIZATION || *name == header::COOKIE
}

/// Leaves what may go to another origin.
pub(super) fn keep_harmless(headers: &mut HeaderMap) {
    retain(headers, |name| HARMLESS.contains(&name));
}

/// Takes away what speaks of a body that is not sent.
pub(super) fn drop_those_of_the_body(headers: &mut HeaderMap) {
    retain(headers, |name| !OF_THE_BODY.contains(&name));
}

fn retain(headers: &mut HeaderMap, keep: impl Fn(&str) -> bool) {
    let gone: Vec<_> = headers.keys().filter(|name| !keep(name.as_str())).cloned().collect();
    gone.iter().for_each(|name| drop(headers.remove(name)));
}

/// The headers of an answer as a guest gets them.
///
/// # Errors
///
/// That there are too many.
pub(super) fn answered(headers: &HeaderMap, target: &Target) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > MAX_ANSWERED || bytes > MAX_ANSWERED_BYTES {
        let message = format!(
            "{target} answered with {} headers of {bytes} bytes; {MAX_ANSWERED} of {MAX_ANSWERED_BYTES} bytes are taken",
            headers.len()
        );
        return Err(Failure::new(Reason::BadAnswer, message));
    }
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<_> = named.flat_map(|names| names.split(',')).map(str::trim).collect();
    let hops = |name: &str| HOP_BY_HOP.contains(&name) || named.iter().any(|other| other.eq_ignore_ascii_case(name));
    let given = headers.iter().filter(|(name, _)| !hops(name.as_str()));
    Ok(given.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::parse("https://api.example.com/").unwrap()
    }

    fn check(given: &[(&str, &str)], length: Option<usize>) -> Result<HeaderMap, Reason> {
        let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        checked(&given, &target(), length).map_err(|failure| failure.reason())
    }

    #[test]
    fn what_is_the_hosts_own_is_refused_and_what_agrees_with_it_is_left_out() {
        for name in HOP_BY_HOP {
            assert_eq!(check(&[(name, "x")], Some(0)).unwrap_err(), Reason::HeaderNotAllowed, "{name}");
            assert_eq!(check(&[(&name.to_uppercase(), "x")], None).unwrap_err(), Reason::HeaderNotAllowed, "{name}");
        }
        assert!(check(&[("Host", "api.example.com"), ("Content-Length", "3")], Some(3)).unwrap().is_empty());
        for (name, value, length) in [
            ("host", "other.example.com", Some(0)),
            ("host", "api.example.com:80", Some(0)),
            ("content-length", "4", Some(3)),
            ("content-length", "+3", None),
        ] {
            assert_eq!(check(&[(name, value)], length).unwrap_err(), Reason::HeaderNotAllowed, "{name}: {value}");
        }
        assert_eq!(check(&[("content-length", "3")], None).unwrap()["content-length"], "3");
        let twice = [("content-length", "3"), ("content-length", "3")];
        assert_eq!(check(&twice, None).unwrap_err(), Reason::HeaderNotAllowed);
    }

    #[test]
    fn nothing_breaks_out_of_a_header() {
        for (name, value) in [
            ("x", "a\r\nx-evil: 1"),
            ("x", "a\nb"),
            ("x", "a\0b"),
            ("x\r\ny", "a"),
            ("x y", "a"),
            ("x:", "a"),
            ("", "a"),
            ("é", "a"),
        ] {
            assert_eq!(check(&[(name, value)], Some(0)).unwrap_err(), Reason::BadHeader, "{name:?}: {value:?}");
        }
        let many: Vec<_> = (0..100_000).map(|_| ("x", "y")).collect();
        assert_eq!(check(&many, Some(0)).unwrap_err(), Reason::TooManyHeaders);
        assert_eq!(check(&[("x", &"y".repeat(MAX_BYTES))], Some(0)).unwrap_err(), Reason::TooManyHeaders);
        assert_eq!(check(&[("x", " ü ")], Some(0)).unwrap()["x"], "ü".as_bytes());
    }

    #[test]
    fn credentials_are_shown_nowhere() {
        let shown =
            format!("{:?}", check(&[("Authorization", "Bearer canary"), ("cookie", "canary")], Some(0)).unwrap());
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn an_answer_has_no_headers_of_the_connection() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("connection", "close, X-Hop"), ("x-hop", "1"), ("keep-alive", "1"), ("x-end", "2"), ("x-end", "3")]
        {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let given = answered(&headers, &target()).unwrap();
        assert_eq!(given, [("x-end".to_owned(), b"2".to_vec()), ("x-end".to_owned(), b"3".to_vec())]);
        headers.insert("big", HeaderValue::from_bytes(&vec![b'x'; MAX_ANSWERED_BYTES]).unwrap());
        assert_eq!(answered(&headers, &target()).unwrap_err().reason(), Reason::BadAnswer);
    }
}
