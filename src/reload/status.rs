//! What runs and what reloads did, as the admin API shows it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::config::HostConfig;
use crate::error::Error;
use crate::host::{Lacking, RunnerHost};
use crate::tenant::{Loaded, Sourced};
use crate::trust::Verification;

/// What runs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PacksStatus {
    /// Every tenant, sorted.
    pub tenants: Vec<TenantStatus>,
    /// How many of them have a pack.
    pub active: usize,
    /// When a reload ended last, in RFC 3339.
    pub last_reload: Option<String>,
    /// Why the last reload failed as a whole, or for any tenant.
    pub last_error: Option<String>,
}

/// What runs for a tenant.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TenantStatus {
    /// The tenant.
    pub tenant: String,
    /// The main pack; none if nothing is loaded.
    #[serde(flatten)]
    pub pack: Option<PackStatus>,
    /// The packs over it, in their order.
    pub overlays: Vec<PackStatus>,
    /// The secrets that the packs ask for.
    pub required_secrets: Vec<String>,
    /// Those of them that the tenant's bindings do not allow, or that are not there, as far as it was looked.
    pub missing_secrets: Vec<String>,
    /// When this tenant's packs were last looked at, in RFC 3339.
    pub last_reload: Option<String>,
    /// Why that failed, if it did: then what runs is older.
    pub last_error: Option<ErrorStatus>,
    /// What is odd about the packs without refusing them.
    pub notes: Vec<ErrorStatus>,
}

/// A pack that runs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PackStatus {
    /// Its id.
    pub pack_id: String,
    /// Its version.
    pub version: String,
    /// Its digest, as `sha256:` and hex.
    pub digest: String,
    /// Where it came from, without credentials.
    pub locator: Option<String>,
    /// What was verified about it.
    pub verification: Option<Verification>,
}

impl PacksStatus {
    /// What runs on a host whose packs nobody reloads.
    pub fn of_host(host: &RunnerHost) -> Self {
        let (health, configs) = (host.health_state(), host.tenant_configs());
        let loaded = host.active_packs();
        let of = |config: &HostConfig| {
            let pack = loaded.binary_search_by(|(tenant, _)| tenant.cmp(config.tenant())).ok();
            let pack = pack.and_then(|at| loaded.get(at)).map(|(_, pack)| &**pack);
            TenantStatus::of(config, pack, host.lacking_secrets(config.tenant()))
        };
        Self {
            tenants: configs.iter().map(|config| of(config)).collect(),
            active: health.active_packs,
            last_reload: health.last_load.and_then(rfc3339),
            last_error: health.last_error,
        }
    }
}

impl TenantStatus {
    /// What runs for a tenant, as far as what was loaded tells it.
    pub fn of(config: &HostConfig, loaded: Option<&Loaded>, lacking: Lacking) -> Self {
        let notes = loaded.iter().flat_map(|loaded| &loaded.notes).chain(&lacking.reasons);
        Self {
            tenant: config.tenant().to_string(),
            pack: loaded.map(|loaded| PackStatus::of(&loaded.set.main)),
            overlays: loaded.map(|loaded| loaded.set.overlays.iter().map(PackStatus::of).collect()).unwrap_or_default(),
            notes: notes.map(ErrorStatus::from).collect(),
            required_secrets: loaded.map(Loaded::required_secrets).unwrap_or_default(),
            missing_secrets: lacking.missing,
            last_reload: None,
            last_error: None,
        }
    }
}

impl PackStatus {
    fn of(sourced: &Sourced) -> Self {
        Self {
            pack_id: sourced.pack.id.to_string(),
            version: sourced.pack.version.to_string(),
            digest: sourced.pack.digest.to_string(),
            locator: sourced.locator.clone(),
            verification: sourced.verification.clone(),
        }
    }
}

/// A time as the admin API shows it.
pub fn rfc3339(at: Timestamp) -> Option<String> {
    at.rfc3339()
}

/// An error as data.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ErrorStatus {
    /// Its stable code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// The single problems, where it sums up several.
    pub details: Vec<ErrorStatus>,
}

impl From<&Error> for ErrorStatus {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code().to_string(),
            message: error.message().to_owned(),
            hint: error.hint_text().map(str::to_owned),
            location: error.location().map(ToString::to_string),
            details: error.details().iter().map(Self::from).collect(),
        }
    }
}

/// A reload, under way or done.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReloadReport {
    /// Its id.
    pub id: String,
    /// Whether it has ended.
    pub state: ReloadState,
    /// When it was asked for, in RFC 3339.
    pub requested: String,
    /// When it ended, in RFC 3339.
    pub ended: Option<String>,
    /// Why it failed as a whole: then no tenant was touched.
    pub error: Option<ErrorStatus>,
    /// What happened to each tenant.
    pub tenants: Vec<TenantReload>,
}

/// How far a reload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReloadState {
    /// It waits for another one, or is under way.
    Running,
    /// It has ended; no tenant failed.
    Done,
    /// It has ended; it failed as a whole or for a tenant.
    Failed,
}

/// What a reload did to a tenant.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TenantReload {
    /// The tenant.
    pub tenant: String,
    /// What happened.
    pub outcome: TenantOutcome,
    /// Why, if it failed.
    pub error: Option<ErrorStatus>,
}

/// What happened to a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantOutcome {
    /// Its packs are the ones that run.
    Unchanged,
    /// Its packs were loaded.
    Loaded,
    /// The index does not name it any more, so it has no packs.
    Unloaded,
    /// Its packs were refused; what ran before goes on running.
    Failed,
    /// The index names it, and this host has no bindings for it.
    Unbound,
}

#[cfg(test)]
mod tests;
