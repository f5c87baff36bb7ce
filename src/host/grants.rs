//! What tenants' components were granted, what of it their packs import, and what was used since the host was built.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RunnerHost;
use crate::abi::Prepared;
use crate::capabilities::grants::{Grant, Grants};
use crate::capabilities::ledger::{Count, Used};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::Id;
use crate::outbound::{Outbound, Reason};
use crate::tenant::Tenant;

/// What tenants were granted and used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GrantsStatus {
    /// Since when uses are counted, in RFC 3339: they begin at none with the host.
    pub since: Option<String>,
    /// Every tenant, sorted.
    pub tenants: Vec<TenantGrants>,
}

/// What a tenant was granted, and what its components used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TenantGrants {
    /// The tenant.
    pub tenant: String,
    /// Everything that can be granted by name, and what bindings name beside.
    pub grants: Vec<GrantStatus>,
    /// Requests over HTTP.
    pub outbound: OutboundStatus,
}

/// Something that can be granted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GrantStatus {
    /// What kind of thing it is.
    pub kind: GrantKind,
    /// Its name: of the grant, the variable, the entry of `http.allow`, ….
    pub name: String,
    /// Whether it is granted.
    pub granted: bool,
    /// Whether components of overlays have it without the main pack's asking for it.
    pub overlays: bool,
    /// The components of the loaded packs that import what it is for, sorted.
    pub imported_by: Vec<String>,
    /// How often it was used since the host was built, under these bindings.
    pub uses: u64,
    /// When it was used last, in RFC 3339.
    pub last_used: Option<String>,
    /// Which components used it, sorted.
    pub used_by: Vec<UsedBy>,
}

/// What kind of thing can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// Interfaces of the host, by `grants`.
    Grant,
    /// A part of WASI, by `wasi`.
    Wasi,
    /// A variable of the environment, by `wasi.env`. Components get all of theirs at once, so all count as used.
    Env,
    /// Requests to hosts, by `http.allow`.
    Http,
}

/// A component that used something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UsedBy {
    /// Its id.
    pub component: String,
    /// How often.
    pub uses: u64,
    /// When last, in RFC 3339.
    pub last_used: Option<String>,
}

/// Requests that components had made since the host was built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutboundStatus {
    /// Those that were answered, whatever the status.
    pub answered: u64,
    /// Those that failed, by each reason for which they can.
    pub failed: BTreeMap<String, u64>,
}

impl RunnerHost {
    /// What each tenant, or the one that is named, was granted and used.
    ///
    /// # Errors
    ///
    /// `TenantUnknown`.
    pub fn grants(&self, tenant: Option<&Id>) -> Result<GrantsStatus> {
        let tenants = match tenant {
            Some(tenant) => vec![status(self.tenants.get(tenant)?)],
            None => {
                let mut tenants: Vec<_> = self.tenants.iter().map(|(_, tenant)| status(tenant)).collect();
                tenants.sort_unstable_by(|one, other| one.tenant.cmp(&other.tenant));
                tenants
            }
        };
        Ok(GrantsStatus { since: self.built.rfc3339(), tenants })
    }
}

/// The components of a tenant's packs.
type Components = Vec<(Id, Arc<Prepared>)>;

fn status(tenant: &Tenant) -> TenantGrants {
    let components = tenant.loaded().map(|loaded| {
        let components = loaded.program.components.iter();
        let mut components: Components = components.map(|(id, prepared)| (id.clone(), Arc::clone(prepared))).collect();
        components.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        components
    });
    let components = components.unwrap_or_default();
    let grants = of_grants(tenant, &components).chain(of_wasi(tenant, &components));
    let outbound = &tenant.services().http;
    TenantGrants {
        tenant: tenant.config().tenant().to_string(),
        grants: grants.chain(of_hosts(outbound, &components)).collect(),
        outbound: outbound_status(outbound),
    }
}

