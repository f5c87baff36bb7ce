//! The public keys that platforms sign their tokens with: fetched where a channel says that they are published, kept for
//! a day, and fetched again when a token names one that is missing, at most once an hour.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::Value;
use url::Url;

use super::fetch::Remote;
use super::refreshed::{Busy, Pace, Refreshed, Source};
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::ingress::keys::PublishedKeys;

const HOUR: Duration = Duration::from_secs(3600);

const PACE: Pace = Pace {
    pause: HOUR,
    pause_after_failure: Duration::from_secs(30),
    due: Duration::from_secs(24 * 3600),
    // A platform's keys stay the same for months. Without new ones it is better to go on than to be off.
    usable: Duration::from_secs(7 * 24 * 3600),
    what: "a platform's key set",
};

/// The most keys of a set.
const MOST_KEYS: usize = 100;

/// The key sets of all platforms, by the URL that leads to them. Tenants share them.
pub(super) struct PlatformKeys {
    sets: Mutex<HashMap<String, Arc<Refreshed<PublishedKeys>>>>,
    clock: Arc<dyn Clock>,
}

impl PlatformKeys {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { sets: Mutex::default(), clock }
    }

    /// The keys as far as they were fetched.
    pub(super) fn known(&self, url: &str) -> Result<Option<Arc<PublishedKeys>>> {
        let set = self.set(url)?;
        let known = set.value();
        if known.is_some() {
            set.read_if_due();
        }
        Ok(known)
    }

    /// The keys, fetched anew if that was not done just now.
    pub(super) async fn renewed(&self, url: &str) -> Result<Arc<PublishedKeys>> {
        let set = self.set(url)?;
        let cannot = |why: &str| Error::new(Code::KeysWanted, format!("the keys of {}: {why}", shown(url)));
        set.read_once().await.map_err(|Busy| cannot("too many requests wait for them"))?;
        set.value().ok_or_else(|| cannot("they cannot be fetched now"))
    }

    fn set(&self, url: &str) -> Result<Arc<Refreshed<PublishedKeys>>> {
        let mut sets = self.sets.lock();
        if let Some(set) = sets.get(url) {
            return Ok(Arc::clone(set));
        }
        let cannot =
            |why: String| Error::new(Code::KeysWanted, format!("the keys of {} cannot be fetched: {why}", shown(url)));
        let parsed = Url::parse(url).map_err(|e| cannot(e.to_string()))?;
        if !matches!(parsed.scheme(), "https" | "http") {
            return Err(cannot("this is no URL of https".into()));
        }
        let set = Refreshed::new(Published(Remote::new(parsed).map_err(cannot)?), PACE, Arc::clone(&self.clock));
        sets.insert(url.to_owned(), Arc::clone(&set));
        Ok(set)
    }
}

/// A URL in an error, without what might be secret.
fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// A key set, or an OpenID configuration that leads to one.
struct Published(Remote);

#[async_trait]
impl Source<PublishedKeys> for Published {
    async fn read(&self) -> Result<PublishedKeys, String> {
        let mut document = parse(&self.0.get().await?)?;
        if let Some(url) = document.get("jwks_uri").filter(|_| document.get("keys").is_none()) {
            let url = url.as_str().and_then(|url| Url::parse(url).ok()).ok_or("its jwks_uri is no URL")?;
            document = parse(&self.0.get_at(url).await?)?;
        }
        let Some(Value::Array(keys)) = document.get_mut("keys").map(Value::take) else {
            return Err("it has no list of keys".into());
        };
        if keys.len() > MOST_KEYS {
            return Err(format!("it has more than {MOST_KEYS} keys"));
        }
        let keys = PublishedKeys::of(keys);
        if keys.is_empty() { Err("it has no usable key".into()) } else { Ok(keys) }
    }
}

fn parse(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|e| format!("it is not JSON: {e}"))
}

#[cfg(test)]
mod tests;
