//! Tenants: each has its configuration and, once a pack is loaded, an immutable [`Program`] that is swapped as a whole.
//!
//! In: a configuration and the path of a pack. Out: the program that runs execute, or every reason why there is none.
//! A failing load leaves the tenant's program as it was, and all other tenants alone.

mod catalog;
mod claims;
mod exported;
mod hooks;
pub mod load;
mod overlaid;
pub(crate) mod provider;
mod set;
pub(crate) mod stored;
#[cfg(feature = "mcp")]
mod tools;
mod unmet;
mod wasi;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::abi::Registry;
use crate::capabilities::services::Services;
use crate::config::HostConfig;
use crate::error::{Code, Error, Result};
use crate::flow::doc::FlowKind;
use crate::id::Id;
use crate::oauth::{self, OAuth};
use crate::outbound::Outbound;
use crate::pack::model::Digest;
use crate::run::program::{Program, Programs};
#[cfg(feature = "mcp")]
use crate::secrets::SecretScope;
use crate::secrets::{GuestSecrets, SecretsManager};
use crate::telemetry::Metrics;

pub use set::{PackSet, Sourced};
pub use stored::Instance;

/// The tenants of a host.
#[derive(Debug, Default)]
pub struct Tenants {
    tenants: HashMap<Id, Tenant>,
}

/// A tenant.
#[derive(Debug)]
pub struct Tenant {
    config: Arc<HostConfig>,
    services: Services,
    loaded: ArcSwapOption<Loaded>,
    /// Its MCP servers, which outlive the packs too.
    #[cfg(feature = "mcp")]
    servers: std::sync::OnceLock<Arc<crate::mcp::Servers>>,
    /// Held by whoever changes what is loaded, from the moment at which it looks at what there is.
    changing: tokio::sync::Mutex<()>,
}

/// Loaded packs and what is odd about them.
#[derive(Debug)]
pub struct Loaded {
    /// What runs execute.
    pub program: Arc<Program>,
    /// What is wrong with the packs without refusing them: disabled flows, refused components, odd files.
    pub notes: Vec<Error>,
    /// How many of the notes are about what was prepared; the others came later.
    pub prepared_notes: usize,
    /// The packs themselves, so that overlays can change without the main pack being read again.
    pub set: PackSet,
}

impl Loaded {
    /// Whether the packs are those of these digests, in this order. Then loading them again would change nothing,
    /// unless components lie beside the packs, of which a pack's digest does not speak.
    pub fn same_packs(&self, digests: &[Digest]) -> bool {
        self.set.packs().map(|sourced| sourced.pack.digest).eq(digests.iter().copied())
    }

    /// Whether `set` has the same main pack, and other overlays: then what both have in common just goes on.
    pub fn stays_in(&self, set: &PackSet) -> bool {
        let same = |(one, other): (&Sourced, &Sourced)| one.has_same_content(other);
        let (own, new) = (&self.set.overlays, &set.overlays);
        same((&self.set.main, &set.main)) && !(own.len() == new.len() && own.iter().zip(new).all(same))
    }

    /// The secrets that the packs ask for, sorted.
    pub fn required_secrets(&self) -> Vec<String> {
        self.set.secrets()
    }
}

impl Tenants {
    /// Tenants of these configurations, whose secrets are kept there.
    pub fn new(configs: Vec<HostConfig>, secrets: &Arc<dyn SecretsManager>) -> Result<Self> {
        let mut tenants = HashMap::new();
        for config in configs {
            let id = config.tenant().clone();
            let policy = config.secrets_policy().by_types(|name| FlowKind::named(name).map(FlowKind::name));
            let services = Services {
                http: Arc::new(Outbound::new(config.outbound())),
                secrets: Arc::new(GuestSecrets::new(Arc::clone(secrets), policy)),
                wasi: Arc::new(wasi::granted(&config.wasi())),
                overlay_wasi: Arc::new(wasi::granted(&config.overlay_wasi())),
                calls: Some(Arc::default()),
                ..Services::default()
            };
            let tenant = Tenant {
                services,
                config: Arc::new(config),
                loaded: ArcSwapOption::empty(),
                #[cfg(feature = "mcp")]
                servers: std::sync::OnceLock::new(),
                changing: tokio::sync::Mutex::default(),
            };
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

    /// Gives each tenant whose bindings name a broker or providers the tokens that these have; `host_of` says what a
    /// tenant's service needs of the host.
    pub fn connect_oauth(&mut self, env: &Id, host_of: impl Fn(&Id) -> oauth::Host) -> Result<()> {
        for (id, tenant) in &mut self.tenants {
            if let Some(settings) = tenant.config.oauth_broker_config(env) {
                tenant.services.oauth = Some(Arc::new(OAuth::new(settings, host_of(id))?));
            }
        }
        Ok(())
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

    /// What its guests may ask. It outlives the packs, with its connections, places and counts.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// What guests of packs that are loaded now may ask: the tenant's services, and its tools as they lie there now.
    pub fn services_now(
        &self,
        registry: &Arc<Registry>,
        secrets: &Arc<dyn SecretsManager>,
        env: &Id,
        metrics: &Arc<Metrics>,
    ) -> Services {
        let services = self.services.clone();
        #[cfg(feature = "mcp")]
        if let Some(settings) = self.config.mcp() {
            let scope = SecretScope::of_tenant(env, self.config.tenant());
            let servers = self.servers.get_or_init(|| Arc::new(crate::mcp::Servers::new(settings, secrets, &scope)));
            let (servers, registry, metrics) = (Arc::clone(servers), Arc::clone(registry), Arc::clone(metrics));
            let mcp = tools::TenantTools::of(&self.config, servers, registry, &services, metrics);
            return Services { mcp, ..services };
        }
        let _ = (registry, secrets, env, metrics);
        services
    }

    /// Waits for what must come to its end, and ends what runs for the tenant outside of this process, for good. Both at
    /// once: each has its own time.
    pub async fn stop(&self) {
        let oauth = async {
            if let Some(oauth) = &self.services.oauth {
                oauth.stop().await;
            }
        };
        #[cfg(feature = "mcp")]
        let servers = async {
            if let Some(servers) = self.servers.get() {
                servers.stop().await;
            }
        };
        #[cfg(not(feature = "mcp"))]
        let servers = std::future::ready(());
        tokio::join!(oauth, servers);
    }

    /// Its packs, if any are loaded.
    pub fn loaded(&self) -> Option<Arc<Loaded>> {
        self.loaded.load_full()
    }

    /// The right to change what is loaded.
    pub async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Swaps its packs and gives the old one back. Runs that have begun go on with that.
    pub fn swap(&self, loaded: Option<Arc<Loaded>>) -> Option<Arc<Loaded>> {
        self.loaded.swap(loaded)
    }
}

impl Programs for Tenants {
    fn program(&self, tenant: &str) -> Option<Arc<Program>> {
        self.tenants.get(tenant)?.loaded.load().as_ref().map(|loaded| Arc::clone(&loaded.program))
    }
}
