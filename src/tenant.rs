//! Tenants: each has its configuration and, once a pack is loaded, an immutable [`Program`] that is swapped as a whole.
//!
//! In: a configuration and the path of a pack. Out: the program that runs execute, or every reason why there is none.
//! A failing load leaves the tenant's program as it was, and all other tenants alone.

mod catalog;
mod exported;
mod farewell;
pub mod load;
pub(crate) mod provider;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::config::HostConfig;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::run::program::{Program, Programs};

/// The tenants of a host.
#[derive(Debug, Default)]
pub struct Tenants {
    tenants: HashMap<Id, Tenant>,
}

/// A tenant.
#[derive(Debug)]
pub struct Tenant {
    config: Arc<HostConfig>,
    loaded: ArcSwapOption<Loaded>,
}

/// A loaded pack and what is odd about it.
#[derive(Debug)]
pub struct Loaded {
    /// What runs execute.
    pub program: Arc<Program>,
    /// What is wrong with the pack without refusing it: disabled flows, refused components, odd files.
    pub notes: Vec<Error>,
    /// The names of the secrets that the pack cannot do without.
    pub required_secrets: Vec<String>,
}

impl Tenants {
    /// Tenants of these configurations.
    pub fn new(configs: Vec<HostConfig>) -> Result<Self> {
        let mut tenants = HashMap::new();
        for config in configs {
            let id = config.tenant().clone();
            let tenant = Tenant { config: Arc::new(config), loaded: ArcSwapOption::empty() };
            if tenants.insert(id.clone(), tenant).is_some() {
                return Err(Error::new(Code::DuplicateTenant, format!("two bindings are for tenant {id}"))
                    .hint("give each tenant one bindings file"));
            }
        }
        if tenants.is_empty() {
            return Err(Error::new(Code::NoTenants, "the host has no tenant")
                .hint("add bindings with HostBuilder::with_config, or --bindings"));
        }
        Ok(Self { tenants })
    }

    /// A tenant by its id.
    pub fn get(&self, tenant: &str) -> Result<&Tenant> {
        self.tenants.get(tenant).ok_or_else(|| {
            let mut known: Vec<_> = self.tenants.keys().map(AsRef::as_ref).collect();
            known.sort_unstable();
            Error::new(Code::TenantUnknown, format!("tenant {:?} is not known", crate::id::clip(tenant)))
                .hint(format!("known tenants: {}", known.join(", ")))
        })
    }

    /// All tenants, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Id, &Tenant)> {
        self.tenants.iter()
    }
}

impl Tenant {
    /// Its configuration.
    pub fn config(&self) -> &Arc<HostConfig> {
        &self.config
    }

    /// Its pack, if one is loaded.
    pub fn loaded(&self) -> Option<Arc<Loaded>> {
        self.loaded.load_full()
    }

    /// Swaps its pack and gives the old one back. Runs that have begun go on with that.
    pub fn swap(&self, loaded: Option<Loaded>) -> Option<Arc<Loaded>> {
        self.loaded.swap(loaded.map(Arc::new))
    }
}

impl Programs for Tenants {
    fn program(&self, tenant: &str) -> Option<Arc<Program>> {
        self.tenants.get(tenant)?.loaded.load().as_ref().map(|loaded| Arc::clone(&loaded.program))
    }
}
