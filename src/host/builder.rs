//! Putting a host together.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;

use crate::abi::Registry;
use crate::clock::{Clock, SystemClock};
use crate::config::{HostConfig, RunnerConfig};
use crate::engine::{Engine, EngineOptions};
use crate::environment::Environment;
use crate::error::Result;
use crate::host::readings::Readings;
use crate::host::secrets::SecretsWatch;
use crate::host::{Health, RunnerHost};
use crate::oauth;
use crate::run::executor::Services;
use crate::run::lanes::Lanes;
use crate::run::program::Programs;
use crate::run::trace::Observer;
use crate::run::watch::ReplyWatch;
use crate::secrets::{self, CachedSecrets, SecretsManager};
use crate::store::Store;
use crate::store::memory::MemoryStore;
use crate::store::redb::RedbStore;
use crate::telemetry::Exporting;
#[cfg(feature = "telemetry")]
use crate::telemetry::Telemetry;
use crate::tenant::Tenants;
use crate::trust::TrustPolicy;

/// Events that are worked on at once, unless the builder is told otherwise.
const PARALLEL: usize = 64;

/// Makes a [`RunnerHost`].
///
/// ```
/// # fn main() -> greentic_runner_host::Result<()> {
/// use greentic_runner_host::{HostBuilder, HostConfig};
///
/// let config = HostConfig::from_yaml("tenant: customera", "customera.yaml")?;
/// let host = HostBuilder::new().with_config(config).with_memory_store().build()?;
/// assert_eq!(host.active_packs().len(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct HostBuilder {
    configs: Vec<HostConfig>,
    storage: Storage,
    clock: Option<Arc<dyn Clock>>,
    observer: Option<Arc<dyn Observer>>,
    engine: EngineOptions,
    shared: Option<Arc<Registry>>,
    parallel: Option<usize>,
    trust: Option<TrustPolicy>,
    secrets: Option<Arc<dyn SecretsManager>>,
    exporting: Exporting,
}

#[derive(Default)]
enum Storage {
    #[default]
    DefaultDirectory,
    Directory(PathBuf),
    Memory,
    Own(Arc<dyn Store>),
}

impl Storage {
    /// The store, and the directory that it is in, if it is in one.
    fn open(self, env: &RunnerConfig) -> Result<(Arc<dyn Store>, Option<PathBuf>)> {
        let dir = match self {
            Self::DefaultDirectory => env.data_dir(None),
            Self::Directory(dir) => dir,
            Self::Memory => return Ok((Arc::new(MemoryStore::default()), None)),
            Self::Own(store) => return Ok((store, None)),
        };
        Ok((RedbStore::open(&dir)?, Some(dir)))
    }
}

impl HostBuilder {
    /// A builder with nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tenant.
    #[must_use]
    pub fn with_config(mut self, config: HostConfig) -> Self {
        self.configs.push(config);
        self
    }

