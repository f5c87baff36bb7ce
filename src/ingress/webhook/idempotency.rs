//! What tells a request from its repetitions: the `Idempotency-Key` header, a structured-field string (`"8e03…"`) that most
//! clients send bare, or the id of a delivery; and the fingerprint of what was sent under it.

use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::error::{Code, Error, Result};
use crate::ingress::adapter::Request;

const KEY: &str = "idempotency-key";
const ID: &str = "webhook-id";
const LONGEST: usize = 255;

/// The request's key, without the quotes that are only syntax. None if the header is absent.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(text) = only_line(headers, KEY)? else { return Ok(None) };
    let key = match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted).ok_or_else(|| invalid(KEY, "its quotes do not match"))?,
        None => text.to_owned(),
    };
    bounded(KEY, key).map(Some)
}

/// The id of a delivery of Standard Webhooks. None if the header is absent.
pub(super) fn delivery(headers: &HeaderMap) -> Result<Option<String>> {
    only_line(headers, ID)?.map(|id| bounded(ID, id.to_owned())).transpose()
}

/// The refusal of a request without a key where one is required.
pub(super) fn missing() -> Error {
    Error::new(Code::IdempotencyKey, "the Idempotency-Key header is missing, and this flow requires it")
        .hint("send a key of your own with each request, and the same with its repetitions")
}

/// What a request is but for its key: method, path, query and body.
pub(super) fn fingerprint(path: &str, request: &Request<'_>) -> [u8; 32] {
    let query = request.query.unwrap_or_default();
    let mut hasher = Sha256::new();
    for part in [request.method.as_bytes(), path.as_bytes(), query.as_bytes(), request.body] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn only_line<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>> {
    let mut lines = headers.get_all(name).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(invalid(name, "it is given more than once"));
    }
    line.to_str().map(|text| Some(text.trim())).map_err(|_| invalid(name, "it is not printable ASCII"))
}

fn bounded(name: &'static str, key: String) -> Result<String> {
    if key.is_empty() || key.len() > LONGEST {
        return Err(invalid(name, "it must have 1 to 255 characters"));
    }
    Ok(key)
}

/// The content of a structured-field string behind its opening quote.
fn unquote(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(out),
            '\\' => out.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            other => out.push(other),
        }
    }
}

fn invalid(name: &str, why: &str) -> Error {
    Error::new(Code::IdempotencyKey, format!("the header {name} cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&[u8]]) -> Result<Option<String>> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("idempotency-key", http::HeaderValue::from_bytes(line).unwrap());
        }
        key(&headers)
    }

    #[test]
    fn quoted_and_bare_are_the_same_key() {
        assert_eq!(of(&[]).unwrap(), None);
        for line in [&b"\"8e03\""[..], b"8e03", b"  8e03 "] {
            assert_eq!(of(&[line]).unwrap().as_deref(), Some("8e03"));
        }
        assert_eq!(of(&[br#""a\"b\\c""#]).unwrap().as_deref(), Some(r#"a"b\c"#));
    }

    #[test]
    fn a_fingerprint_is_of_everything_but_the_headers() {
        let headers = HeaderMap::new();
        let of = |method, path, query, body| {
            fingerprint(path, &Request { method, path, query, headers: &headers, body, peer: None })
        };
        let all = [
            of("POST", "/webhook/f", None, b"a"),
            of("PUT", "/webhook/f", None, b"a"),
            of("POST", "/webhook/g", None, b"a"),
            of("POST", "/webhook/f", Some("x"), b"a"),
            of("POST", "/webhook/f", None, b"b"),
            of("POST", "/webhook/", Some("f"), b"a"),
            of("POST", "/webhook/f", Some("a"), b""),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(all[0], of("POST", "/webhook/f", Some(""), b"a"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = [b'x'; 256];
        for lines in
            [&[&b""[..]][..], &[b"\"\""], &[b"\"a"], &[b"\"a\"b"], &[br#""a\b""#], &[b"\xff"], &[&long], &[b"a", b"a"]]
        {
            assert_eq!(of(lines).unwrap_err().code(), Code::IdempotencyKey, "{lines:?}");
        }
    }
}
