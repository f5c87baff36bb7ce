//! What is kept for owners, encrypted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use zeroize::Zeroizing;

use super::seal::{Keys, Opened};
use super::secrets::Secrets;
use crate::clock::{Clock, Timestamp};
use crate::error::{Code, Error, Kind, Result};
use crate::store::{Store, VaultEntry};

pub(super) struct Vault {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    secrets: Arc<Secrets>,
    /// The secret that holds the key, by its name.
    key: String,
    /// Takes the secret's place where it may be missing: what is kept is then gone with the process.
    fleeting: Option<Arc<Keys>>,
}

/// The keys in hand, before something is asked for that is had once: what comes of it can then be kept, whatever becomes
/// meanwhile of the place where the keys are read.
pub(super) struct Ready(Arc<Keys>);

/// What is kept: where, and to whom it is bound.
pub(super) struct Place {
    pub(super) key: String,
    pub(super) bound: Vec<u8>,
}

impl Vault {
    /// A vault with a key of its own where the secret is missing and `may_forget`.
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        secrets: Arc<Secrets>,
        key: String,
        may_forget: bool,
    ) -> Result<Self> {
        let fleeting = if may_forget { Some(Arc::new(Keys::fleeting()?)) } else { None };
        Ok(Self { store, clock, secrets, key, fleeting })
    }

    /// The keys.
    ///
    /// # Errors
    ///
    /// `OAuthSecret` if there are none, or what there is is none.
    pub(super) async fn keys(&self) -> Result<Arc<Keys>> {
        let keys = Keys::of(&self.key, &self.secrets.values(&self.key).await?)?;
        match &self.fleeting {
            _ if !keys.is_empty() => Ok(Arc::new(keys)),
            Some(fleeting) => Ok(Arc::clone(fleeting)),
            None => Err(self.secrets.missing(&self.key).hint(
                "set it to 32 random bytes, as `openssl rand -base64 32` prints them: stored tokens are encrypted with it",
            )),
        }
    }

    fn is_fleeting(&self, keys: &Arc<Keys>) -> bool {
        self.fleeting.as_ref().is_some_and(|fleeting| Arc::ptr_eq(fleeting, keys))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes the keys in hand.
    ///
    /// # Errors
    ///
    /// As [`Self::keys`].
    pub(super) async fn ready(&self) -> Result<Ready> {
        self.keys().await.map(Ready)
    }

    pub(super) async fn put(&self, place: &Place, plain: &[u8], keep: Option<Duration>) -> Result<()> {
        self.put_with(&*self.keys().await?, place, plain, keep).await
    }

    /// The same for what cannot be had again. It is sealed with the key that is the newest now, or if none can be read, or
    /// there is none any more, with the one in hand; a store that fails for a while is asked again.
    pub(super) async fn put_surely(
        &self,
        ready: &Ready,
        place: &Place,
        plain: &[u8],
        keep: Option<Duration>,
    ) -> Result<()> {
        let keys = match self.keys().await {
            // What that one seals is gone with the process.
            Ok(keys) if self.is_fleeting(&keys) => Arc::clone(&ready.0),
            Ok(keys) => keys,
            Err(error) => {
                tracing::warn!(target: super::TARGET, %error, "sealed with the key that was read before");
                Arc::clone(&ready.0)
            }
        };
        surely(|| self.put_with(&keys, place, plain, keep)).await
    }

    async fn put_with(&self, keys: &Keys, place: &Place, plain: &[u8], keep: Option<Duration>) -> Result<()> {
        let value = keys.seal(&place.bound, plain)?;
        let expires_at = keep.map(|keep| self.now().plus(keep));
        self.store.vault_put(VaultEntry { key: place.key.clone(), value: value.into(), expires_at }).await
    }

    /// What is kept there. What no key opens any more is none, and said.
    pub(super) async fn get(&self, place: &Place) -> Result<Option<Opened>> {
        let Some(sealed) = self.store.vault_get(&place.key, self.now()).await? else { return Ok(None) };
        opened(self.keys().await?.open(&place.bound, &sealed))
    }

    /// The same, and nobody gets it a second time.
    pub(super) async fn take(&self, place: &Place) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let keys = self.keys().await?;
        let Some(sealed) = self.store.vault_take(&place.key, self.now()).await? else { return Ok(None) };
        Ok(opened(keys.open(&place.bound, &sealed))?.map(|opened| opened.plain))
    }

    pub(super) async fn forget(&self, place: &Place) -> Result<()> {
        self.store.vault_take(&place.key, self.now()).await.map(drop)
    }
}

/// Does what must not fail for a moment's sake: what does not answer now is asked again, for about a minute.
pub(super) async fn surely<T, F: Future<Output = Result<T>>>(work: impl FnMut() -> F) -> Result<T> {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(18);
    work.retry(pauses).when(|error: &Error| error.code().kind() == Kind::Unavailable).await
}

fn opened(opened: Result<Opened>) -> Result<Option<Opened>> {
    match opened {
        Err(error) if error.code() == Code::OAuthSealed => {
            tracing::warn!(target: super::TARGET, %error, "something stored is of no use any more");
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::clock::ManualClock;
    use crate::id::Id;
    use crate::secret::Secret;
    use crate::secrets::{SecretScope, SecretsManager};
    use crate::store::MemoryStore;

    /// Has a key, or none.
    struct Shelf(AtomicBool);

    #[async_trait::async_trait]
    impl SecretsManager for Shelf {
        async fn read(&self, _: &SecretScope, _: &str) -> Result<Vec<Secret>> {
            let key = self.0.load(Ordering::SeqCst).then(|| Secret::new("01".repeat(32)));
            Ok(key.into_iter().collect())
        }
    }

    #[tokio::test]
    async fn what_cannot_be_had_again_is_sealed_with_a_key_that_stays() {
        let shelf = Arc::new(Shelf(AtomicBool::new(true)));
        let scope = SecretScope::of_tenant(&Id::from("dev"), &Id::from("t"));
        let secrets = Arc::new(Secrets::new(Arc::clone(&shelf) as _, scope));
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let store = Arc::new(MemoryStore::default());
        let vault = Vault::new(store, clock, secrets, "K".to_owned(), true).unwrap();
        let place = Place { key: "k".to_owned(), bound: b"owner".to_vec() };
        let ready = vault.ready().await.unwrap();
        shelf.0.store(false, Ordering::SeqCst);
        vault.put_surely(&ready, &place, b"canary", None).await.unwrap();
        assert!(vault.get(&place).await.unwrap().is_none(), "it is not sealed with what the process forgets");
        shelf.0.store(true, Ordering::SeqCst);
        assert_eq!(&**vault.get(&place).await.unwrap().unwrap().plain, b"canary");
    }
}
