//! Secrets in the stores of clouds: small requests to their REST interfaces.
//!
//! A store says how its secrets are called and gives and takes one value by that name; what all have in common is here.
//! A value that is being replaced is a secret of its own, whose key ends in `_previous`.

use std::sync::Arc;

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

/// What is behind the name of a secret that is being replaced.
const PREVIOUS: &str = "_previous";

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
        SecretsBackend::Aws => Some(Arc::new(VaultSecrets(aws::Aws::new(environment, times)?))),
        #[cfg(feature = "gcp")]
        SecretsBackend::Gcp => Some(Arc::new(VaultSecrets(gcp::Gcp::new(environment, times)?))),
        #[cfg(feature = "azure")]
        SecretsBackend::Azure => Some(Arc::new(VaultSecrets(azure::Azure::new(environment, times)?))),
        _ => None,
    })
}

/// The secrets of a store.
struct VaultSecrets<V>(V);

impl<V: Vault> VaultSecrets<V> {
    async fn find(&self, scope: &SecretScope, name: &str) -> Result<Option<SecretBytes>> {
        match SecretKey::parse(name) {
            Some(key) => self.0.get(&self.0.name(scope, &key)?).await,
            None => Ok(None),
        }
    }
}

#[async_trait]
impl<V: Vault> SecretsManager for VaultSecrets<V> {
    async fn read(&self, scope: &SecretScope, name: &str) -> Result<Vec<Secret>> {
        let previous = format!("{name}{PREVIOUS}");
        let (new, old) = tokio::try_join!(self.find(scope, name), self.find(scope, &previous))?;
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
        self.0.put(&self.0.name(scope, &key)?, value).await
    }

    fn place(&self, scope: &SecretScope, name: &str) -> String {
        let name = SecretKey::parse(name).and_then(|key| self.0.name(scope, &key).ok());
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
