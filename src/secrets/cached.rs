//! Secrets that were read are kept for a while, and many who want the same one at once ask once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::future::Cache;
use moka::ops::compute::Op;
use tokio::sync::Mutex;

use super::{SecretScope, SecretsManager};
use crate::clock::{Clock, Timestamp};
use crate::error::{Code, Error, Result};
use crate::secret::{Secret, SecretBytes};

/// Secrets that are kept at most.
const MOST: u64 = 10_000;
/// How long it is believed that a secret is not there.
const ABSENT: Duration = Duration::from_secs(10);
/// How long a failure stands for further questions. It spares a place that is down or limits its rate.
const FAILED: Duration = Duration::from_secs(1);

/// A place for secrets that is asked anew when what it said has become old. A secret that is changed there takes effect
/// after that time, without a restart.
pub struct CachedSecrets {
    inner: Arc<dyn SecretsManager>,
    clock: Arc<dyn Clock>,
    ttl: Duration,
    kept: Cache<Asked, Kept>,
    checked: Mutex<Option<(Timestamp, Result<()>)>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Asked {
    scope: SecretScope,
    name: String,
    /// Whether the values have to be text, all of them; else the newest will do.
    texts: bool,
}

#[derive(Clone)]
struct Kept {
    at: Timestamp,
    found: Result<Arc<[SecretBytes]>>,
}

impl CachedSecrets {
    /// What `inner` says, for `ttl`.
    pub fn new(inner: Arc<dyn SecretsManager>, clock: Arc<dyn Clock>, ttl: Duration) -> Self {
        // What nobody asks for any more leaves the memory.
        let kept = Cache::builder().max_capacity(MOST).time_to_live(ttl.max(FAILED)).build();
        Self { inner, clock, ttl, kept, checked: Mutex::default() }
    }

    async fn find(&self, asked: Asked) -> Result<Arc<[SecretBytes]>> {
        if let Some(kept) = self.kept.get(&asked).await
            && self.is_fresh(&kept)
        {
            return kept.found;
        }
        // One after another for one secret: who waited finds what the first one found.
        let answered = self.kept.entry(asked.clone()).and_compute_with(|entry| async {
            let known = entry.map(moka::Entry::into_value);
            match known.filter(|kept| self.is_fresh(kept)) {
                Some(_) => Op::Nop,
                None => Op::Put(self.ask(&asked).await),
            }
        });
        match answered.await.into_entry() {
            Some(entry) => entry.into_value().found,
            None => Err(Error::new(Code::Internal, "a secret was read and not kept")),
        }
    }

    async fn ask(&self, asked: &Asked) -> Kept {
        let Asked { scope, name, texts } = asked;
        let found = match texts {
            true => self.inner.read(scope, name).await.map(|all| all.into_iter().map(SecretBytes::from).collect()),
            false => self.inner.read_bytes(scope, name).await.map(Arc::from),
        };
        Kept { at: self.clock.now(), found }
    }

    fn is_fresh(&self, kept: &Kept) -> bool {
        let good_for = match &kept.found {
            Ok(found) if !found.is_empty() => self.ttl,
            Ok(_) => self.ttl.min(ABSENT),
            Err(_) => self.ttl.min(FAILED),
        };
        is_within(kept.at, self.clock.now(), good_for)
    }
}

/// Whether `now` is less than `long` after `at`. A clock that was set back makes everything old.
fn is_within(at: Timestamp, now: Timestamp, long: Duration) -> bool {
    now >= at && now.since(at) < long
}

#[async_trait]
impl SecretsManager for CachedSecrets {
    async fn read(&self, scope: &SecretScope, name: &str) -> Result<Vec<Secret>> {
        let found = self.find(Asked { scope: scope.clone(), name: name.to_owned(), texts: true }).await?;
        Ok(found.iter().filter_map(SecretBytes::to_text).collect())
    }

    async fn read_bytes(&self, scope: &SecretScope, name: &str) -> Result<Vec<SecretBytes>> {
        let found = self.find(Asked { scope: scope.clone(), name: name.to_owned(), texts: false }).await?;
        Ok(found.to_vec())
    }

    async fn write(&self, scope: &SecretScope, name: &str, value: &SecretBytes) -> Result<()> {
        self.inner.write(scope, name, value).await?;
        for texts in [false, true] {
            let asked = Asked { scope: scope.clone(), name: name.to_owned(), texts };
            // Behind whoever reads the old value right now.
            self.kept.entry(asked).and_compute_with(|_| async { Op::Remove }).await;
        }
        Ok(())
    }

    fn place(&self, scope: &SecretScope, name: &str) -> String {
        self.inner.place(scope, name)
    }

    async fn check(&self) -> Result<()> {
        let mut checked = self.checked.lock().await;
        let now = self.clock.now();
        let good_for = |known: &Result<()>| if known.is_ok() { self.ttl } else { self.ttl.min(FAILED) };
        if let Some((at, known)) = &*checked
            && is_within(*at, now, good_for(known))
        {
            return known.clone();
        }
        let found = self.inner.check().await;
        *checked = Some((self.clock.now(), found.clone()));
        found
    }
}

impl fmt::Debug for CachedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedSecrets").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}
