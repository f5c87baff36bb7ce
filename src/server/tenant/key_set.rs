//! A set of public keys (JWKS) that is read where it lies, kept for a while, and read again when a token names a key
//! that it does not have.
//!
//! It is read once at a time, and not more often than every [`PAUSE`], whatever tokens ask for. Keys that are older than
//! [`DUE`] are read again in the background; keys older than [`USABLE`], because that fails, are not used any more.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::token::refused;
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::server::fetch::{self, Remote};
use crate::server::refreshed::{Pace, Refreshed, Source};

/// The least time between two readings.
const PAUSE: Duration = Duration::from_secs(30);
/// After so long the set is read again.
const DUE: Duration = Duration::from_secs(600);
/// So long keys are used though the set cannot be read.
const USABLE: Duration = Duration::from_secs(3600);
/// The most keys of a set.
const MOST_KEYS: usize = 100;

const PACE: Pace =
    Pace { pause: PAUSE, pause_after_failure: PAUSE, due: DUE, usable: USABLE, what: "the key set for tokens" };

pub(super) struct KeySet(Arc<Refreshed<Vec<Key>>>);

struct Place {
    lies: Lies,
    algorithm: Algorithm,
}

enum Lies {
    InFile(PathBuf),
    At(Remote),
}

struct Key {
    id: Option<String>,
    key: Arc<DecodingKey>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[async_trait]
impl Source<Vec<Key>> for Place {
    async fn read(&self) -> Result<Vec<Key>, String> {
        let bytes = match &self.lies {
            Lies::InFile(path) => tokio::task::spawn_blocking({
                let path = path.clone();
                move || fetch::file(&path)
            })
            .await
            .unwrap_or_else(|e| Err(e.to_string())),
            Lies::At(remote) => remote.get().await,
        };
        parse(&bytes?, self.algorithm)
    }
}

impl KeySet {
    /// The set in a file, which must be there.
    pub(super) fn of_file(path: PathBuf, algorithm: Algorithm, clock: Arc<dyn Clock>) -> Result<Self> {
        let unusable = |why: String| Error::new(Code::TenantKeys, why);
        let bytes = fetch::file(&path).map_err(|e| unusable(format!("the key set cannot be read: {e}")))?;
        let keys = parse(&bytes, algorithm).map_err(|why| unusable(format!("the key set {why}")).in_file(&path))?;
        let place = Place { lies: Lies::InFile(path), algorithm };
        Ok(Self(Refreshed::with(keys, place, PACE, clock)))
    }

    /// The set at a URL, which is read when it is needed first.
    pub(super) fn of_url(url: Url, algorithm: Algorithm, clock: Arc<dyn Clock>) -> Result<Self> {
        let remote = Remote::new(url).map_err(|why| Error::new(Code::TenantKeys, why))?;
        Ok(Self(Refreshed::new(Place { lies: Lies::At(remote), algorithm }, PACE, clock)))
    }

    /// The key that a token names, or the only one if it names none.
    pub(super) async fn find(&self, id: Option<&str>) -> Result<Arc<DecodingKey>> {
        if let Some(key) = self.known(id) {
            self.0.read_if_due();
            return Ok(key);
        }
        let busy = |_| Error::new(Code::TenantKeysUnavailable, "too many requests wait for the key set");
        self.0.read_once().await.map_err(busy)?;
        match self.known(id) {
            Some(key) => Ok(key),
            None if self.0.value().is_some() => Err(refused("it is signed by none of the keys of the set")),
            None => Err(Error::new(Code::TenantKeysUnavailable, "the key set cannot be read now")),
        }
    }

    fn known(&self, id: Option<&str>) -> Option<Arc<DecodingKey>> {
        let keys = self.0.value()?;
        let found = match (id, keys.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        found.map(|found| Arc::clone(&found.key))
    }
}

/// The keys of a set that can verify signatures of `algorithm`. Others are for others.
fn parse(bytes: &[u8], algorithm: Algorithm) -> Result<Vec<Key>, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|e| format!("is not valid: {e}"))?;
    if document.keys.len() > MOST_KEYS {
        return Err(format!("has more than {MOST_KEYS} keys"));
    }
    let keys: Vec<Key> = document.keys.into_iter().filter_map(|key| usable(key, algorithm)).collect();
    if keys.is_empty() { Err(format!("has no key for {algorithm:?}")) } else { Ok(keys) }
}

fn usable(key: Value, algorithm: Algorithm) -> Option<Key> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    let common = &key.common;
    let for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let for_algorithm =
        common.key_algorithm.is_none_or(|named| named.to_string().parse().is_ok_and(|it: Algorithm| it == algorithm));
    let decoding = DecodingKey::from_jwk(&key).ok()?;
    let fits = for_signatures && for_algorithm && decoding.family() == algorithm.family();
    fits.then(|| Key { id: common.key_id.clone(), key: Arc::new(decoding) })
}

#[cfg(test)]
mod tests;
