//! Secrets: where the host finds the texts that nobody may see, tenant by tenant.
//!
//! In: whose secret is wanted, and its name. Out: its values that are valid now. The room knows no platform, no pack
//! and no wasm. Hosts ask a [`SecretsManager`] for what is theirs; what guests ask for is judged by a [`SecretsPolicy`]
//! before it is looked for, in [`GuestSecrets`]. A secret of one tenant is never given for another.

use async_trait::async_trait;

use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::secret::{Secret, SecretBytes};

mod backend;
mod cached;
mod env;
mod guest;
mod key;
mod policy;
mod refusal;
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
mod vault;

pub use backend::{SecretsBackend, open};
pub use cached::CachedSecrets;
pub use env::EnvSecrets;
pub(crate) use env::OF_HOST;
pub use guest::GuestSecrets;
pub use key::SecretKey;
pub use policy::{Asker, SecretsPolicy};
pub use refusal::{Refusal, RefusalKind, RefusalReason};

/// A directive for filters of logs: what finds credentials for the stores of clouds logs the answers of services that
/// give out tokens, whole. What its user has to know of them stands in errors.
pub const LOG_BOUND: &str = "reqsign=off";

/// Whose secret is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretScope {
    /// The deployment environment.
    pub env: Id,
    /// The tenant.
    pub tenant: Id,
    /// The team within the tenant, if the secret is a team's.
    pub team: Option<Id>,
    /// The pack, if the secret is one pack's.
    pub pack: Option<Id>,
    /// The user, if the secret is a user's.
    pub user: Option<Id>,
    /// Whether the tenant may also get a secret that belongs to no tenant in particular, because its bindings say
    /// `shared_secret: true`. Without it a secret without an owner is given to nobody but an only tenant.
    pub shared: bool,
}

impl SecretScope {
    /// A tenant's own secrets.
    pub fn of_tenant(env: &Id, tenant: &Id) -> Self {
        Self { env: env.clone(), tenant: tenant.clone(), team: None, pack: None, user: None, shared: false }
    }
}

/// A place where secrets are kept.
///
/// `name` is as the bindings spell it; places compare names as [`SecretKey`] does, as far as they can.
#[async_trait]
pub trait SecretsManager: Send + Sync + 'static {
    /// The values of a secret that are valid now, the newest first: more than one while it is replaced, none if there is
    /// no such secret.
    ///
    /// # Errors
    ///
    /// `SecretUnavailable` if the place cannot be asked now, `SecretInvalid` if what it holds is no text.
    async fn read(&self, scope: &SecretScope, name: &str) -> Result<Vec<Secret>>;

    /// The same where a value need not be text.
    ///
    /// # Errors
    ///
    /// `SecretUnavailable` if the place cannot be asked now.
    async fn read_bytes(&self, scope: &SecretScope, name: &str) -> Result<Vec<SecretBytes>> {
        Ok(self.read(scope, name).await?.into_iter().map(SecretBytes::from).collect())
    }

    /// Stores a value in place of the newest one.
    ///
    /// # Errors
    ///
    /// `SecretNotStored` if the place cannot be written, `SecretUnavailable` if it cannot be asked now.
    async fn write(&self, _scope: &SecretScope, name: &str, _value: &SecretBytes) -> Result<()> {
        Err(Error::new(Code::SecretNotStored, format!("{name} cannot be stored: this place for secrets is only read"))
            .hint("use a place for secrets that can be written, such as SECRETS_BACKEND=aws"))
    }

    /// Where a secret is looked for, for people: a name, and never a value.
    fn place(&self, scope: &SecretScope, name: &str) -> String {
        let owners = [("team", &scope.team), ("pack", &scope.pack), ("user", &scope.user)];
        let owners = owners.into_iter().filter_map(|(what, id)| Some(format!(", {what} {}", id.as_deref()?)));
        format!("{name} of tenant {}{}", scope.tenant, owners.collect::<String>())
    }

    /// Whether the place can be asked at all.
    ///
    /// # Errors
    ///
    /// Why not.
    async fn check(&self) -> Result<()> {
        Ok(())
    }
}
