//! Opening the channels of tenants: reading the secrets that their adapters ask for.

use std::collections::HashMap;
use std::sync::Arc;

use super::Backend;
use crate::config::HostConfig;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::ingress::Channels;
use crate::ingress::registry::{Adapters, KnownSecrets};
use crate::secrets::{SecretScope, SecretsManager};

/// How often adapters may ask for further secrets because of those that they got.
const ROUNDS: usize = 8;

/// The channels that a tenant's bindings open, set up with the tenant's secrets.
pub async fn open_channels(
    adapters: &Adapters,
    config: &HostConfig,
    secrets: &dyn SecretsManager,
    env: &Id,
) -> Result<Channels> {
    let mut known = KnownSecrets::default();
    for _ in 0..ROUNDS {
        let opened = adapters.open(config, &known);
        let wanted = known.take_wanted();
        if wanted.is_empty() {
            return opened;
        }
        for wanted in wanted {
            let scope = SecretScope { shared: wanted.shared, ..SecretScope::of_tenant(env, config.tenant()) };
            let values = secrets.read(&scope, &wanted.name).await?;
            known.insert(wanted, values);
        }
    }
    adapters.open(config, &known)
}

/// The channels of every tenant of a host.
pub(super) async fn of_all(adapters: &Adapters, backend: &dyn Backend) -> Result<HashMap<Id, Arc<Channels>>> {
    let (secrets, env) = (backend.secrets(), backend.env());
    let mut all = HashMap::new();
    let mut failed: Vec<Error> = Vec::new();
    for config in backend.tenants().iter().filter_map(|tenant| backend.config(tenant)) {
        match open_channels(adapters, &config, &*secrets, &env).await {
            Ok(channels) => {
                let channels = if backend.is_loopback() { channels.with_loopback(adapters) } else { channels };
                all.insert(config.tenant().clone(), Arc::new(channels));
            }
            Err(error) => failed.push(error),
        }
    }
    match failed.first().map(Error::code) {
        None => Ok(all),
        Some(code) => Err(Error::from_many(code, "channels of several tenants cannot be opened", failed)),
    }
}
