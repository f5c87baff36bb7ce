//! The host: what an embedder builds, starts, gives packs and events, and stops.
//!
//! In: configurations, packs, [`Activity`]s and [`Event`]s. Out: replies. This is the public door to everything
//! below it; it holds no rule of its own beyond how the parts are put together.

pub(crate) mod activity;
mod builder;
mod housekeeping;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;

pub use builder::HostBuilder;

use crate::abi::Registry;
use crate::activity::Activity;
use crate::clock::{Clock, Timestamp};
use crate::config::HostConfig;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::pack::LoadOptions;
use crate::pack::model::Pack;
use crate::run::event::Event;
use crate::run::lanes::{Lanes, Load, Submitted};
use crate::run::watch::{ReplyWatch, RouteWatch};
use crate::store::{Counts, ReplyRoute, Store, StoredReply};
use crate::tenant::{Loaded, Tenants, load};
use crate::trust::TrustPolicy;

/// How long [`RunnerHost::stop`] waits for the work that has begun.
const DRAIN: Duration = Duration::from_secs(20);

/// A host of packs for one or more tenants. Made by [`HostBuilder`].
pub struct RunnerHost {
    tenants: Arc<Tenants>,
    registry: Arc<Registry>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    lanes: Arc<Lanes>,
    watch: Arc<ReplyWatch>,
    env: Id,
    trust: TrustPolicy,
    health: Mutex<Health>,
    housekeeping: Mutex<Option<JoinHandle<()>>>,
}

/// How the host is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// Whether it takes events.
    pub started: bool,
    /// How many tenants have a pack.
    pub active_packs: usize,
    /// When a pack was loaded last.
    pub last_load: Option<Timestamp>,
    /// Why the last load failed, if it did.
    pub last_error: Option<String>,
}

impl RunnerHost {
    /// Begins to take events, and takes up what an earlier process left undone.
    ///
    /// Use tokio's multi-thread runtime. On a current-thread one a component that computes takes turns with the
    /// caller's own future, which may then wait for some hundred milliseconds.
    pub async fn start(&self) -> Result<()> {
        self.lanes.open();
        let woken = self.lanes.recover().await?;
        if woken > 0 {
            tracing::info!(sessions = woken, "going on with what was accepted before");
        }
        let task = housekeeping::spawn(&self.store, Arc::clone(&self.clock), &self.lanes);
        if let Some(old) = self.housekeeping.lock().replace(task) {
            old.abort();
        }
        Ok(())
    }

    /// Takes no further events, waits for what has begun, and unloads the packs. What does not end within 20 s is
    /// stored and goes on at the next start.
    pub async fn stop(&self) -> Result<()> {
        let housekeeping = self.housekeeping.lock().take();
        if let Some(task) = housekeeping {
            task.abort();
            // Ends as it was told to; what it held is free then.
            let _ = task.await;
        }
        if !self.lanes.close(DRAIN).await {
            tracing::warn!("some events were not done in time; they go on at the next start");
        }
        let unloaded: Vec<_> = self.tenants.iter().filter_map(|(_, tenant)| tenant.swap(None)).collect();
        futures::future::join_all(unloaded.iter().map(|old| old.farewell("the host stops"))).await;
        Ok(())
    }

    /// Loads the pack at `path` for `tenant`: a `.gtpack`, a directory, an `index.ygtc` or a `.wasm`. The tenant's
    /// earlier pack, if any, stays in place until the new one is ready, and if it is refused.
    pub async fn load_pack(&self, tenant: &str, path: &Path) -> Result<()> {
        self.load_pack_with(tenant, path, LoadOptions::default()).await.map(drop)
    }

    /// Like [`RunnerHost::load_pack`], with places to look for components; returns what was loaded.
    pub async fn load_pack_with(&self, tenant: &str, path: &Path, options: LoadOptions) -> Result<Arc<Loaded>> {
        self.tenants.get(tenant)?;
        let read = load::read(path, options).await;
        let loaded = match read {
            Ok(pack) => self.activate(tenant, pack, |_| Ok(())).await,
            Err(error) => Err(error),
        };
        self.note_load(loaded.as_ref().err());
        loaded
    }

    /// Loads a pack that was read already, such as one that is embedded in a binary.
    pub async fn load(&self, tenant: &str, pack: Pack) -> Result<Arc<Loaded>> {
        self.load_if(tenant, pack, |_| Ok(())).await
    }

    /// Like [`RunnerHost::load`], if `accept` takes what was prepared; else the earlier pack stays in place.
    pub async fn load_if(
        &self,
        tenant: &str,
        pack: Pack,
        accept: impl FnOnce(&Loaded) -> Result<()>,
    ) -> Result<Arc<Loaded>> {
        let loaded = self.activate(tenant, pack, accept).await;
        self.note_load(loaded.as_ref().err());
        loaded
    }