fn of_grants<'a>(tenant: &'a Tenant, components: &'a Components) -> impl Iterator<Item = GrantStatus> + 'a {
    let config = tenant.config();
    let granted = config.grants();
    let overlays = config.overlay_grants(Grants::none());
    Grant::ALL.into_iter().map(move |grant| {
        let importers = importers(components, |component| component.needs().has(grant));
        let used = tenant.services().ledger.of(Used::Grant(grant));
        entry(GrantKind::Grant, grant.name(), (granted.has(grant), overlays.has(grant)), importers, used)
    })
}

fn of_wasi<'a>(tenant: &'a Tenant, components: &'a Components) -> impl Iterator<Item = GrantStatus> + 'a {
    let (main, overlays) = (tenant.config().wasi(), tenant.config().overlay_wasi());
    let used = |used| tenant.services().ledger.of(used);
    let parts = [
        ("assets", "wasi:filesystem/", (main.assets, overlays.assets), Used::Assets),
        ("stderr", "wasi:cli/stderr", (main.stderr, overlays.stderr), Used::Stderr),
        ("stdout", "wasi:cli/stdout", (main.stdout, overlays.stdout), Used::Stdout),
    ];
    let mut status: Vec<_> = parts
        .into_iter()
        .map(|(name, import, granted, part)| {
            entry(GrantKind::Wasi, name, granted, importers(components, |c| c.imports(import)), used(part))
        })
        .collect();
    // Everything that bindings name is listed; what was left out has no value here, and nobody could use it.
    let given = |name: &str| tenant.services().wasi.env.iter().any(|(given, _)| given == name);
    status.extend(main.env.iter().map(|name| {
        let importers = importers(components, |c| c.imports("wasi:cli/environment"));
        let used = if given(name) { used(Used::Environment) } else { Vec::new() };
        entry(GrantKind::Env, name, (given(name), overlays.env.contains(name)), importers, used)
    }));
    status.into_iter()
}

fn of_hosts<'a>(outbound: &'a Outbound, components: &'a Components) -> impl Iterator<Item = GrantStatus> + 'a {
    let policy = outbound.policy();
    policy.allow.iter().enumerate().map(move |(at, allowed)| {
        let used = outbound.tally().askers(at);
        let used = used.into_iter().map(|(id, times, last)| (id, Count { times, last })).collect();
        let importers = importers(components, |component| component.needs().has(Grant::Http));
        entry(GrantKind::Http, &allowed.to_string(), (policy.enabled, policy.enabled), importers, used)
    })
}

fn outbound_status(outbound: &Outbound) -> OutboundStatus {
    let counts = outbound.tally().counts();
    let of = |reason: &Reason| counts.failed.iter().find(|(known, _)| known == reason).map_or(0, |(_, count)| *count);
    OutboundStatus {
        answered: counts.answered,
        failed: Reason::ALL.iter().map(|reason| (reason.name().to_owned(), of(reason))).collect(),
    }
}

fn importers(components: &Components, imports: impl Fn(&Prepared) -> bool) -> Vec<String> {
    let importers = components.iter().filter(|(_, component)| imports(component));
    importers.map(|(id, _)| id.to_string()).collect()
}

fn entry(
    kind: GrantKind,
    name: &str,
    (granted, overlays): (bool, bool),
    imported_by: Vec<String>,
    used: Vec<(Id, Count)>,
) -> GrantStatus {
    let last = used.iter().map(|(_, count)| count.last).max();
    GrantStatus {
        kind,
        name: name.to_owned(),
        granted,
        overlays,
        imported_by,
        uses: used.iter().fold(0, |sum, (_, count)| sum.saturating_add(count.times)),
        last_used: last.and_then(Timestamp::rfc3339),
        used_by: used.into_iter().map(|(id, Count { times, last })| used_by(&id, times, last)).collect(),
    }
}

fn used_by(component: &Id, uses: u64, last: Timestamp) -> UsedBy {
    UsedBy { component: component.to_string(), uses, last_used: last.rfc3339() }
}
