//! What components ask, checked. Everything here is said by somebody who is not trusted.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use url::Url;

use crate::error::{Code, Error, Result};
use crate::id;

/// Bytes of a provider's id.
const MAX_PROVIDER: usize = 128;
/// Bytes of a subject.
const MAX_SUBJECT: usize = 256;
/// Scopes at once, and bytes of one.
const MAX_SCOPES: usize = 64;
const MAX_SCOPE: usize = 256;
/// Bytes of a path.
const MAX_PATH: usize = 512;
/// Bytes of further parameters, and how many there may be.
const MAX_EXTRA: usize = 8 << 10;
const MAX_PARAMS: usize = 32;
/// Bytes of a code.
pub(crate) const MAX_CODE: usize = 4 << 10;

/// Parameters of a request for consent that are the host's.
const RESERVED: [&str; 13] = [
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "registration",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "sub_jwk",
    "state",
];

/// Whether a parameter of a request for consent is the host's to set.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// The provider that is asked for.
pub(super) fn provider(asked: &str, default: Option<&str>) -> Result<String> {
    let id = match (asked, default) {
        ("", Some(default)) => default,
        ("", None) => {
            return Err(bad("no provider is named").hint("name one, or state `oauth.provider` in the bindings"));
        }
        (asked, _) => asked,
    };
    if id::is_valid(id) && id.len() <= MAX_PROVIDER {
        return Ok(id.to_owned());
    }
    Err(bad(format!("{:?} is no id of a provider", id::clip(id)))
        .hint("use ASCII letters, digits, '.', '-' and '_', at most 128"))
}

/// The subject: whoever consents. Any text that is no more than a name.
pub(super) fn subject(asked: &str) -> Result<String> {
    if asked.is_empty() {
        return Err(bad("the subject is empty").hint("name who consents, such as the user's id"));
    }
    if asked.len() > MAX_SUBJECT || asked.chars().any(char::is_control) {
        return Err(bad("the subject is too long, or holds control characters").hint("give at most 256 bytes of text"));
    }
    Ok(asked.to_owned())
}

/// The scopes, each once, in their order.
pub(super) fn scopes(asked: &[String]) -> Result<Vec<String>> {
    // RFC 6749, 3.3: anything printable but quotes and backslashes.
    let is_scope = |scope: &str| {
        (1..=MAX_SCOPE).contains(&scope.len()) && scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    };
    let mut scopes: Vec<String> = Vec::new();
    // One text with several scopes is what the parameter of the protocol looks like.
    for scope in asked.iter().flat_map(|scope| scope.split(' ')).filter(|scope| !scope.is_empty()) {
        if !is_scope(scope) {
            return Err(bad(format!("{:?} is no scope", id::clip(scope))));
        }
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
        if scopes.len() > MAX_SCOPES {
            return Err(bad(format!("more than {MAX_SCOPES} scopes are asked for")));
        }
    }
    Ok(scopes)
}

