//! Reloading: from an index, or a fixed list of packs, to what each tenant runs.
//!
//! In: word that something may have changed: the interval, a file, an operator. Out: tenants on their new packs, and a
//! report of what happened to each. One tenant's failure leaves the others, and its own last good packs, alone. What is
//! unchanged is not touched. This room decides when and what; `ingest` gets the bytes, `trust` judges them, the host
//! prepares and swaps.

mod arrive;
mod config;
mod desk;
mod fetching;
mod floor;
pub mod handle;
mod listing;
mod packs;
mod report;
pub mod status;
mod tenant;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};
use parking_lot::Mutex;

pub use config::{PackSource, ReloadConfig};
pub use desk::ReloadHandle;
pub use handle::{NotReady, Readiness, ReloadCounts, Reloads};
pub use worker::Reloader;

use crate::audit::AuditLog;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};
use crate::host::RunnerHost;
use crate::id::Id;
use crate::ingest::index::TenantEntry;
use crate::ingest::{Fetcher, Locator};
use fetching::Fetching;
use floor::Floors;
use listing::{Listing, Listings};
use packs::Packs;
use status::{TenantOutcome, TenantReload};
use tenant::Remembered;

/// How many tenants are reloaded at once: downloads overlap, and compiling is bounded elsewhere.
const AT_ONCE: usize = 8;

/// Why a reload takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The host starts, or somebody asks.
    Asked,
    /// Files changed.
    Files,
    /// Time has passed.
    Tick,
}

/// What a reload did.
#[derive(Clone, Debug)]
struct Outcome {
    /// What happened to each tenant; or why there was nothing to go by.
    tenants: Result<Vec<TenantReload>>,
    ended: Timestamp,
}

/// What all parts of a reloader share.
struct Inner {
    host: Arc<RunnerHost>,
    fetching: Fetching,
    config: ReloadConfig,
    audit: Arc<AuditLog>,
    clock: Arc<dyn Clock>,
    packs: Packs,
    floors: Mutex<Floors>,
    tenants: Mutex<BTreeMap<Id, TenantState>>,
}

/// What is known about a tenant.
#[derive(Default)]
struct TenantState {
    remembered: Remembered,
    last: Option<Timestamp>,
    error: Option<Error>,
}

impl Inner {
    fn fetcher(&self) -> Result<&Fetcher> {
        self.fetching.get(&self.config)
    }

    /// The index's file, if it is one of this machine.
    fn index_file(&self) -> Option<PathBuf> {
        match &self.config.source {
            PackSource::Index(Locator::Fs(path)) => Some(path.clone()),
            _ => None,
        }
    }

    /// Whether older versions are refused: an operator who names a pack on the command line knows which it is.
    fn remembers_versions(&self) -> bool {
        matches!(self.config.source, PackSource::Index(_))
    }

    /// Brings every tenant to what is listed now. Returns which files of this machine were looked at, too.
    async fn run(&self, listings: &mut Listings, cause: Cause) -> (Outcome, BTreeSet<PathBuf>) {
        let mut files = BTreeSet::from_iter(self.index_file());
        let tenants = match listings.read(self).await {
            Ok(listing) => {
                files.extend(self.local_files(&listing));
                self.packs.keep_only(&files);
                Ok(self.all(&listing, cause).await)
            }
            Err(error) => Err(error),
        };
        let first = match &tenants {
            Err(error) => Some(error.clone()),
            Ok(_) => self.tenants.lock().values().find_map(|state| state.error.clone()),
        };
        self.host.note_reload(first.as_ref());
        (Outcome { tenants, ended: self.clock.now() }, files)
    }

    async fn all(&self, listing: &Listing, cause: Cause) -> Vec<TenantReload> {
        let served: BTreeSet<Id> = self.host.tenant_ids().into_iter().collect();
        // Boxed, or the compiler cannot see that the stream may go from one thread to another.
        let work: Vec<_> = served.iter().map(|tenant| self.one(tenant, listing, cause).boxed()).collect();
        let done = futures::stream::iter(work).buffer_unordered(AT_ONCE);
        let mut done: Vec<_> = done.filter_map(std::future::ready).collect().await;
        let unbound = listing.tenants.keys().filter(|tenant| !served.contains(*tenant)).map(|tenant| TenantReload {
            tenant: tenant.to_string(),
            outcome: TenantOutcome::Unbound,
            error: None,
        });
        done.extend(unbound);
        done.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        done
    }

    async fn one(&self, tenant: &Id, listing: &Listing, cause: Cause) -> Option<TenantReload> {
        let result = match listing.tenants.get(tenant) {
            Some(Ok(entry)) => self.tenant(tenant, entry, listing, cause).await,
            Some(Err(error)) => Err(error.clone()),
            None => self.unlisted(tenant).await?,
        };
        if let Err(error) = &result {
            tracing::warn!(code = %error.code(), %tenant, "the tenant's packs stay as they are: {error}");
        }
        let error = result.as_ref().err();
        let report = TenantReload {
            tenant: tenant.to_string(),
            outcome: *result.as_ref().unwrap_or(&TenantOutcome::Failed),
            error: error.map(Into::into),
        };
        let mut tenants = self.tenants.lock();
        let state = tenants.entry(tenant.clone()).or_default();
        state.last = Some(self.clock.now());
        state.error = result.err();
        Some(report)
    }

    async fn tenant(&self, tenant: &Id, entry: &TenantEntry, listing: &Listing, cause: Cause) -> Result<TenantOutcome> {
        // Reloads come one after the other, so nobody else needs it meanwhile.
        let mut remembered = std::mem::take(&mut self.tenants.lock().entry(tenant.clone()).or_default().remembered);
        let (asked, look) = (cause == Cause::Asked, cause != Cause::Tick);
        let result = Box::pin(self.reload(tenant, entry, listing, &mut remembered, asked, look)).await;
        self.tenants.lock().entry(tenant.clone()).or_default().remembered = remembered;
        result
    }

    /// A tenant that is not listed has no packs. None if it had none before.
    async fn unlisted(&self, tenant: &Id) -> Option<Result<TenantOutcome>> {
        self.tenants.lock().entry(tenant.clone()).or_default().remembered = Remembered::default();
        let unloaded = self.host.unload(tenant, "the index does not name the tenant any more").await;
        match unloaded {
            Ok(true) => Some(Ok(TenantOutcome::Unloaded)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }

    fn local_files(&self, listing: &Listing) -> Vec<PathBuf> {
        let entries = listing.tenants.values().filter_map(|entry| entry.as_ref().ok());
        let entries = entries.flat_map(|entry| std::iter::once(&entry.main).chain(&entry.overlays));
        let places = entries.flat_map(|entry| entry.places(&listing.base, self.config.scheme).unwrap_or_default());
        let local = places.filter_map(|place| match place {
            Locator::Fs(path) => Some(path),
            _ => None,
        });
        local.collect()
    }
}
