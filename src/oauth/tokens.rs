//! Tokens: what is stored of them, and what a component gets to see.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::secret::Secret;

/// How long before its end a token is renewed, so that it lasts for what it is fetched for.
const LEEWAY: Duration = Duration::from_secs(60);
/// Bytes of all that is stored of one owner's tokens.
pub(super) const MAX_RECORD: usize = 64 << 10;

/// The tokens of one owner.
#[derive(Clone)]
pub(super) struct Tokens {
    pub(super) access: Secret,
    /// Stays with the host: whoever used it elsewhere would end what the host keeps.
    pub(super) refresh: Option<Secret>,
    pub(super) token_type: String,
    pub(super) expires_at: Option<Timestamp>,
    /// What was consented to.
    pub(super) scopes: Vec<String>,
    /// What else the provider said, such as an `id_token`.
    pub(super) extra: Map<String, Value>,
}

/// What is stored.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    access_token: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Cow<'a, str>>,
    token_type: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    scopes: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    extra: Cow<'a, Map<String, Value>>,
}

impl Tokens {
    /// As they are stored, before they are encrypted.
    pub(super) fn record(&self) -> Result<Zeroizing<Vec<u8>>> {
        let record = Record {
            access_token: self.access.expose().into(),
            refresh_token: self.refresh.as_ref().map(|token| token.expose().into()),
            token_type: self.token_type.as_str().into(),
            expires_at: self.expires_at,
            scopes: self.scopes.as_slice().into(),
            extra: Cow::Borrowed(&self.extra),
        };
        let failed = |e| Error::new(Code::Internal, format!("tokens could not be written: {e}"));
        let bytes = Zeroizing::new(serde_json::to_vec(&record).map_err(failed)?);
        if bytes.len() > MAX_RECORD {
            return Err(Error::new(Code::OAuthAnswer, format!("the tokens are larger than {MAX_RECORD} bytes")));
        }
        Ok(bytes)
    }

    /// What was stored.
    pub(super) fn of_record(bytes: &[u8]) -> Result<Self> {
        let record: Record<'_> = serde_json::from_slice(bytes)
            .map_err(|_| Error::new(Code::OAuthSealed, "what is stored of a subject's tokens is damaged"))?;
        Ok(Self {
            access: Secret::new(record.access_token),
            refresh: record.refresh_token.map(Secret::new),
            token_type: record.token_type.into_owned(),
            expires_at: record.expires_at,
            scopes: record.scopes.into_owned(),
            extra: record.extra.into_owned(),
        })
    }

    /// As a component gets them.
    pub(super) fn shown(&self) -> Secret {
        let set = json!({
            "access_token": self.access.expose(),
            "refresh_token": null,
            "expires_at": self.expires_at.map(|Timestamp(millis)| millis.div_euclid(1000)),
            "token_type": self.token_type,
            "extra": self.extra,
        });
        Secret::new(set.to_string())
    }

    /// Whether all of `scopes` were consented to.
    pub(super) fn cover(&self, scopes: &[String]) -> bool {
        scopes.iter().all(|scope| self.scopes.contains(scope))
    }

    /// Whether they last long enough to be used.
    pub(super) fn are_fresh(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| now.plus(LEEWAY) < at)
    }

    /// Whether they are valid for a moment still.
    pub(super) fn are_valid(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::oauth) fn tokens(access: &str, refresh: Option<&str>, expires_at: Option<Timestamp>) -> Tokens {
        Tokens {
            access: Secret::new(access),
            refresh: refresh.map(Secret::new),
            token_type: "Bearer".into(),
            expires_at,
            scopes: vec!["mail".into(), "files".into()],
            extra: Map::from_iter([("id_token".to_owned(), json!("canary-id"))]),
        }
    }

    /// What is on users' disks, once it is decrypted, and what components read.
    #[test]
    fn tokens_keep_their_formats() {
        let tokens = tokens("canary-access", Some("canary-refresh"), Some(Timestamp(1_800_000_000_999)));
        let record = tokens.record().unwrap();
        let shown = tokens.shown();
        insta::assert_snapshot!([std::str::from_utf8(&record).unwrap(), shown.expose()].join("\n"));
        assert_eq!(Tokens::of_record(&record).unwrap().record().unwrap(), record);
        assert!(!shown.expose().contains("canary-refresh") && !format!("{tokens:?}").contains("canary"));
        assert_eq!(Tokens::of_record(b"{}").unwrap_err().code(), Code::OAuthSealed);
    }

    #[test]
    fn tokens_are_renewed_a_little_before_their_end() {
        let end = Timestamp(100_000);
        let tokens = tokens("a", None, Some(end));
        for (now, fresh, valid) in
            [(39_999, true, true), (40_000, false, true), (99_999, false, true), (100_000, false, false)]
        {
            let now = Timestamp(now);
            assert_eq!((tokens.are_fresh(now), tokens.are_valid(now)), (fresh, valid), "{now:?}");
        }
        let scope = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(tokens.cover(&[]) && tokens.cover(&scope(&["mail"])) && !tokens.cover(&scope(&["mail", "admin"])));
    }

    #[test]
    fn tokens_of_any_size_are_not_stored() {
        let mut large = tokens("a", None, None);
        large.extra.insert("x".into(), json!("x".repeat(MAX_RECORD)));
        assert_eq!(large.record().unwrap_err().code(), Code::OAuthAnswer);
    }
}
