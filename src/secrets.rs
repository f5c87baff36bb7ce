//! Secrets: where the host finds the texts that nobody may see, tenant by tenant.
//!
//! In: whose secret is wanted, and its name. Out: its values that are valid now. The room knows no platform, no pack
//! and no guest; what may be read is decided by whoever asks. A secret of one tenant is never given for another.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::Id;
use crate::secret::Secret;

mod env;

pub use env::EnvSecrets;

/// Whose secret is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretScope {
    /// The deployment environment.
    pub env: Id,
    /// The tenant.
    pub tenant: Id,
    /// The team within the tenant, if the secret is a team's.
    pub team: Option<Id>,
    /// The user, if the secret is a user's.
    pub user: Option<Id>,
    /// Whether the tenant may also get a secret that belongs to no tenant in particular, because its bindings say
    /// `shared_secret: true`. Without it a secret without an owner is given to nobody but an only tenant.
    pub shared: bool,
}

impl SecretScope {
    /// A tenant's own secrets.
    pub fn of_tenant(env: &Id, tenant: &Id) -> Self {
        Self { env: env.clone(), tenant: tenant.clone(), team: None, user: None, shared: false }
    }
}

/// A place where secrets are kept.
#[async_trait]
pub trait SecretsManager: Send + Sync + 'static {
    /// The values of a secret that are valid now, the newest first: more than one while it is replaced, none if there is
    /// no such secret.
    ///
    /// # Errors
    ///
    /// `SecretUnavailable` if the place cannot be asked now, `SecretInvalid` if what it holds is no text.
    async fn read(&self, scope: &SecretScope, name: &str) -> Result<Vec<Secret>>;
}
