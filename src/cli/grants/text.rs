//! Grants and uses as people read them.

use std::fmt::Write as _;

use crate::host::grants::{GrantKind, GrantStatus, GrantsStatus, TenantGrants};

/// All tenants; `only_imports` where nothing ran, so that nothing can have been used.
pub(super) fn of(status: &GrantsStatus, only_imports: bool) -> String {
    let mut out = String::new();
    for tenant in &status.tenants {
        if !out.is_empty() {
            out.push('\n');
        }
        let since = status.since.as_ref().map(|since| format!(", uses since {since}")).unwrap_or_default();
        let _ = writeln!(out, "tenant {}{since}", tenant.tenant);
        table(&mut out, tenant, only_imports);
        if !only_imports {
            outbound(&mut out, tenant);
        }
        idle(&mut out, tenant, only_imports);
    }
    out
}

fn table(out: &mut String, tenant: &TenantGrants, only_imports: bool) {
    let mut rows = vec![["KIND", "NAME", "GRANTED", "IMPORTED BY", "USED"].map(str::to_owned)];
    rows.extend(tenant.grants.iter().map(|grant| {
        [kind(grant.kind).to_owned(), grant.name.clone(), granted(grant), listed(&grant.imported_by), used(grant)]
    }));
    let shown = if only_imports { 4 } else { 5 };
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..shown).map(|column| width(column).unwrap_or_default()).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let _ = writeln!(out, "  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn kind(kind: GrantKind) -> &'static str {
    match kind {
        GrantKind::Grant => "grant",
        GrantKind::Wasi => "wasi",
        GrantKind::Env => "env",
        GrantKind::Http => "http",
    }
}

fn granted(grant: &GrantStatus) -> String {
    match (grant.granted, grant.overlays) {
        (false, _) => "no".to_owned(),
        (true, false) => "yes".to_owned(),
        (true, true) => "yes, overlays too".to_owned(),
    }
}

fn listed(components: &[String]) -> String {
    if components.is_empty() { "none".to_owned() } else { components.join(", ") }
}

fn used(grant: &GrantStatus) -> String {
    let Some(last) = grant.last_used.as_ref().filter(|_| grant.uses > 0) else { return "never".to_owned() };
    let by: Vec<_> = grant.used_by.iter().map(|by| format!("{} ({})", by.component, by.uses)).collect();
    format!("{} times, last {last}, by {}", grant.uses, by.join(", "))
}

fn outbound(out: &mut String, tenant: &TenantGrants) {
    let failed = tenant.outbound.failed.iter().filter(|(_, count)| **count > 0);
    let failed: Vec<_> = failed.map(|(reason, count)| format!("{reason} {count}")).collect();
    let failed = if failed.is_empty() { "none".to_owned() } else { failed.join(", ") };
    let _ = writeln!(out, "  requests: {} answered; failed: {failed}", tenant.outbound.answered);
}

/// What could be taken away.
fn idle(out: &mut String, tenant: &TenantGrants, only_imports: bool) {
    let is_idle = |grant: &&GrantStatus| match only_imports {
        true => grant.imported_by.is_empty(),
        false => grant.uses == 0,
    };
    let idle = tenant.grants.iter().filter(|grant| grant.granted).filter(is_idle);
    let idle: Vec<_> = idle.map(|grant| format!("{} {}", kind(grant.kind), grant.name)).collect();
    let what = if only_imports { "imported" } else { "used" };
    let idle = if idle.is_empty() { "nothing".to_owned() } else { idle.join(", ") };
    let _ = writeln!(out, "  granted and never {what}: {idle}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::grants::{OutboundStatus, UsedBy};

    fn status() -> GrantsStatus {
        let at = || Some("2026-01-01T00:00:00Z".to_owned());
        let grant = |kind, name: &str, granted, imported: &[&str], uses: u64| GrantStatus {
            kind,
            name: name.to_owned(),
            granted,
            overlays: name == "kv",
            imported_by: imported.iter().map(|id| (*id).to_owned()).collect(),
            uses,
            last_used: (uses > 0).then(at).flatten(),
            used_by: match uses {
                0 => Vec::new(),
                uses => vec![UsedBy { component: "counter".to_owned(), uses, last_used: at() }],
            },
        };
        let grants = vec![
            grant(GrantKind::Grant, "state", true, &["counter", "greeter"], 12),
            grant(GrantKind::Grant, "kv", true, &[], 0),
            grant(GrantKind::Grant, "http", false, &[], 0),
            grant(GrantKind::Wasi, "stdout", true, &["greeter"], 0),
            grant(GrantKind::Env, "API_REGION", true, &["greeter"], 3),
            grant(GrantKind::Http, "https://api.example.com", true, &[], 0),
        ];
        let failed = [("busy".to_owned(), 0), ("timed_out".to_owned(), 2)].into();
        let outbound = OutboundStatus { answered: 7, failed };
        GrantsStatus { since: at(), tenants: vec![TenantGrants { tenant: "acme".to_owned(), grants, outbound }] }
    }

    #[test]
    fn uses_are_told_as_a_table() {
        insta::assert_snapshot!(of(&status(), false));
    }

    #[test]
    fn what_is_imported_is_told_where_nothing_ran() {
        insta::assert_snapshot!(of(&GrantsStatus { since: None, ..status() }, true));
    }
}
