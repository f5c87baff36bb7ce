//! Components that no person would write, and packs with bytes changed: no panic, and an end.

use arbitrary::{Arbitrary as _, Unstructured};
use greentic_runner_host::Code;
use greentic_runner_host::check::{self, Options, Report, Style};
use proptest::prelude::*;
use serde_json::Value;

use crate::fixtures::node;
use crate::util::{archive, cbor, entry, manifest};

fn checked(name: &str, bytes: &[u8]) -> Report {
    let report = check::check_bytes(name, bytes.to_vec(), &Options::default()).unwrap();
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
}
