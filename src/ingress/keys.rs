//! The public keys that platforms publish, with what they say about a key beyond the standard.

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// A platform's keys, as they were fetched. Unlike the standard's key set it keeps what channels a key is good for.
#[derive(Clone, Debug, Default)]
pub struct PublishedKeys(Vec<PublishedKey>);

/// A published key.
#[derive(Clone, Debug)]
pub struct PublishedKey {
    id: Option<String>,
    algorithm: Option<String>,
    key: DecodingKey,
    endorsements: Vec<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(flatten)]
    jwk: Jwk,
    #[serde(default)]
    endorsements: Vec<String>,
}

impl PublishedKeys {
    /// The keys for signatures in a key set's `keys`. Entries of kinds that this host does not know are for others.
    pub fn of(entries: impl IntoIterator<Item = Value>) -> Self {
        Self(entries.into_iter().filter_map(PublishedKey::of).collect())
    }

    /// The key of this id.
    pub fn find(&self, id: &str) -> Option<&PublishedKey> {
        self.0.iter().find(|key| key.id.as_deref() == Some(id))
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PublishedKey {
    fn of(entry: Value) -> Option<Self> {
        let Entry { jwk, endorsements } = serde_json::from_value(entry).ok()?;
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let algorithm = jwk.common.key_algorithm.map(|algorithm| algorithm.to_string());
        Some(Self { key: DecodingKey::from_jwk(&jwk).ok()?, id: jwk.common.key_id, algorithm, endorsements })
    }

    /// The key itself, if signatures of `algorithm` are made with it.
    pub fn for_algorithm(&self, algorithm: Algorithm) -> Option<&DecodingKey> {
        let named = self.algorithm.as_deref().is_none_or(|named| named.parse() == Ok(algorithm));
        (named && self.key.family() == algorithm.family()).then_some(&self.key)
    }

    /// The channels that the key is good for; none if the platform does not say.
    pub fn endorsements(&self) -> &[String] {
        &self.endorsements
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_set_keeps_what_it_says_about_its_keys() {
        let rsa = |extra: Value| {
            let mut key = json!({"kty": "RSA", "n": "sXch", "e": "AQAB", "x5c": ["MII"]});
            key.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            key
        };
        let keys = PublishedKeys::of([
            rsa(json!({"kid": "a", "use": "sig", "endorsements": ["msteams", "webchat"]})),
            rsa(json!({"kid": "b", "alg": "RS256"})),
            rsa(json!({"kid": "c", "use": "enc"})),
            rsa(json!({"kid": "d", "endorsements": "msteams"})),
            json!({"kid": "e", "kty": "new"}),
            json!({"kid": "f", "kty": "oct", "k": "c2VjcmV0"}),
            json!("g"),
        ]);
        assert_eq!(keys.find("a").unwrap().endorsements(), ["msteams", "webchat"]);
        let fits = |id, algorithm| keys.find(id).is_some_and(|key| key.for_algorithm(algorithm).is_some());
        assert!(fits("a", Algorithm::RS256) && fits("a", Algorithm::RS512));
        assert!(fits("b", Algorithm::RS256) && !fits("b", Algorithm::RS384));
        // A shared secret in a public set is never taken for a public key.
        assert!(!fits("f", Algorithm::RS256));
        // A key whose endorsements cannot be read is not taken for one without any.
        assert!(["c", "d", "e"].iter().all(|id| keys.find(id).is_none()));
        assert_eq!((keys.len(), keys.is_empty()), (3, false));
    }
}
