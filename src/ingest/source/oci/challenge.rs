//! What a registry asks for before it answers.

use http::HeaderValue;
use http_auth::ChallengeParser;

/// The ways to log in that a registry offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// Get a token elsewhere.
    pub(super) bearer: Option<Bearer>,
    /// Say name and password.
    pub(super) basic: bool,
}

/// Where tokens are got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    /// The URL of who gives them.
    pub(super) realm: String,
    /// For which service.
    pub(super) service: Option<String>,
}

impl Challenge {
    /// Reads the values of `WWW-Authenticate`. What cannot be read offers nothing.
    pub(super) fn read<'h>(headers: impl IntoIterator<Item = &'h HeaderValue>) -> Self {
        let mut challenge = Self::default();
        for header in headers.into_iter().filter_map(|value| value.to_str().ok()) {
            for offered in ChallengeParser::new(header).flatten() {
                if offered.scheme.eq_ignore_ascii_case("basic") {
                    challenge.basic = true;
                } else if offered.scheme.eq_ignore_ascii_case("bearer") && challenge.bearer.is_none() {
                    let value = |name: &str| {
                        let mut all = offered.params.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
                        all.next().map(|(_, value)| value.to_unescaped())
                    };
                    challenge.bearer = value("realm").map(|realm| Bearer { realm, service: value("service") });
                }
            }
        }
        challenge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read_and_nonsense_is_none() {
        let bearer = |service: Option<&str>| {
            Some(Bearer { realm: "https://auth.example/token".into(), service: service.map(Into::into) })
        };
        for (headers, expected) in [
            (vec![], Challenge::default()),
            (vec![r#"Basic realm="x""#], Challenge { bearer: None, basic: true }),
            (
                vec![r#"Bearer realm="https://auth.example/token",service="s",scope="repository:a:pull""#],
                Challenge { bearer: bearer(Some("s")), basic: false },
            ),
            (vec![r#"bearer Realm="https://auth.example/token""#], Challenge { bearer: bearer(None), basic: false }),
            (
                vec![r#"Basic realm="x", Bearer realm="https://auth.example/token""#],
                Challenge { bearer: bearer(None), basic: true },
            ),
            (
                vec![r#"Basic realm="x""#, r#"Bearer realm="https://auth.example/token""#],
                Challenge { bearer: bearer(None), basic: true },
            ),
            (vec!["Bearer service=\"s\""], Challenge::default()),
            (vec!["Negotiate"], Challenge::default()),
            (vec!["\"", ",,,", "Bearer realm=\""], Challenge::default()),
        ] {
            let values: Vec<HeaderValue> = headers.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(Challenge::read(&values), expected, "{headers:?}");
        }
    }
}
