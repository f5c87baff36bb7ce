//! A set of public keys (JWKS) that is read where it lies, kept for a while, and read again when a token names a key
//! that it does not have.
//!
//! It is read once at a time, and not more often than every [`PAUSE`], whatever tokens ask for. Keys that are older than
//! [`DUE`] are read again in the background; keys older than [`USABLE`], because that fails, are not used any more.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{OwnedMutexGuard, Semaphore};
use url::Url;

use super::fetch::{self, Remote};
use super::token::refused;
use crate::clock::{Clock, Timestamp};
use crate::error::{Code, Error, Result};

/// The least time between two readings.
const PAUSE: Duration = Duration::from_secs(30);
/// After so long the set is read again.
const DUE: Duration = Duration::from_secs(600);
/// So long keys are used though the set cannot be read.
const USABLE: Duration = Duration::from_secs(3600);
/// The most keys of a set.
const MOST_KEYS: usize = 100;
/// The most requests that wait for a reading.
const MOST_WAITING: usize = 64;

pub(super) struct KeySet {
    place: Place,
    algorithm: Algorithm,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by whoever reads the set.
    turn: Arc<tokio::sync::Mutex<()>>,
    waiting: Semaphore,
}

enum Place {
    File(PathBuf),
    Url(Remote),
}

#[derive(Default)]
struct State {
    keys: Arc<Vec<Key>>,
    /// When they were read.
    read: Option<Timestamp>,
    /// When a reading began last.
    tried: Option<Timestamp>,
}

struct Key {
    id: Option<String>,
    key: Arc<DecodingKey>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// The set in a file, which must be there.
    pub(super) fn of_file(path: PathBuf, algorithm: Algorithm, clock: Arc<dyn Clock>) -> Result<Self> {
        let unusable = |why: String| Error::new(Code::TenantKeys, why);
        let bytes = fetch::file(&path).map_err(|e| unusable(format!("the key set cannot be read: {e}")))?;
        let keys = parse(&bytes, algorithm).map_err(|why| unusable(format!("the key set {why}")).in_file(&path))?;
        let now = Some(clock.now());
        let set = Self::new(Place::File(path), algorithm, clock);
        *set.state.lock() = State { keys: Arc::new(keys), read: now, tried: now };
        Ok(set)
    }

    /// The set at a URL, which is read when it is needed first.
    pub(super) fn of_url(url: Url, algorithm: Algorithm, clock: Arc<dyn Clock>) -> Result<Self> {
        Ok(Self::new(Place::Url(Remote::new(url)?), algorithm, clock))
    }

    fn new(place: Place, algorithm: Algorithm, clock: Arc<dyn Clock>) -> Self {
        let (turn, waiting) = (Arc::default(), Semaphore::new(MOST_WAITING));
        Self { place, algorithm, clock, state: Mutex::default(), turn, waiting }
    }

    /// The key that a token names, or the only one if it names none.
    pub(super) async fn find(self: &Arc<Self>, id: Option<&str>) -> Result<Arc<DecodingKey>> {
        if let Some(key) = self.known(id) {
            self.read_if_due();
            return Ok(key);
        }
        self.read_once().await?;
        match self.known(id) {
            Some(key) => Ok(key),
            None if self.is_usable() => Err(refused("it is signed by none of the keys of the set")),
            None => Err(Error::new(Code::TenantKeysUnavailable, "the key set cannot be read now")),
        }
    }

    fn known(&self, id: Option<&str>) -> Option<Arc<DecodingKey>> {
        let keys = Arc::clone(&self.state.lock().keys);
        let found = match (id, keys.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        found.filter(|_| self.is_usable()).map(|found| Arc::clone(&found.key))
    }

    fn is_usable(&self) -> bool {
        self.is_within(USABLE, self.state.lock().read)
    }

    /// Whether `since` is known and at most `span` ago. A time in the future is none: the clock was set back.
    fn is_within(&self, span: Duration, since: Option<Timestamp>) -> bool {
        let now = self.clock.now();
        since.is_some_and(|since| since <= now && now.since(since) < span)
    }

    fn may_read(&self) -> bool {
        !self.is_within(PAUSE, self.state.lock().tried)
    }

    fn read_if_due(self: &Arc<Self>) {
        if self.is_within(DUE, self.state.lock().read) || !self.may_read() {
            return;
        }
        if let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() {
            tokio::spawn(Arc::clone(self).read(turn));
        }
    }

    /// Waits for the reading that is under way, or reads, unless that was done just now.
    async fn read_once(self: &Arc<Self>) -> Result<()> {
        let busy = |_| Error::new(Code::TenantKeysUnavailable, "too many requests wait for the key set");
        let _waiting = self.waiting.try_acquire().map_err(busy)?;
        let turn = Arc::clone(&self.turn).lock_owned().await;
        if self.may_read() {
            // A task of its own: a client that goes away does not end what others wait for.
            drop(tokio::spawn(Arc::clone(self).read(turn)).await);
        }
        Ok(())
    }

    async fn read(self: Arc<Self>, turn: OwnedMutexGuard<()>) {
        if !self.may_read() {
            return;
        }
        self.state.lock().tried = Some(self.clock.now());
        let bytes = match &self.place {
            Place::File(path) => tokio::task::spawn_blocking({
                let path = path.clone();
                move || fetch::file(&path)
            })
            .await
            .unwrap_or_else(|e| Err(e.to_string())),
            Place::Url(remote) => remote.get().await,
        };
        match bytes.and_then(|bytes| parse(&bytes, self.algorithm)) {
            Ok(keys) => {
                let mut state = self.state.lock();
                state.keys = Arc::new(keys);
                state.read = Some(self.clock.now());
            }
            Err(why) => {
                tracing::warn!(code = %Code::TenantKeysUnavailable, "the key set for tokens cannot be read: {why}");
            }
        }
        drop(turn);
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
