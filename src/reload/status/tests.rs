use super::*;
use crate::error::{Code, Location};
use crate::trust::{Check, Signed};

fn pack(id: &str) -> PackStatus {
    PackStatus {
        pack_id: id.into(),
        version: "1.2.3".into(),
        digest: format!("sha256:{}", "ab".repeat(32)),
        locator: Some("https://packs.example/demo.gtpack".into()),
        verification: Some(Verification {
            strict: true,
            digest: Check::Matches,
            index_signature: Signed::Valid { key: "release-2026".into() },
            pack_signature: Signed::Absent,
            sbom: Check::Differs,
            certificate: None,
        }),
    }
}

fn error() -> ErrorStatus {
    let part = Error::new(Code::FilesMissing, "flows/a.ygtc is missing");
    let location = Location { file: "index.json".into(), position: Some((3, 5)) };
    ErrorStatus::from(
        &Error::new(Code::DigestMismatch, "it is another pack")
            .hint("publish it")
            .at(location)
            .with_details(vec![part]),
    )
}

fn tenant(id: &str, pack: Option<PackStatus>) -> TenantStatus {
    TenantStatus {
        tenant: id.into(),
        pack,
        overlays: Vec::new(),
        required_secrets: Vec::new(),
        missing_secrets: Vec::new(),
        last_reload: None,
        last_error: None,
        notes: Vec::new(),
    }
}

#[test]
fn the_status_has_the_published_fields() {
    let full = TenantStatus {
        overlays: vec![PackStatus { locator: None, verification: None, ..pack("demo-overlay") }],
        required_secrets: vec!["API_KEY".into(), "TOKEN".into()],
        missing_secrets: vec!["TOKEN".into()],
        last_reload: Some("2026-01-01T00:00:00Z".into()),
        last_error: Some(error()),
        notes: vec![ErrorStatus::from(&Error::new(Code::FlowDisabled, "flow x is disabled"))],
        ..tenant("demo", Some(pack("demo-pack")))
    };
    let status = PacksStatus {
        tenants: vec![full, tenant("empty", None)],
        active: 1,
        last_reload: Some("2026-01-01T00:00:00Z".into()),
        last_error: Some("GRH-0209: it is another pack".into()),
    };
    insta::assert_json_snapshot!(status);
}

#[test]
fn a_report_says_what_happened_to_each_tenant() {
    let of = |tenant: &str, outcome, error| TenantReload { tenant: tenant.into(), outcome, error };
    let report = ReloadReport {
        id: "7".into(),
        state: ReloadState::Failed,
        requested: "2026-01-01T00:00:00Z".into(),
        ended: Some("2026-01-01T00:00:01Z".into()),
        error: None,
        tenants: vec![
            of("a", TenantOutcome::Unchanged, None),
            of("b", TenantOutcome::Loaded, None),
            of("c", TenantOutcome::Unloaded, None),
            of("d", TenantOutcome::Failed, Some(error())),
        ],
    };
    insta::assert_json_snapshot!(report);
}

#[test]
fn a_host_without_a_reloader_says_what_it_loaded() {
    let config = HostConfig::from_yaml("tenant: demo", "demo.yaml").unwrap();
    let host = crate::HostBuilder::new().with_config(config).with_memory_store().build().unwrap();
    let status = PacksStatus::of_host(&host);
    assert_eq!((status.tenants.len(), status.active, &*status.tenants[0].tenant), (1, 0, "demo"));
    assert!(status.tenants[0].pack.is_none() && status.last_error.is_none());
}
