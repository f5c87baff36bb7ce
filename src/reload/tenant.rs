//! One tenant's packs: brought here, judged, prepared, swapped.

use std::sync::Arc;

use semver::Version;

use super::Inner;
use super::arrive::{Arrived, Statement};
use super::listing::Listing;
use super::status::TenantOutcome;
use crate::audit::{Actor, Entry, Outcome};
use crate::error::{Code, Error, Kind, Result};
use crate::id::Id;
use crate::ingest::index::TenantEntry;
use crate::pack::model::Pack;
use crate::tenant::{PackSet, Sourced};

/// What is remembered about a tenant from one reload to the next.
#[derive(Default)]
pub(super) struct Remembered {
    /// What was stated about the packs that run.
    pub(super) applied: Option<Vec<Statement>>,
    /// What was stated about the packs that were refused last, and why they were.
    pub(super) refused: Option<(Vec<Statement>, Error)>,
}

/// A pack that is older than what ran before.
struct Lower {
    pack: Id,
    from: Version,
    to: Version,
}

impl Inner {
    /// Brings a tenant to the packs of its entry. What runs stays as it is if anything is wrong.
    pub(super) async fn reload(
        &self,
        tenant: &Id,
        entry: &TenantEntry,
        listing: &Listing,
        remembered: &mut Remembered,
        asked: bool,
        look: bool,
    ) -> Result<TenantOutcome> {
        let runs: Vec<_> = self.host.tenant(tenant).map(|handle| handle.digests()).unwrap_or_default();
        let entries = std::iter::once(&entry.main).chain(&entry.overlays);
        let mut arrived = Vec::with_capacity(1 + entry.overlays.len());
        for (at, entry) in entries.enumerate() {
            arrived.push(self.arrive(entry, listing, runs.get(at).copied(), look).await?);
        }
        let statements: Vec<_> = arrived.iter().map(|arrived| arrived.statement.clone()).collect();
        if !runs.is_empty() && remembered.applied.as_ref() == Some(&statements) {
            remembered.refused = None;
            return Ok(TenantOutcome::Unchanged);
        }
        // What was refused once is refused again, as long as it is the same; who asks may have changed what it needs.
        if let Some((refused, why)) = remembered.refused.as_ref().filter(|_| !asked)
            && *refused == statements
        {
            return Err(why.clone());
        }
        match self.swap(tenant, &arrived).await {
            Ok(()) => {
                *remembered = Remembered { applied: Some(statements), refused: None };
                Ok(TenantOutcome::Loaded)
            }
            Err(error) => {
                let passes = error.code().kind() == Kind::Unavailable;
                remembered.refused = (!passes).then(|| (statements, error.clone()));
                Err(error)
            }
        }
    }

    async fn swap(&self, tenant: &Id, arrived: &[Arrived]) -> Result<()> {
        let mut sourced = Vec::with_capacity(arrived.len());
        for arrived in arrived {
            let pack = self.read(arrived).await?;
            check_version(&pack, arrived)?;
            sourced.push(Sourced {
                pack,
                locator: Some(arrived.locator.to_string()),
                stated: arrived.statement.origin(),
                verification: None,
            });
        }
        let versions: Vec<_> = sourced.iter().map(|s| (s.pack.id.clone(), s.pack.version.clone())).collect();
        let lower = self.lower(tenant, &versions)?;
        let mut packs = sourced.into_iter();
        let main = packs.next().ok_or_else(|| Error::new(Code::Internal, "a tenant's entry names no pack"))?;
        for lower in &lower {
            self.record(tenant, lower, Outcome::Begun)?;
        }
        let loaded = self.host.load_set(tenant, PackSet { main, overlays: packs.collect() }).await;
        let outcome = loaded.as_ref().err().map_or(Outcome::Done, Outcome::Failed);
        for lower in &lower {
            self.record(tenant, lower, outcome)?;
        }
        loaded?;
        if self.remembers_versions() { self.floors.lock().record(tenant, &versions) } else { Ok(()) }
    }

    fn record(&self, tenant: &Id, lower: &Lower, outcome: Outcome<'_>) -> Result<()> {
        let detail = format!("{} from {} to {}", lower.pack, lower.from, lower.to);
        self.audit.record(&Entry {
            action: "packs.downgrade",
            outcome,
            by: Actor::Host("reload"),
            tenant: Some(tenant),
            detail: Some(&detail),
            ..Entry::default()
        })
    }

    /// The packs that are older than what the tenant ran before, if that is allowed.
    fn lower(&self, tenant: &Id, packs: &[(Id, Version)]) -> Result<Vec<Lower>> {
        if !self.remembers_versions() {
            return Ok(Vec::new());
        }
        let floors = self.floors.lock();
        let lower = packs.iter().filter_map(|(pack, version)| {
            let floor = floors.of(tenant, pack).filter(|floor| version < *floor)?;
            Some(Lower { pack: pack.clone(), from: floor.clone(), to: version.clone() })
        });
        let lower: Vec<_> = lower.collect();
        match lower.first() {
            Some(Lower { pack, from, to }) if !self.config.allow_downgrade => {
                let message = format!("pack {pack} {to} is older than {from}, which tenant {tenant} ran before");
                Err(Error::new(Code::Downgrade, message)
                    .hint("an old pack brings old mistakes back; if it is meant, start once with --allow-downgrade"))
            }
            _ => Ok(lower),
        }
    }
}

fn check_version(pack: &Arc<Pack>, arrived: &Arrived) -> Result<()> {
    match &arrived.statement.version {
        Some(stated) if *stated != pack.version => {
            let message = format!("the index says {} {stated}, the pack is {} {}", pack.id, pack.id, pack.version);
            Err(Error::new(Code::IndexMismatch, message)
                .in_file(arrived.locator.to_string())
                .hint("correct the version in the index, or publish the pack that it names"))
        }
        _ => Ok(()),
    }
}
