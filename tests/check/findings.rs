//! Every finding code has a fixture, and each fixture a golden text.

use std::collections::BTreeSet;

use greentic_runner_host::Code;
use greentic_runner_host::capabilities::grants::{Grant, Grants};
use greentic_runner_host::check::{self, Style};

use crate::fixtures;

/// Codes of packs, components and flows that only running something tells, or that are about other commands.
const NOT_OF_CHECK: &[(Code, &str)] = &[
    (Code::PackBuild, "building a pack"),
    (Code::Migrate, "migrating a pack"),
    (Code::ProviderConfig, "the provider says it when it is asked"),
    (Code::ComponentStart, "the component says it when it is asked"),
    (Code::ComponentDescribe, "the component fails when it is asked"),
    (Code::SmokeTest, "an instance of it is made"),
    (Code::ProviderUnhealthy, "the provider says it when it is asked"),
    (Code::SurfaceInvalid, "the command fails before it checks"),
    (Code::KeyInvalid, "it is about keys"),
    (Code::PackUntrusted, "it takes keys"),
    (Code::SignatureInvalid, "it takes keys"),
    (Code::TrustWithoutKeys, "it takes keys"),
    (Code::PackSign, "it is about signing"),
    (Code::OverlayRepeated, "it takes several packs of a tenant"),
    (Code::OverlayComponent, "it takes several packs of a tenant"),
    (Code::OverlayProvider, "it takes several packs of a tenant"),
    (Code::OverlayFlow, "it takes several packs of a tenant"),
    (Code::OverlayGrant, "it takes several packs of a tenant, and its bindings"),
    (Code::OverlayBreaks, "it takes several packs of a tenant"),
    (Code::OverlayAsset, "it takes several packs of a tenant"),
    (Code::ComponentUnpinned, "it is found when components are fetched"),
];

/// Codes outside of the hundreds of packs, components and flows.
const BESIDE: &[Code] = &[Code::InvalidId, Code::Io, Code::TooLarge, Code::FlowDisabled];

#[test]
fn every_code_that_check_can_find_has_a_fixture() {
    let fixtures: BTreeSet<u16> = fixtures::all().iter().map(|fixture| fixture.code.number()).collect();
    assert_eq!(fixtures.len(), fixtures::all().len(), "each code has one");
    let other: Vec<Code> = NOT_OF_CHECK.iter().map(|(code, _)| *code).collect();
    let wanted = |code: &Code| (200..500).contains(&code.number()) && !other.contains(code) || BESIDE.contains(code);
    let wanted: BTreeSet<u16> = Code::ALL.iter().copied().filter(wanted).map(Code::number).collect();
    assert_eq!(fixtures, wanted, "tests/check/fixtures.rs has a fixture for each of them, or NOT_OF_CHECK a reason");
}

#[test]
fn what_is_said_is_as_recorded() {
    for placed in fixtures::all().into_iter().map(fixtures::Fixture::placed) {
        let report = placed.report();
        let text = placed.stable(&check::text(&report, Style { colored: false, verbose: false }));
        let code = placed.code().to_string();
        assert!(text.contains(&format!("[{code}]: ")), "{code} is not found:\n{text}");
        insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(code, text);
        });
    }
}

#[test]
fn every_golden_text_belongs_to_a_fixture() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/golden");
    let files: BTreeSet<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let fixtures: BTreeSet<String> = fixtures::all().iter().map(|fixture| format!("{}.snap", fixture.code)).collect();
    assert_eq!(files, fixtures);
}

#[test]
fn a_finding_that_is_no_note_fails_the_check() {
    for placed in fixtures::all().into_iter().map(fixtures::Fixture::placed) {
        let report = placed.report();
        let counted = report.targets.iter().flat_map(|target| &target.findings).any(check::Finding::counts);
        assert_eq!(report.exit_code() > 0, counted, "{}", placed.code());
    }
}

#[test]
fn a_function_that_is_denied_at_each_call_is_a_warning_with_what_would_supply_it() {
    let old =
        || fixtures::over_host("import greentic:host-import/imports@0.2.0; export greentic:component/node@0.6.0;");
    let (code, supplier) = match cfg!(feature = "mcp") {
        true => (Code::ToolsDenied, "add an `mcp` block to the tenant's bindings"),
        false => (Code::ToolsMissing, "build the host with `--features mcp`"),
    };
    let without = fixtures::Fixture::new(code, "old.wasm", old())
        .set(|options, _| options.grants = Grants::all().without(Grant::Mcp))
        .placed();
    let report = without.report();
    let text = check::text(&report, Style { colored: false, verbose: false });
    assert!(text.contains(&format!("warning[{code}]: component old imports tool-invoke of ")), "{text}");
    assert!(text.contains(supplier) && text.contains("1 warning"), "{text}");
    assert!(report.exit_code() > 0);
    let with = fixtures::Fixture::new(code, "old.wasm", old()).placed().report();
    assert_eq!(with.exit_code() > 0, !cfg!(feature = "mcp"), "{with:?}");
}
