//! Giving tenants packs, changing what lies over them, and taking them away.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::RunnerHost;
use crate::error::{Code, Error, Result};
use crate::pack::LoadOptions;
use crate::pack::model::Pack;
use crate::tenant::{Instance, Loaded, PackSet, Sourced, Tenant, load};
use crate::trust::TrustPolicy;

/// What loading packs has cost a host since it was built, for those who want to know that nothing was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Packs that were prepared for a tenant.
    pub packs: u64,
    /// Components that were compared, linked and tried.
    pub components: u64,
    /// Components that were compiled. Those found in the artifact cache do not count.
    pub compiled: u64,
}

impl RunnerHost {
    /// Loads the pack at `path` for `tenant`: a `.gtpack`, a directory, an `index.ygtc` or a `.wasm`. The tenant's
    /// earlier packs, if any, stay in place until the new one is ready, and if it is refused.
    pub async fn load_pack(&self, tenant: &str, path: &Path) -> Result<()> {
        self.load_pack_with(tenant, path, LoadOptions::default()).await.map(drop)
    }

    /// Like [`RunnerHost::load_pack`], with places to look for components; returns what was loaded.
    pub async fn load_pack_with(&self, tenant: &str, path: &Path, options: LoadOptions) -> Result<Arc<Loaded>> {
        let read = async { Ok(PackSet::of(read(path, options).await?)) };
        self.load_read(tenant, read).await
    }

    /// Loads the pack at `main` for `tenant`, and those at `overlays` over it, each over those before it.
    pub async fn load_packs<P: AsRef<Path>>(&self, tenant: &str, main: &Path, overlays: &[P]) -> Result<Arc<Loaded>> {
        let read = async {
            let mut set = PackSet::of(read(main, LoadOptions::default()).await?);
            for path in overlays {
                set.overlays.push(read(path.as_ref(), LoadOptions::default()).await?);
            }
            Ok(set)
        };
        self.load_read(tenant, read).await
    }

    /// Loads a pack that was read already, such as one that is embedded in a binary.
    pub async fn load(&self, tenant: &str, pack: Pack) -> Result<Arc<Loaded>> {
        self.load_set(tenant, PackSet::of(pack)).await
    }

    /// Like [`RunnerHost::load`], if `accept` takes what was prepared; else the earlier packs stay in place.
    pub async fn load_if(
        &self,
        tenant: &str,
        pack: Pack,
        accept: impl FnOnce(&Loaded) -> Result<()>,
    ) -> Result<Arc<Loaded>> {
        self.load_set_if(tenant, PackSet::of(pack), accept).await
    }

    /// Loads a main pack and what lies over it, all at once or not at all. Packs that tenants share are kept once if
    /// they are given as the same [`Arc`].
    ///
    /// # Errors
    ///
    /// Why a pack is refused, or what the packs leave open between them. The earlier packs stay in place then.
    pub async fn load_set(&self, tenant: &str, set: PackSet) -> Result<Arc<Loaded>> {
        self.load_set_if(tenant, set, |_| Ok(())).await
    }

    /// Like [`RunnerHost::load_set`], if `accept` takes what was prepared.
    ///
    /// # Errors
    ///
    /// As [`RunnerHost::load_set`], and those of `accept`.
    pub async fn load_set_if(
        &self,
        tenant: &str,
        set: PackSet,
        accept: impl FnOnce(&Loaded) -> Result<()>,
    ) -> Result<Arc<Loaded>> {
        let tenant = self.tenants.get(tenant)?;
        let changing = tenant.changing().await;
        let loaded = self.activate(tenant, set, accept).await;
        drop(changing);
        self.note_load(loaded.as_ref().err());
        loaded
    }

    /// Replaces what lies over the tenant's main pack, which is not read again; what stays is not started again.
    /// Conversations go on: they belong to the main pack. Nothing is done if these overlays lie there already.
    ///
    /// # Errors
    ///
    /// As [`RunnerHost::load_set`], and `PackNotLoaded` if there is nothing that they could lie over.
    pub async fn set_overlays(&self, tenant: &str, overlays: Vec<Sourced>) -> Result<Arc<Loaded>> {
        let tenant = self.tenants.get(tenant)?;
        let changing = tenant.changing().await;
        let running = tenant.loaded().ok_or_else(|| {
            let message = format!("tenant {} has no pack that overlays could lie over", tenant.config().tenant());
            Error::new(Code::PackNotLoaded, message).hint("load its main pack first, or both at once with load_set")
        })?;
        let now = &running.set.overlays;
        if now.len() == overlays.len() && now.iter().zip(&overlays).all(|(one, other)| one.is_same(other)) {
            return Ok(running);
        }
        let set = PackSet { main: running.set.main.clone(), overlays };
        let loaded = self.activate(tenant, set, |_| Ok(())).await;
        drop(changing);
        self.note_load(loaded.as_ref().err());
        loaded
    }

