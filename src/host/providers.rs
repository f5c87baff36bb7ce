//! Providers that operators store, change and forget while the host runs, and how providers are.
//!
//! A change is a new program of the same packs: it holds as a whole or not at all, and runs that have begun go on as they
//! began.

pub mod health;
mod kept;
pub mod status;

use std::sync::Arc;
use std::time::Instant;

use super::RunnerHost;
use crate::error::{Code, Error, Result};
use crate::id::{self, Id, clip};
use crate::tenant::{Instance, Loaded, Tenant};
use health::ProvidersHealth;
use status::{ProviderStatus, ProvidersStatus};

/// Bytes of a provider's configuration.
const MAX_CONFIG: usize = 64 << 10;

/// A change of a tenant's stored providers.
enum Change<'a> {
    Put(Arc<Instance>),
    Enable(&'a str, bool),
    Forget(&'a str),
}

impl RunnerHost {
    /// The providers of every tenant, or of the one that is named: those of its packs, and those that are stored.
    ///
    /// # Errors
    ///
    /// `TenantUnknown`, or that the store cannot be read.
    pub async fn providers(&self, tenant: Option<&Id>) -> Result<ProvidersStatus> {
        let mut tenants = Vec::new();
        for id in self.tenants_or(tenant)? {
            let stored = self.stored_providers(&id).await?;
            tenants.push(status::of_tenant(self.tenants.get(&id)?, &stored));
        }
        Ok(ProvidersStatus { tenants })
    }

    /// Asks the providers of every tenant that has a pack, or of the one that is named, how they are. Each has a few
    /// seconds, and finds what it finds when a flow calls it, but for a session.
    ///
    /// # Errors
    ///
    /// `TenantUnknown`.
    pub async fn provider_health(&self, tenant: Option<&Id>) -> Result<ProvidersHealth> {
        let (end, mut tenants) = (Instant::now() + health::ALL, Vec::new());
        for id in self.tenants_or(tenant)? {
            if let Some(loaded) = self.tenants.get(&id)?.loaded() {
                tenants.push(health::of_program(&loaded.program, end).await);
            }
        }
        Ok(ProvidersHealth { tenants })
    }

    /// Stores a provider, in place of a stored one with its id. Its component must take its configuration.
    ///
    /// # Errors
    ///
    /// What is wrong with it: `StoredProvider`, or `ProviderConfig` with what its component complains of; that no pack is
    /// loaded that could implement it, or that it cannot be stored. Nothing is changed then.
    pub async fn put_provider(&self, tenant: &str, instance: Instance) -> Result<ProviderStatus> {
        check(&instance)?;
        let tenant = self.tenants.get(tenant)?;
        let instance = self.change_providers(tenant, Change::Put(Arc::new(instance))).await?;
        instance.map(|instance| status::of_stored(tenant, &instance)).ok_or_else(lost)
    }

    /// Lets flows call a stored provider, or keeps them from it.
    ///
    /// # Errors
    ///
    /// `ProviderNotStored`, and as [`RunnerHost::put_provider`].
    pub async fn enable_provider(&self, tenant: &str, id: &str, enabled: bool) -> Result<ProviderStatus> {
        let tenant = self.tenants.get(tenant)?;
        let instance = self.change_providers(tenant, Change::Enable(id, enabled)).await?;
        instance.map(|instance| status::of_stored(tenant, &instance)).ok_or_else(lost)
    }

    /// Forgets a stored provider. One of the packs with its id is called again.
    ///
    /// # Errors
    ///
    /// `ProviderNotStored`, or that it cannot be forgotten.
    pub async fn forget_provider(&self, tenant: &str, id: &str) -> Result<()> {
        self.change_providers(self.tenants.get(tenant)?, Change::Forget(id)).await.map(drop)
    }

    /// The providers that are stored for a tenant.
    pub(super) async fn stored_providers(&self, tenant: &Id) -> Result<Vec<Arc<Instance>>> {
        kept::all(&*self.store, tenant).await
    }

    /// Makes a change: prepares what comes of it, stores it, and puts it in place. What was put is returned.
    async fn change_providers(&self, tenant: &Tenant, change: Change<'_>) -> Result<Option<Arc<Instance>>> {
        let _changing = tenant.changing().await;
        let id = tenant.config().tenant();
        let before = self.stored_providers(id).await?;
        let (name, put) = match change {
            Change::Put(instance) => (instance.provider_id.clone(), Some(instance)),
            Change::Enable(name, enabled) => {
                let known = before.iter().find(|instance| instance.provider_id == name);
                let known = known.ok_or_else(|| unknown(id, name))?;
                (name.to_owned(), Some(Arc::new(Instance { enabled, ..(**known).clone() })))
            }
            Change::Forget(name) => (name.to_owned(), None),
        };
        match &put {
            Some(_) => kept::check_room(&before, &name)?,
            None if before.iter().any(|instance| instance.provider_id == name) => {}
            None => return Err(unknown(id, &name)),
        }
        let others = before.iter().filter(|instance| instance.provider_id != name).cloned();
        let after: Vec<_> = others.chain(put.clone()).collect();
        let prepared = match tenant.loaded() {
            Some(running) => Some(self.prepare_same(tenant, &running, &after).await?),
            None if put.is_some() => return Err(no_pack(id)),
            None => None,
        };
        if let (Some(_), Some(loaded)) = (&put, &prepared) {
            verdict(loaded, &name)?;
        }
        match &put {
            Some(instance) => kept::put(&*self.store, id, instance).await?,
            None => kept::forget(&*self.store, id, &name).await?,
        }
        if let Some(loaded) = prepared {
            // No component is told: all of them stay.
            tenant.swap(Some(Arc::new(loaded)));
        }
        Ok(put)
    }

    /// The packs that run, with other stored providers.
    async fn prepare_same(&self, tenant: &Tenant, running: &Loaded, stored: &[Arc<Instance>]) -> Result<Loaded> {
        let mut loaded = self.prepare(tenant, running.set.clone(), stored).await?;
        loaded.notes.extend(running.notes.iter().skip(running.prepared_notes).cloned());
        Ok(loaded)
    }

    /// The tenants that are meant, sorted.
    fn tenants_or(&self, tenant: Option<&Id>) -> Result<Vec<Id>> {
        match tenant {
            Some(tenant) => Ok(vec![self.tenants.get(tenant)?.config().tenant().clone()]),
            None => Ok(self.tenant_ids()),
        }
    }
}

/// What can be said of a provider without asking it.
fn check(instance: &Instance) -> Result<()> {
    id::parse("provider id", &instance.provider_id)?;
    id::parse("component id", &instance.component_ref)?;
    let invalid = |what: String| Err(Error::new(Code::StoredProvider, what));
    for (key, text) in
        [("provider_type", &instance.provider_type), ("export", &instance.export), ("world", &instance.world)]
    {
        if text.is_empty() || text.len() > id::MAX_LEN || text.chars().any(char::is_control) {
            return invalid(format!("`{key}` is empty, too long, or no plain text"));
        }
    }
    let size = serde_json::to_vec(&instance.config).map_or(usize::MAX, |config| config.len());
    if size > MAX_CONFIG {
        return invalid(format!("the configuration has {size} bytes; at most {MAX_CONFIG} are kept"));
    }
    Ok(())
}

/// Refuses a provider that could not be called if it were enabled.
fn verdict(loaded: &Loaded, id: &str) -> Result<()> {
    match loaded.program.provider(&Id::from(id)) {
        Err(error) if error.code() != Code::ProviderDisabled => Err(error),
        _ => Ok(()),
    }
}

fn unknown(tenant: &str, id: &str) -> Error {
    Error::new(Code::ProviderNotStored, format!("tenant {tenant} has no stored provider {:?}", clip(id)))
        .hint("list them with GET /admin/providers")
}

fn no_pack(tenant: &Id) -> Error {
    let message = format!("tenant {tenant} has no pack whose component could implement the provider");
    Error::new(Code::PackNotLoaded, message).hint("load its pack first")
}

fn lost() -> Error {
    Error::new(Code::Internal, "a provider that was stored is not there")
}
