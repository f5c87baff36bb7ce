//! Components that no person would write, and packs with bytes changed: no panic, and an end.

use std::path::PathBuf;

use arbitrary::{Arbitrary as _, Unstructured};
use greentic_runner_host::check::{self, Options, Report, Style};
use greentic_runner_host::{Code, Error};
use proptest::prelude::*;
use serde_json::Value;

use crate::fixtures::node;
use crate::util::{archive, cbor, entry, manifest, put};

fn checked(name: &str, bytes: &[u8]) -> Report {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), name, bytes);
    let report = check::check(&[dir.path().join(name)], &Options::default(), None);
    let report = report.unwrap_or_else(|error: Error| panic!("{error}"));
    let findings = report.targets.iter().flat_map(|target| &target.findings);
    findings.for_each(|finding| assert_ne!(finding.code, Code::Internal, "{}", finding.message));
    check::text(&report, Style { colored: true, verbose: true });
    check::junit(&report).unwrap();
    let log: Value = check::sarif(&report);
    assert!(log["runs"][0]["results"].is_array());
    report
}

fn pack() -> Vec<u8> {
    let flow = entry("assets/hello.txt", "hello");
    archive(&[flow, entry("components/echo.wasm", node()), entry("manifest.cbor", cbor(&manifest(&["echo"])))])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_components_are_checked_to_the_end(seed in prop::collection::vec(any::<u8>(), 64..4096)) {
        let mut unstructured = Unstructured::new(&seed);
        if let Ok(component) = wasm_smith::Component::arbitrary(&mut unstructured) {
            let report = checked("c.wasm", &component.to_bytes());
            // It is a component: what it does not have is an export that the host calls.
            prop_assert!(report.exit_code() == 1, "{report:?}");
        }
    }

    #[test]
    fn changed_components_are_checked_to_the_end(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = node();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        checked("c.wasm", &bytes);
    }

    #[test]
    fn changed_packs_are_checked_to_the_end(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = pack();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        checked("p.gtpack", &bytes);
    }
}

#[test]
fn the_pack_that_is_changed_is_sound_before() {
    assert_eq!(checked("p.gtpack", &pack()).exit_code(), 0);
    assert_eq!(PathBuf::from(&checked("p.gtpack", &pack()).targets[0].path).file_name().unwrap(), "p.gtpack");
}
