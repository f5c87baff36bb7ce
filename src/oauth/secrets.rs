//! The tenant's secrets that the service itself needs. Components never get them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::secret::Secret;
use crate::secrets::{SecretScope, SecretsManager};

/// How long the place of secrets may take: whoever waits behind a question that is never answered would wait for ever.
const TIME: Duration = Duration::from_secs(5);

pub(super) struct Secrets {
    manager: Arc<dyn SecretsManager>,
    scope: SecretScope,
}

impl Secrets {
    pub(super) fn new(manager: Arc<dyn SecretsManager>, scope: SecretScope) -> Self {
        Self { manager, scope }
    }

    /// The values that are valid now, the newest first.
    pub(super) async fn values(&self, name: &str) -> Result<Vec<Secret>> {
        match tokio::time::timeout(TIME, self.manager.read(&self.scope, name)).await {
            Ok(values) => values,
            Err(_) => {
                let place = self.manager.place(&self.scope, name);
                let message = format!("no answer within {} s about the secret {place}", TIME.as_secs());
                Err(Error::new(Code::SecretUnavailable, message))
            }
        }
    }

    /// The value that is valid now.
    pub(super) async fn value(&self, name: &str) -> Result<Secret> {
        self.values(name).await?.into_iter().next().ok_or_else(|| self.missing(name))
    }

    pub(super) fn missing(&self, name: &str) -> Error {
        let message = format!("tenant {} has no secret {name}, which its `oauth` block names", self.scope.tenant);
        Error::new(Code::OAuthSecret, message).hint("set it where the host reads secrets, for this tenant")
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("scope", &self.scope).finish_non_exhaustive()
    }
}