/// Where a browser comes back to: a path on this host, whatever it is made of.
pub(super) fn redirect(public: &Url, path: &str) -> Result<Url> {
    let invalid = || {
        bad("the redirect path is no path on this host")
            .hint("begin it with one '/', as /webhook/connected, without a host, a fragment and '..'")
    };
    let safe = path.starts_with('/')
        && path.len() <= MAX_PATH
        && path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#' | b'"' | b'<' | b'>'))
        && !path.starts_with("//");
    let (route, query) = path.split_once('?').map_or((path, None), |(route, query)| (route, Some(query)));
    let is_dots = |part: &str| {
        let plain = part.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    if !safe || route.split('/').any(is_dots) {
        return Err(invalid());
    }
    let mut url = public.clone();
    url.set_path(&format!("{}{route}", public.path().trim_end_matches('/')));
    url.set_query(query);
    let stays = url.origin() == public.origin() && url.path().starts_with(public.path().trim_end_matches('/'));
    if stays { Ok(url) } else { Err(invalid()) }
}

/// Further parameters: an object of texts, numbers and truth values, or nothing.
pub(super) fn extra(json: &str) -> Result<BTreeMap<String, Value>> {
    let invalid = |what: &str| bad(format!("`extra-json` {what}"));
    if json.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    if json.len() > MAX_EXTRA {
        return Err(invalid(&format!("is longer than {MAX_EXTRA} bytes")));
    }
    let object: Option<Map<String, Value>> =
        serde_json::from_str(json).map_err(|_| invalid("is no JSON object").hint("give {} or an empty text"))?;
    let object = object.unwrap_or_default();
    if object.len() > MAX_PARAMS {
        return Err(invalid(&format!("has more than {MAX_PARAMS} members")));
    }
    Ok(object.into_iter().filter(|(_, value)| !value.is_null()).collect())
}

/// A parameter's value as text.
pub(super) fn param(name: &str, value: &Value) -> Result<String> {
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if is_reserved(name) || !is_name {
        return Err(bad(format!("`extra-json` sets {:?}, which it cannot", id::clip(name))));
    }
    match value {
        Value::String(text) if !text.chars().any(char::is_control) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(yes) => Ok(yes.to_string()),
        _ => Err(bad(format!("the member {name:?} of `extra-json` is no plain text"))),
    }
}

/// A code, as it is: what it looks like is the provider's.
pub(super) fn code(asked: &str) -> Result<&str> {
    if asked.is_empty() || asked.len() > MAX_CODE || asked.chars().any(char::is_control) {
        return Err(bad("the code is empty, too long, or holds control characters"));
    }
    Ok(asked)
}

pub(super) fn bad(what: impl Into<String>) -> Error {
    Error::new(Code::OAuthRequest, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_on_this_host() {
        let public = Url::parse("https://bots.example.com/base/").unwrap();
        for (path, url) in [
            ("/done", Some("https://bots.example.com/base/done")),
            ("/webhook/done?from=chat", Some("https://bots.example.com/base/webhook/done?from=chat")),
            ("/a%20b", Some("https://bots.example.com/base/a%20b")),
            ("/@evil.example/x", Some("https://bots.example.com/base/@evil.example/x")),
            ("", None),
            ("done", None),
            ("//evil.example/", None),
            ("/\\evil.example", None),
            ("/../admin", None),
            ("/a/..", None),
            ("/a/%2e%2E/admin", None),
            ("/a/.%2e/admin", None),
            ("/./a", None),
            ("/a#b", None),
            ("/a b", None),
            ("/a\r\nlocation: x", None),
            ("/\u{fc}", None),
            ("https://evil.example/", None),
            ("javascript:alert(1)", None),
        ] {
            let found = redirect(&public, path);
            assert_eq!(found.as_ref().ok().map(Url::as_str), url, "{path:?}");
            assert!(found.is_ok() || found.unwrap_err().code() == Code::OAuthRequest);
        }
        assert!(redirect(&public, &format!("/{}", "x".repeat(MAX_PATH))).is_err());
    }

    #[test]
    fn scopes_are_those_of_the_protocol() {
        let read = |asked: &[&str]| scopes(&asked.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(&["a", "b c", "a", ""]).unwrap(), ["a", "b", "c"]);
        assert_eq!(read(&["https://www.example.com/auth/mail.read"]).unwrap().len(), 1);
        for bad in ["a\"b", "a\\b", "a\nb", "\u{fc}", &"x".repeat(MAX_SCOPE + 1)] {
            assert!(read(&[bad]).is_err(), "{bad:?}");
        }
        let many: Vec<String> = (0..=MAX_SCOPES).map(|n| n.to_string()).collect();
        assert!(scopes(&many).is_err());
    }

    #[test]
    fn a_provider_is_an_id_and_has_a_default() {
        assert_eq!(provider("", Some("own")).unwrap(), "own");
        assert_eq!(provider("other.one", Some("own")).unwrap(), "other.one");
        for asked in ["", "a b", "a>", "*", "a/b", "a\u{0}", &"x".repeat(MAX_PROVIDER + 1)] {
            assert_eq!(provider(asked, None).unwrap_err().code(), Code::OAuthRequest, "{asked:?}");
        }
    }

    #[test]
    fn further_parameters_never_take_the_place_of_the_hosts() {
        let params = |json: &str| -> Result<Vec<String>> {
            extra(json)?.iter().map(|(name, value)| Ok(format!("{name}={}", param(name, value)?))).collect()
        };
        assert_eq!(params(r#"{"prompt": "consent", "max_age": 5, "x": true, "none": null}"#).unwrap().len(), 3);
        assert!(params("").unwrap().is_empty() && params("null").unwrap().is_empty());
        for name in RESERVED {
            assert!(params(&format!(r#"{{"{name}": "x"}}"#)).is_err(), "{name}");
        }
        for bad in ["[]", "x", r#"{"a": {}}"#, r#"{"a": "b\nc"}"#, r#"{"a b": "c"}"#, r#"{"": "c"}"#] {
            assert!(params(bad).is_err(), "{bad}");
        }
        assert!(params(&format!(r#"{{"a": "{}"}}"#, "x".repeat(MAX_EXTRA))).is_err());
    }

    #[test]
    fn subjects_and_codes_are_bounded() {
        assert!(subject("user@example.com \u{fc}").is_ok() && code("4/0Ab_c-d").is_ok());
        for bad in ["", "a\nb", &"x".repeat(MAX_CODE + 1)] {
            assert!(subject(bad).is_err() && code(bad).is_err(), "{bad:?}");
        }
    }
}
