//! The secrets that loaded packs need: whether they are there.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use parking_lot::Mutex;

use super::RunnerHost;
use crate::error::{Code, Error};
use crate::id::Id;
use crate::secrets::Asker;
use crate::tenant::{Loaded, Tenant, Tenants};

/// Secrets that are looked for at once.
const AT_ONCE: usize = 8;

/// What was last seen of the secrets that packs need.
pub(super) struct SecretsWatch {
    tenants: Arc<Tenants>,
    env: Id,
    looking: tokio::sync::Mutex<()>,
    lacking: Mutex<HashMap<Id, Lacking>>,
}

/// What a tenant's packs lack.
#[derive(Clone, Debug, Default)]
pub struct Lacking {
    /// The names of the secrets that are not there, or that the bindings do not allow.
    pub missing: Vec<String>,
    /// What is known of each, and of those of which nothing can be said now.
    pub reasons: Vec<Error>,
}

impl SecretsWatch {
    pub(super) fn new(tenants: Arc<Tenants>, env: Id) -> Self {
        Self { tenants, env, looking: tokio::sync::Mutex::default(), lacking: Mutex::default() }
    }

    /// Looks for the secrets of every tenant's packs.
    pub(super) async fn look(&self) {
        // Who comes while somebody looks waits for what that one finds.
        let Ok(_looking) = self.looking.try_lock() else {
            let _looked = self.looking.lock().await;
            return;
        };
        for (id, tenant) in self.tenants.iter() {
            let found = match tenant.loaded() {
                Some(loaded) => self.look_for(id, tenant, &loaded).await,
                None => Lacking::default(),
            };
            let known = self.lacking.lock().insert(id.clone(), found.clone()).unwrap_or_default();
            // Once, and not with every look.
            for reason in found.reasons.iter().filter(|new| !known.reasons.iter().any(|old| is_same(old, new))) {
                tracing::warn!(code = %reason.code(), tenant = %id, "{reason}");
            }
        }
    }

    async fn look_for(&self, id: &Id, tenant: &Tenant, loaded: &Loaded) -> Lacking {
        let none = Id::from("");
        let asker = Asker {
            env: &self.env,
            tenant: id,
            pack: &loaded.program.pack,
            component: &none,
            flow_type: None,
            user: None,
        };
        let secrets = tenant.services().secrets.as_ref();
        let looked = stream::iter(loaded.required_secrets())
            .map(|name| async move {
                let found = secrets.check(&asker, &name).await;
                (name, found)
            })
            .buffered(AT_ONCE);
        let lacking = looked.fold(Lacking::default(), async |mut lacking, (name, found)| {
            if let Err(reason) = found {
                if reason.code() == Code::SecretMissing {
                    lacking.missing.push(name);
                }
                lacking.reasons.push(reason);
            }
            lacking
        });
        lacking.await
    }
}

fn is_same(one: &Error, other: &Error) -> bool {
    (one.code(), one.message()) == (other.code(), other.message())
}

impl RunnerHost {
    /// Looks whether the secrets that loaded packs need are there. What is known from before is shown meanwhile.
    pub async fn look_for_secrets(&self) {
        self.secrets_watch.look().await;
    }

    /// What a tenant's packs lacked of secrets when it was last looked.
    pub fn lacking_secrets(&self, tenant: &str) -> Lacking {
        self.secrets_watch.lacking.lock().get(tenant).cloned().unwrap_or_default()
    }

    /// Looks in the background.
    pub(super) fn look_for_secrets_later(&self) {
        let watch = Arc::clone(&self.secrets_watch);
        tokio::spawn(async move { watch.look().await });
    }
}