    /// Takes the tenant's packs away, for a `reason` that its components are told. Events that have begun end on them;
    /// what waits stays until its main pack is loaded again. Tells whether there was anything to take.
    ///
    /// # Errors
    ///
    /// `TenantUnknown`.
    pub async fn unload(&self, tenant: &str, reason: &str) -> Result<bool> {
        let tenant = self.tenants.get(tenant)?;
        let _changing = tenant.changing().await;
        let Some(old) = tenant.swap(None) else { return Ok(false) };
        old.farewell(reason, None).await;
        Ok(true)
    }

    /// What loading packs has cost so far. A registry that is shared with other hosts counts for all of them.
    pub fn work(&self) -> Work {
        Work {
            packs: self.prepared.load(Ordering::Relaxed),
            components: self.registry.made(),
            compiled: self.registry.engine().compiled(),
        }
    }

    /// Loads what is read first, which takes its time and may fail.
    async fn load_read(&self, tenant: &str, read: impl Future<Output = Result<PackSet>>) -> Result<Arc<Loaded>> {
        self.tenants.get(tenant)?;
        match read.await {
            Ok(set) => self.load_set(tenant, set).await,
            Err(error) => {
                self.note_load(Some(&error));
                Err(error)
            }
        }
    }

    /// Prepares packs with these stored providers.
    pub(super) async fn prepare(&self, tenant: &Tenant, set: PackSet, stored: &[Arc<Instance>]) -> Result<Loaded> {
        let config = tenant.config();
        let services = tenant.services_now(&self.registry, &self.secrets, &self.env, &self.metrics);
        let strict = config.strict_packs();
        // Large and rare: it is kept out of the futures of those who wait for it.
        Box::pin(load::prepare(&self.registry, config, services, &self.env, set, stored, strict)).await
    }

    /// Prepares packs and puts them in place of those that run. The caller holds the right to change them.
    async fn activate(
        &self,
        tenant: &Tenant,
        mut set: PackSet,
        accept: impl FnOnce(&Loaded) -> Result<()>,
    ) -> Result<Arc<Loaded>> {
        let config = Arc::clone(tenant.config());
        let (mut count, mut reported) = (0, Vec::new());
        for pack in set.packs_mut() {
            reported.extend(admit(pack, &self.trust)?);
            count += 1;
        }
        self.prepared.fetch_add(count, Ordering::Relaxed);
        let running = tenant.loaded();
        let strict = config.strict_packs();
        let stored = self.stored_providers(config.tenant()).await?;
        let mut loaded = self.prepare(tenant, set, &stored).await?;
        loaded.notes.extend(reported);
        accept(&loaded)?;
        loaded.welcome(strict, running.as_deref()).await?;
        loaded.notes.extend(self.tenants.claimed(&loaded.set));
        let loaded = Arc::new(loaded);
        for note in &loaded.notes {
            tracing::warn!(code = %note.code(), tenant = %config.tenant(), "{note}");
        }
        let old = tenant.swap(Some(Arc::clone(&loaded)));
        // The packs are in place, whatever becomes of this: housekeeping tries again.
        if let Err(error) = self.lanes.recover().await {
            let (code, tenant) = (error.code(), config.tenant());
            tracing::error!(%code, %tenant, "what waits for the packs goes on later: {error}");
        }
        if let Some(old) = old {
            old.farewell("another pack takes its place", Some(&loaded)).await;
        }
        self.look_for_secrets_later();
        Ok(loaded)
    }

    /// Notes how a reload of all tenants went.
    pub(crate) fn note_reload(&self, error: Option<&Error>) {
        self.note_load(error);
    }

    fn note_load(&self, error: Option<&Error>) {
        let mut health = self.health.lock();
        health.last_error = error.map(ToString::to_string);
        if error.is_none() {
            health.last_load = Some(self.clock.now());
        }
    }
}

/// What each pack of a tenant has to pass before anything of it runs. What is to be reported and refuses nothing is
/// returned.
fn admit(pack: &mut Sourced, trust: &TrustPolicy) -> Result<Option<Error>> {
    let faults = &pack.pack.faults;
    let Some(first) = faults.first() else {
        let (verification, note) = pack.pack.judge(trust, Some(&pack.stated)).accepted()?;
        pack.verification = Some(verification);
        return Ok(note);
    };
    let summary = format!("pack {} was read in spite of errors, to be looked at and not to be run", pack.pack.id);
    Err(Error::from_many(first.code(), summary, faults.clone()).in_file(&pack.pack.path))
}

/// Reads a pack from a path, which is then where it came from.
async fn read(path: &Path, options: LoadOptions) -> Result<Sourced> {
    let pack = load::read(path, options).await?;
    Ok(Sourced { locator: Some(path.display().to_string()), ..Sourced::from(pack) })
}
