//! What others ask of a reloader.

use serde::Serialize;

use super::status::{PacksStatus, ReloadReport};
use crate::error::{Code, Result};
use crate::ingest::fetch::FetchCounts;

/// A reloader as the server sees it.
pub trait Reloads: Send + Sync + 'static {
    /// What runs.
    fn status(&self) -> PacksStatus;

    /// Asks for a reload on behalf of `by` and returns its id. While one waits to begin, further requests share it and
    /// get its id.
    fn request(&self, by: &str) -> Result<String>;

    /// What became of a reload; none if there is no such reload, or it is forgotten.
    fn report(&self, id: &str) -> Option<ReloadReport>;

    /// Whether every tenant that should have a pack has one. A reloader that can tell it without putting the whole
    /// status together should.
    fn readiness(&self) -> Readiness {
        Readiness::of(&self.status())
    }

    /// How many reloads have ended, and how.
    fn counts(&self) -> ReloadCounts {
        ReloadCounts::default()
    }
}

/// How many reloads have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReloadCounts {
    /// Those in which every tenant got what is listed for it.
    pub done: u64,
    /// The others.
    pub failed: u64,
    /// How packs and indexes were come by.
    pub fetches: FetchCounts,
}

/// Whether events can be served, and why not. Anybody may see it, so it names codes and no tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Readiness {
    /// Whether they can.
    pub ready: bool,
    /// Why not; empty if they can.
    pub reasons: Vec<NotReady>,
}

/// Why events cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct NotReady {
    /// The reason's stable code.
    pub code: String,
    /// How many tenants it concerns; 0 if it is no single tenant's.
    pub tenants: usize,
}

impl Readiness {
    /// Ready if there is no reason not to be.
    pub fn unless(reasons: Vec<NotReady>) -> Self {
        Self { ready: reasons.is_empty(), reasons }
    }

    /// A reason that is no single tenant's.
    pub fn not_yet(code: Code) -> Self {
        Self::unless(vec![NotReady { code: code.to_string(), tenants: 0 }])
    }

    /// Every tenant whose packs were refused should have some and has none. Before the first reload has ended nobody
    /// knows.
    pub fn of(status: &PacksStatus) -> Self {
        if status.last_reload.is_none() {
            return Self::not_yet(Code::PackNotLoaded);
        }
        let lacking = status.tenants.iter().filter(|tenant| tenant.pack.is_none());
        Self::lacking(lacking.filter_map(|tenant| Some(tenant.last_error.as_ref()?.code.clone())))
    }

    /// Not ready for these reasons, one of each tenant that lacks its packs.
    pub fn lacking(codes: impl Iterator<Item = String>) -> Self {
        let mut reasons: Vec<NotReady> = Vec::new();
        for code in codes {
            match reasons.iter_mut().find(|reason| reason.code == code) {
                Some(reason) => reason.tenants += 1,
                None => reasons.push(NotReady { code, tenants: 1 }),
            }
        }
        Self::unless(reasons)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::reload::status::{ErrorStatus, PackStatus, TenantStatus};

    fn tenant(pack: bool, error: Option<Code>) -> TenantStatus {
        TenantStatus {
            tenant: "t".into(),
            pack: pack.then(|| PackStatus {
                pack_id: "p".into(),
                version: "1.0.0".into(),
                digest: "sha256:00".into(),
                locator: None,
                verification: None,
            }),
            overlays: Vec::new(),
            required_secrets: Vec::new(),
            missing_secrets: Vec::new(),
            last_reload: None,
            last_error: error.map(|code| ErrorStatus::from(&Error::new(code, "x"))),
            notes: Vec::new(),
        }
    }

    #[test]
    fn tenants_that_lack_their_pack_are_counted_by_reason() {
        let of = |reloaded: bool, tenants: Vec<TenantStatus>| {
            let last_reload = reloaded.then(|| "2026-01-01T00:00:00Z".to_owned());
            let readiness = Readiness::of(&PacksStatus { tenants, active: 0, last_reload, last_error: None });
            assert_eq!(readiness.ready, readiness.reasons.is_empty());
            readiness.reasons.iter().map(|reason| format!("{} {}", reason.code, reason.tenants)).collect::<Vec<_>>()
        };
        let (missing, differs) = (Some(Code::FilesMissing), Some(Code::DigestMismatch));
        assert_eq!(of(false, vec![tenant(true, None)]), ["GRH-0601 0"]);
        assert!(of(true, vec![]).is_empty());
        // One with an older pack is served; one without a pack that nobody wants to have one lacks nothing.
        assert!(of(true, vec![tenant(true, None), tenant(true, missing), tenant(false, None)]).is_empty());
        let lacking = vec![tenant(false, missing), tenant(false, differs), tenant(false, missing), tenant(true, None)];
        assert_eq!(of(true, lacking), ["GRH-0208 2", "GRH-0209 1"]);
    }
}
