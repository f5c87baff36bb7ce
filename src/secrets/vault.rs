//! Secrets in the stores of clouds: small requests to their REST interfaces.
//!
//! A store says how its secrets are called and gives and takes one value by that name; what all have in common is here.
//! A value that is being replaced is a secret of its own, whose key ends in `_previous`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::{SecretKey, SecretScope, SecretsBackend, SecretsManager};
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::secret::{Secret, SecretBytes};
use remote::Times;

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "azure")]
mod azure_token;
mod endpoint;
#[cfg(feature = "gcp")]
mod gcp;
mod name;
mod remote;
#[cfg(any(feature = "aws", feature = "gcp"))]
mod signing;
#[cfg(test)]
#[cfg(all(feature = "aws", feature = "azure", feature = "gcp"))]
mod tests;

/// The `tracing` target of what has no caller that it could be told to.
const TARGET: &str = "greentic::secrets";

/// The store of a cloud.
#[async_trait]
trait Vault: Send + Sync + 'static {
    /// What it is called.
    const STORE: &'static str;

    /// How it calls a secret.
    fn name(&self, scope: &SecretScope, key: &SecretKey) -> Result<String>;

    /// The secret of this name, if it is there and may be used.
    async fn get(&self, name: &str) -> Result<Option<SecretBytes>>;

    /// Stores a secret under this name, made anew if it is not there.
    async fn put(&self, name: &str, value: &SecretBytes) -> Result<()>;
}

/// The store that was chosen; none if it is no cloud's.
pub(super) fn open(backend: SecretsBackend, environment: &Environment) -> Result<Option<Arc<dyn SecretsManager>>> {
    open_with(backend, environment, Times::default())
}

fn open_with(
    backend: SecretsBackend,
    environment: &Environment,
    times: Times,
) -> Result<Option<Arc<dyn SecretsManager>>> {
    Ok(match backend {
        #[cfg(feature = "aws")]
        SecretsBackend::Aws => Some(VaultSecrets::shared(aws::Aws::new(environment, times)?)),
        #[cfg(feature = "gcp")]
        SecretsBackend::Gcp => Some(VaultSecrets::shared(gcp::Gcp::new(environment, times)?)),
        #[cfg(feature = "azure")]
        SecretsBackend::Azure => Some(VaultSecrets::shared(azure::Azure::new(environment, times)?)),
        _ => None,
    })
}

/// The secrets of a store.
struct VaultSecrets<V> {
    vault: V,
    /// Whether it was told that values which are replaced may not be read.
    told: AtomicBool,
}

impl<V: Vault> VaultSecrets<V> {
    fn shared(vault: V) -> Arc<dyn SecretsManager> {
        Arc::new(Self { vault, told: AtomicBool::new(false) })
    }

    async fn find(&self, scope: &SecretScope, name: &str) -> Result<Option<SecretBytes>> {
        match SecretKey::parse(name) {
            Some(key) => self.vault.get(&self.vault.name(scope, &key)?).await,
            None => Ok(None),
        }
    }

    /// The value that a secret replaces. One that cannot be, or that this host may not have, is none: who lets a host have
    /// a secret by its name need not know of further ones.
    async fn find_previous(&self, scope: &SecretScope, name: &str) -> Result<Option<SecretBytes>> {
        let previous = SecretKey::parse(name).and_then(|key| key.previous());
        let Some(name) = previous.and_then(|key| self.vault.name(scope, &key).ok()) else { return Ok(None) };
        match self.vault.get(&name).await {
            Err(error) if error.code() == Code::SecretForbidden => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        target: TARGET,
                        "values that are being replaced are not read where this host may not have them: {error}"
                    );
                }
                Ok(None)
            }
            found => found,
        }
    }
}

#[async_trait]
impl<V: Vault> SecretsManager for VaultSecrets<V> {
    async fn read(&self, scope: &SecretScope, name: &str) -> Result<Vec<Secret>> {
        let (new, old) = tokio::try_join!(self.find(scope, name), self.find_previous(scope, name))?;
        let text = |value: SecretBytes| {
            value.to_text().ok_or_else(|| {
                Error::new(Code::SecretInvalid, format!("{} is not valid UTF-8", self.place(scope, name)))
                    .hint("store it anew")
            })
        };
        new.into_iter().chain(old).map(text).collect()
    }

    async fn read_bytes(&self, scope: &SecretScope, name: &str) -> Result<Vec<SecretBytes>> {
        Ok(self.find(scope, name).await?.into_iter().collect())
    }

    async fn write(&self, scope: &SecretScope, name: &str, value: &SecretBytes) -> Result<()> {
        let key = SecretKey::parse(name);
        let key = key.ok_or_else(|| Error::new(Code::SecretNotStored, "this can be no secret's name"))?;
        self.vault.put(&self.vault.name(scope, &key)?, value).await
    }

    fn place(&self, scope: &SecretScope, name: &str) -> String {
        let name = SecretKey::parse(name).and_then(|key| self.vault.name(scope, &key).ok());
        format!("{} {}", V::STORE, name.as_deref().unwrap_or("(no name that it can have)"))
    }

    /// Asks for a secret that nobody has: an answer, even that this host may not have it, proves that the store is there
    /// and knows this host.
    async fn check(&self) -> Result<()> {
        let nobody = SecretScope::of_tenant(&Id::from("_"), &Id::from("_"));
        match self.find(&nobody, "readiness").await {
            Err(error) if error.code() != Code::SecretForbidden => Err(error),
            _ => Ok(()),
        }
    }
}

/// The `setting` without which a store cannot be used.
fn required<'e>(environment: &'e Environment, names: &[&str], backend: SecretsBackend) -> Result<&'e str> {
    names.iter().find_map(|name| environment.get(name)).ok_or_else(|| {
        let message = format!("SECRETS_BACKEND is {}, and {} is not set", backend.name(), names.join(" or "));
        Error::new(Code::SecretsBackend, message).hint("docs/secrets.md lists the settings of each place for secrets")
    })
}
