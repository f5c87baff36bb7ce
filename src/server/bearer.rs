//! The `Authorization` header.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// What a request's `Authorization` header holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authorization<'a> {
    /// There is none.
    Absent,
    /// A bearer token.
    Bearer(&'a str),
    /// Something else, or more than one.
    Other,
}

impl<'a> Authorization<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (all.next(), all.next()) else {
            return if headers.contains_key(AUTHORIZATION) { Self::Other } else { Self::Absent };
        };
        let parts = value.to_str().ok().and_then(|text| text.trim().split_once(' '));
        match parts {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
                Self::Bearer(token.trim())
            }
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_token_is_read() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            match Authorization::of(&headers) {
                Authorization::Absent => "absent".to_owned(),
                Authorization::Bearer(token) => format!("token {token}"),
                Authorization::Other => "other".to_owned(),
            }
        };
        assert_eq!(of(&[]), "absent");
        for good in ["Bearer abc", "bearer abc", "BEARER   abc "] {
            assert_eq!(of(&[good]), "token abc", "{good:?}");
        }
        for bad in ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearerabc", "Bearer\tabc"] {
            assert_eq!(of(&[bad]), "other", "{bad:?}");
        }
        assert_eq!(of(&["Bearer abc", "Bearer abc"]), "other");
    }
}