    async fn activate(
        &self,
        tenant: &str,
        pack: Pack,
        accept: impl FnOnce(&Loaded) -> Result<()>,
    ) -> Result<Arc<Loaded>> {
        let tenant = self.tenants.get(tenant)?;
        let config = Arc::clone(tenant.config());
        // Before anything of the pack runs.
        let (verification, note) = pack.judge(&self.trust, None).accepted()?;
        // Large and rare: it is kept out of the futures of those who wait for it.
        let prepared = Box::pin(load::prepare(&self.registry, &config, &self.env, pack, config.strict_packs()));
        let mut loaded = prepared.await?;
        loaded.verification = Some(verification);
        loaded.notes.extend(note);
        accept(&loaded)?;
        for note in &loaded.notes {
            tracing::warn!(code = %note.code(), tenant = %config.tenant(), "{note}");
        }
        let old = tenant.swap(Some(loaded));
        if self.lanes.is_open() {
            self.lanes.recover().await?;
        }
        if let Some(old) = old {
            old.farewell("another pack takes its place").await;
        }
        tenant.loaded().ok_or_else(|| Error::new(Code::PackNotLoaded, "the pack was unloaded at once"))
    }

    fn note_load(&self, error: Option<&Error>) {
        let mut health = self.health.lock();
        health.last_error = error.map(ToString::to_string);
        if error.is_none() {
            health.last_load = Some(self.clock.now());
        }
    }

    /// Runs the flow that serves `activity` until it ends or waits, and returns its replies.
    ///
    /// Two activities of one session are handled one after the other. Dropping the future does not stop the flow.
    pub async fn handle_activity(&self, tenant: &str, activity: Activity) -> Result<Vec<Activity>> {
        let event = activity::event_of(self.tenants.get(tenant)?.config().tenant(), &activity)?;
        let outcome = self.submit(event).await?.outcome().await?;
        Ok(outcome.replies.into_iter().map(|payload| activity.reply(payload)).collect())
    }

    /// Accepts an event. When this returns, the event is stored and will be worked on.
    pub async fn submit(&self, event: Event) -> Result<Submitted> {
        self.tenants.get(&event.tenant)?;
        self.lanes.submit(event).await
    }

    /// Replies of a route after `seq`, oldest first, at most `limit`.
    pub async fn replies(&self, route: &ReplyRoute, after: u64, limit: usize) -> Result<Vec<StoredReply>> {
        self.store.replies(route, after, limit).await
    }

    /// Is told when a route gets replies.
    pub fn watch(&self, route: &ReplyRoute) -> RouteWatch {
        self.watch.subscribe(route)
    }

    /// A tenant's pack and configuration.
    pub fn tenant(&self, tenant: &str) -> Option<TenantHandle> {
        let tenant = self.tenants.get(tenant).ok()?;
        Some(TenantHandle { config: Arc::clone(tenant.config()), loaded: tenant.loaded()? })
    }

    /// The configurations of all tenants, sorted by tenant.
    pub fn tenant_configs(&self) -> Vec<Arc<HostConfig>> {
        let mut configs: Vec<_> = self.tenants.iter().map(|(_, tenant)| Arc::clone(tenant.config())).collect();
        configs.sort_by(|a, b| a.tenant().cmp(b.tenant()));
        configs
    }

    /// The tenants that have a pack, with it, sorted by tenant.
    pub fn active_packs(&self) -> Vec<(Id, Arc<Loaded>)> {
        let mut packs: Vec<_> =
            self.tenants.iter().filter_map(|(id, tenant)| Some((id.clone(), tenant.loaded()?))).collect();
        packs.sort_by(|a, b| a.0.cmp(&b.0));
        packs
    }

    /// Which packs it accepts.
    pub fn trust(&self) -> &TrustPolicy {
        &self.trust
    }

    /// How the host is.
    pub fn health_state(&self) -> Health {
        let mut health = self.health.lock().clone();
        health.started = self.lanes.is_open();
        health.active_packs = self.active_packs().len();
        health
    }

    /// What is under way in this process.
    pub fn under_way(&self) -> Load {
        self.lanes.load()
    }

    /// How much is stored.
    pub async fn counts(&self) -> Result<Counts> {
        self.store.counts().await
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What prepares components, for callers that invoke a component outside a flow.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }
}

/// A tenant with a loaded pack.
#[derive(Clone, Debug)]
pub struct TenantHandle {
    config: Arc<HostConfig>,
    loaded: Arc<Loaded>,
}

impl TenantHandle {
    /// Its configuration.
    pub fn config(&self) -> &HostConfig {
        &self.config
    }

    /// Its pack, as runs execute it.
    pub fn pack(&self) -> &crate::run::program::Program {
        &self.loaded.program
    }

    /// What is odd about its pack.
    pub fn notes(&self) -> &[Error] {
        &self.loaded.notes
    }
}

impl std::fmt::Debug for RunnerHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunnerHost").field("tenants", &self.tenants).finish_non_exhaustive()
    }
}