    /// Keeps events, sessions and state in this directory. Default: `GREENTIC_DATA_DIR`, else `.greentic`.
    #[must_use]
    pub fn with_data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.storage = Storage::Directory(dir.into());
        self
    }

    /// Keeps everything in memory: nothing survives the process.
    #[must_use]
    pub fn with_memory_store(mut self) -> Self {
        self.storage = Storage::Memory;
        self
    }

    /// Keeps everything in a store of the caller's.
    #[must_use]
    pub fn with_store(mut self, store: Arc<dyn Store>) -> Self {
        self.storage = Storage::Own(store);
        self
    }

    /// Reads the time from another clock than the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Lets an observer see each step of each run.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Sets up the engine.
    #[must_use]
    pub fn with_engine(mut self, options: EngineOptions) -> Self {
        self.engine = options;
        self
    }

    /// Shares prepared components with another host of the same process.
    #[must_use]
    pub fn with_registry(mut self, registry: Arc<Registry>) -> Self {
        self.shared = Some(registry);
        self
    }

    /// Works on at most this many events at once.
    #[must_use]
    pub fn with_parallel_events(mut self, parallel: usize) -> Self {
        self.parallel = Some(parallel.max(1));
        self
    }

    /// Loads only packs that this policy accepts. Default: what `PACK_PUBLIC_KEY` and `PACK_VERIFY_STRICT` say.
    #[must_use]
    pub fn with_trust(mut self, trust: TrustPolicy) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Reads secrets from another place than the environment's variables.
    #[must_use]
    pub fn with_secrets_manager(mut self, secrets: Arc<dyn SecretsManager>) -> Self {
        self.secrets = Some(secrets);
        self
    }

    /// Sends metrics, and tells by [`RunnerHost::is_telemetry_ready`] how sending goes. Spans and log records are collected
    /// by [`Telemetry::layer`], which belongs to the process. Default: what [`Telemetry::install`] was called on.
    #[cfg(feature = "telemetry")]
    #[must_use]
    pub fn with_telemetry(mut self, telemetry: Telemetry) -> Self {
        self.exporting = Exporting::with(telemetry);
        self
    }

    /// Makes the host and opens its store. Fails without a tenant, if secrets of two tenants have the same variables,
    /// and if the store cannot be opened.
    pub fn build(self) -> Result<RunnerHost> {
        let env = RunnerConfig::from_env()?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let place = match self.secrets {
            Some(secrets) => secrets,
            None => {
                let tenants = self.configs.iter().map(HostConfig::tenant);
                secrets::open(env.secrets.backend, tenants, &Environment::of_process())?
            }
        };
        let secrets: Arc<dyn SecretsManager> =
            Arc::new(CachedSecrets::new(place, Arc::clone(&clock), env.secrets.cache_ttl));
        let mut tenants = Tenants::new(self.configs, &secrets)?;
        let (store, dir) = self.storage.open(&env)?;
        let registry = match self.shared {
            Some(registry) => registry,
            None => {
                let mut options = self.engine;
                options.artifact_dir = options.artifact_dir.or_else(|| Some(dir.as_ref()?.join("compiled")));
                let registry = Registry::new(Engine::new(options)?);
                // The directory is locked by this process, so what lies there is nobody else's.
                Arc::new(match dir {
                    Some(dir) => registry.with_assets_in(dir.join("assets")),
                    None => registry,
                })
            }
        };
        tenants.connect_oauth(&env.env, |tenant| oauth::Host {
            tenant: tenant.clone(),
            env: env.env.clone(),
            store: Arc::clone(&store),
            secrets: Arc::clone(&secrets),
            clock: Arc::clone(&clock),
        })?;
        let tenants = Arc::new(tenants);
        let watch = Arc::new(ReplyWatch::default());
        let exporting = self.exporting.or_of_process();
        let metrics = Arc::new(exporting.metrics()?);
        let services = Services {
            metrics: Arc::clone(&metrics),
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            observer: self.observer,
            watch: Arc::clone(&watch),
        };
        let programs: Arc<dyn Programs> = Arc::clone(&tenants) as _;
        let lanes = Lanes::new(services, programs, self.parallel.unwrap_or(PARALLEL));
        let prepared = Arc::new(AtomicU64::new(0));
        let readings = Readings::new(&tenants, &lanes, &registry, Arc::clone(&prepared));
        metrics.add_source(Arc::downgrade(&readings) as _);
        Ok(RunnerHost {
            secrets_watch: Arc::new(SecretsWatch::new(Arc::clone(&tenants), env.env.clone())),
            metrics,
            readings,
            exporting,
            tenants,
            registry,
            store,
            built: clock.now(),
            clock,
            lanes,
            watch,
            env: env.env,
            secrets,
            trust: self.trust.unwrap_or(env.trust),
            health: Mutex::new(Health::default()),
            prepared,
            housekeeping: Mutex::new(None),
        })
    }
}

impl std::fmt::Debug for HostBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostBuilder").field("configs", &self.configs.len()).finish_non_exhaustive()
    }
}
