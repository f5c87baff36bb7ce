//! Which request headers an envelope may show. An allow-list: envelopes reach components, logs and stored runs, and
//! headers are where senders put their secrets.

use http::{HeaderMap, HeaderName};
use indexmap::IndexMap;

const NAMES: &[&str] = &[
    "accept",
    "accept-language",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "date",
    "host",
    "idempotency-key",
    "origin",
    "traceparent",
    "user-agent",
];

/// Families of headers that webhook senders use to say what they send.
const PREFIXES: &[&str] = &["x-", "webhook-", "ce-"];

/// Words in a name that make it secret, or (the forwarding headers) a claim that nobody checked.
const WITHHELD: &[&str] = &[
    "auth",
    "cert",
    "cookie",
    "credential",
    "forward",
    "jwt",
    "key",
    "pass",
    "real-ip",
    "secret",
    "session",
    "sign",
    "spark",
    "token",
];

/// The headers that may be shown, names in lower case; lines of the same name joined by `, `. Values that are not
/// text are left out.
pub fn tellable(headers: &HeaderMap) -> IndexMap<String, String> {
    let mut shown = IndexMap::new();
    for name in headers.keys().filter(|name| may_show(name)) {
        let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        if !lines.is_empty() {
            shown.insert(name.as_str().to_owned(), lines.join(", "));
        }
    }
    shown
}

fn may_show(name: &HeaderName) -> bool {
    let name = name.as_str();
    NAMES.contains(&name)
        || (PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !WITHHELD.iter().any(|word| name.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_withheld_and_facts_shown() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer canary"),
            ("proxy-authorization", "Basic canary"),
            ("cookie", "canary=1"),
            ("x-api-key", "canary"),
            ("x-gitlab-token", "canary"),
            ("x-hub-signature-256", "canary"),
            ("webhook-signature", "v1,canary"),
            ("x-amz-security-token", "canary"),
            ("x-forwarded-for", "canary"),
            ("x-github-event", "issues"),
            ("ce-type", "order"),
            ("webhook-id", "msg_1"),
            ("content-type", "text/plain"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        headers.append("x-many", "a".parse().unwrap());
        headers.append("x-many", "b".parse().unwrap());
        headers.append("x-bytes", http::HeaderValue::from_bytes(b"\xff").unwrap());
        let shown = tellable(&headers);
        assert!(!format!("{shown:?}").contains("canary"), "{shown:?}");
        let mut names: Vec<_> = shown.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["ce-type", "content-type", "webhook-id", "x-github-event", "x-many"]);
        assert_eq!(shown["x-many"], "a, b");
    }
}
