//! Who is let in: what the binding of a channel says, and the secrets that its requests are verified by.

use http::HeaderMap;
use serde_json::{Map, Value};

use super::adapter::Settings;
use super::channels::Verification;
use super::verify::refused;
use crate::error::{Code, Error, Result};
use crate::secret::Secret;

/// The secrets of one name that requests are verified by. Without any the route is off, or open if the binding says
/// `insecure: true`; that changes nothing where there is a secret.
pub(super) struct Gate {
    route: &'static str,
    secrets: Vec<Secret>,
    verification: Verification,
}

impl Gate {
    /// The gate of `route`, with the secrets of this name; `how` names the way of verifying, for the report at start.
    pub(super) fn open(settings: &Settings<'_>, route: &'static str, name: &str, how: &'static str) -> Result<Self> {
        // Whoever knows that a secret is empty could sign with it.
        let secrets: Vec<_> = settings.secrets.get(name).into_iter().filter(|s| !s.expose().is_empty()).collect();
        let insecure = flag(settings.config, "insecure")?.unwrap_or(false);
        let verification = match (secrets.is_empty(), insecure) {
            (false, _) => Verification::By(how),
            (true, true) => Verification::Insecure,
            (true, false) => Verification::Off,
        };
        Ok(Self { route, secrets, verification })
    }

    /// How requests are verified.
    pub(super) fn verification(&self) -> Verification {
        self.verification
    }

    /// The secrets of which one must fit; none if everybody is let in. An error if nobody is.
    pub(super) fn secrets(&self) -> Result<Option<&[Secret]>> {
        self.verification.require(self.route)?;
        Ok((!self.secrets.is_empty()).then_some(&self.secrets))
    }
}

/// The one line of a header that verifies a request.
pub(super) fn only_header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a [u8]> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(line.as_bytes()),
        (None, _) => Err(refused(format!("the header {name} is missing"))),
        (Some(_), Some(_)) => Err(refused(format!("the header {name} comes more than once"))),
    }
}

/// The bytes of a digest that a header tells in hexadecimal.
pub(super) fn hex_digest(name: &str, text: &[u8]) -> Result<Vec<u8>> {
    hex::decode(text).map_err(|_| refused(format!("the header {name} is no digest in hexadecimal")))
}

/// A setting that is true or false.
pub(super) fn flag(config: &Map<String, Value>, name: &str) -> Result<Option<bool>> {
    match config.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(invalid(name, "true or false")),
    }
}

/// A setting that is one text or a list of texts; numbers are ids that somebody forgot to quote.
pub(super) fn texts(config: &Map<String, Value>, name: &str) -> Result<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        _ => Err(invalid(name, "a text or a list of texts")),
    };
    match config.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(values)) => values.iter().map(one).collect(),
        Some(value) => one(value).map(|text| vec![text]),
    }
}

/// A setting that is the URL of a platform's API, without the `/` at its end.
pub(super) fn base_url(config: &Map<String, Value>, default: &str) -> Result<String> {
    Ok(url(config, "base_url")?.unwrap_or_else(|| default.to_owned()))
}

/// A setting that is the URL of a server, to which paths are appended, without the `/` at its end.
pub(super) fn url(config: &Map<String, Value>, name: &str) -> Result<Option<String>> {
    let stated = match config.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(stated) => stated.as_str().and_then(|text| url::Url::parse(text).ok()),
    };
    let is_plain = |url: &url::Url| {
        matches!(url.scheme(), "https" | "http")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    match stated.filter(is_plain) {
        Some(url) => Ok(Some(url.as_str().trim_end_matches('/').to_owned())),
        None => Err(invalid(name, "an http or https URL without a user, a query and a fragment")),
    }
}

fn invalid(name: &str, what: &str) -> Error {
    Error::new(Code::ChannelInvalid, format!("config.{name} of the binding must be {what}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ingress::testing;

    fn gate(config: Value, secrets: &[(&str, &str)]) -> Result<Gate> {
        testing::with_settings(&config, secrets, |settings| Gate::open(settings, "POST /x", "NAME", "x"))
    }

    #[test]
    fn without_a_secret_nobody_is_let_in_unless_it_is_said() {
        let secret: &[_] = &[("NAME", "s")];
        for (config, secrets, verification, wanted) in [
            (json!({}), secret, Verification::By("x"), 1),
            (json!({"insecure": true}), secret, Verification::By("x"), 1),
            (json!({"insecure": true}), &[][..], Verification::Insecure, 0),
            (json!({"insecure": true}), &[("NAME", ""), ("OTHER", "s")], Verification::Insecure, 0),
            (json!({}), &[("NAME", "old"), ("NAME", "new")], Verification::By("x"), 2),
        ] {
            let gate = gate(config, secrets).unwrap();
            assert_eq!(gate.verification(), verification);
            assert_eq!(gate.secrets().unwrap().map_or(0, <[_]>::len), wanted);
        }
        for config in [json!({}), json!({"insecure": false}), json!({"insecure": null})] {
            let gate = gate(config, &[("NAME", "")]).unwrap();
            assert_eq!(gate.secrets().unwrap_err().code(), Code::RouteOff);
        }
    }

    #[test]
    fn settings_of_another_type_are_refused() {
        assert_eq!(gate(json!({"insecure": "true"}), &[]).err().map(|e| e.code()), Some(Code::ChannelInvalid));
        let texts = |value: Value| texts(json!({ "n": value }).as_object().unwrap(), "n");
        assert_eq!(texts(json!(["a", 7])).unwrap(), ["a", "7"]);
        assert_eq!(texts(json!("a")).unwrap(), ["a"]);
        assert!(texts(Value::Null).unwrap().is_empty());
        for bad in [json!(""), json!({}), json!([[]]), json!(1.5), json!(true)] {
            assert_eq!(texts(bad).unwrap_err().code(), Code::ChannelInvalid);
        }
    }

    #[test]
    fn a_base_url_is_one_that_paths_are_appended_to() {
        let of = |value: Value| base_url(json!({ "base_url": value }).as_object().unwrap(), "https://a.example");
        assert_eq!(of(Value::Null).unwrap(), "https://a.example");
        assert_eq!(of(json!("http://127.0.0.1:81/")).unwrap(), "http://127.0.0.1:81");
        assert_eq!(of(json!("https://b.example/api/")).unwrap(), "https://b.example/api");
        for bad in
            ["", "b.example", "file:///x", "https://u:p@b.example", "https://b.example?x=1", "https://b.example#x"]
        {
            assert_eq!(of(json!(bad)).unwrap_err().code(), Code::ChannelInvalid, "{bad}");
        }
        assert_eq!(of(json!(["https://b.example"])).unwrap_err().code(), Code::ChannelInvalid);
    }

    #[test]
    fn a_header_that_verifies_stands_alone() {
        let mut headers = HeaderMap::new();
        assert_eq!(only_header(&headers, "x-sig").unwrap_err().code(), Code::Unauthenticated);
        headers.append("x-sig", "a".parse().unwrap());
        assert_eq!(only_header(&headers, "X-Sig").unwrap(), b"a");
        headers.append("x-sig", "a".parse().unwrap());
        assert_eq!(only_header(&headers, "x-sig").unwrap_err().code(), Code::Unauthenticated);
    }
}
