//! Which place secrets are kept at, as the environment chooses it.

use std::sync::Arc;

use super::{EnvSecrets, SecretsManager};
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::id::Id;

/// A place where secrets are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretsBackend {
    /// `env`: variables of the process.
    #[default]
    Env,
    /// `aws`: AWS Secrets Manager.
    Aws,
    /// `gcp`: Google Secret Manager.
    Gcp,
    /// `azure`: Azure Key Vault.
    Azure,
}

impl SecretsBackend {
    /// Every place.
    pub const ALL: [Self; 4] = [Self::Env, Self::Aws, Self::Gcp, Self::Azure];

    /// Its name, which is also that of the Cargo feature that it takes, but for `env`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Env => "env",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
        }
    }

    /// The place of this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.name().eq_ignore_ascii_case(name.trim()))
    }

    /// Whether this host was built with it.
    pub fn is_built(self) -> bool {
        match self {
            Self::Env => true,
            Self::Aws => cfg!(feature = "aws"),
            Self::Gcp => cfg!(feature = "gcp"),
            Self::Azure => cfg!(feature = "azure"),
        }
    }
}

/// Opens the place, for these tenants; `environment` says how it is reached.
///
/// # Errors
///
/// `SecretsBackend` if this host was built without it, or its settings do not suffice; `SecretsAmbiguous` if two tenants
/// have the same variables.
pub fn open<'a>(
    backend: SecretsBackend,
    tenants: impl IntoIterator<Item = &'a Id>,
    environment: &Environment,
) -> Result<Arc<dyn SecretsManager>> {
    if !backend.is_built() {
        let name = backend.name();
        let message = format!("SECRETS_BACKEND is {name}, and this host was built without it");
        return Err(Error::new(Code::SecretsBackend, message).hint(format!("build it with the feature {name}")));
    }
    #[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
    if let Some(vault) = super::vault::open(backend, environment)? {
        return Ok(vault);
    }
    let _ = environment;
    Ok(Arc::new(EnvSecrets::new(tenants)?))
}
