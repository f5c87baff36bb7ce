//! Input that nobody should send: explained, bounded, and never a panic.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use greentic_runner_host::Code;
use greentic_runner_host::check::{self, Options, Report, Status, Style};
use serde_json::json;

use crate::fixtures::{component, node, wat};
use crate::util::{archive, cbor, entry, manifest, put};

/// Far more than any of these takes, and far less than one that is not bounded would.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks one file, writes the report in every format, and tells what was found.
#[track_caller]
fn codes(name: &str, bytes: impl AsRef<[u8]>) -> (Vec<Code>, Report) {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), name, bytes);
    let began = Instant::now();
    let report = check::check(&[dir.path().join(name)], &Options::default(), None).unwrap();
    let text = check::text(&report, Style { colored: false, verbose: true });
    check::junit(&report).unwrap();
    let size = text.len() + check::sarif(&report).to_string().len();
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    assert!(size < 4 << 20, "a report of {size} bytes");
    assert!(!text.contains('\x1b'), "a report writes to a terminal");
    (report.targets[0].findings.iter().map(|finding| finding.code).collect(), report)
}

#[test]
fn what_is_no_component_is_not_checked() {
    let whole = node();
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("a core module", wat("(module)")),
        ("text", b"(component)".to_vec()),
        ("a preamble", b"\0asm".to_vec()),
        ("a zip", b"PK\x03\x04".to_vec()),
        ("a cut preamble", whole[..6].to_vec()),
    ] {
        let (codes, report) = codes("c.wasm", bytes);
        assert_eq!((codes, report.exit_code()), (vec![Code::NotAComponent], 2), "{what}");
    }
    let (found, _) = codes("c.wat", "(component (core module $m");
    assert_eq!(found, [Code::NotAComponent]);
    let (found, _) = codes("c.wat", [0xff, 0xfe]);
    assert_eq!(found, [Code::NotAComponent]);
    let (found, _) = codes("c.wat", "(".repeat(1 << 20));
    assert_eq!(found, [Code::NotAComponent]);
}

#[test]
fn every_cut_of_a_component_is_explained() {
    let whole = crate::fixtures::over_host("import greentic:host/kv-v1@1.0.0; export greentic:component/node@0.6.0;");
    for end in (0..whole.len()).step_by(whole.len() / 97) {
        let (found, report) = codes("c.wasm", &whole[..end]);
        // A cut between two sections leaves a component that is whole, if poorer.
        assert!(!found.is_empty() || report.targets[0].status == Status::Clean, "at {end}");
    }
}

#[test]
fn ten_thousand_imports_are_bounded() {
    let importing = |count: usize| {
        let import = |n| format!(r#"(import "acme:p{n}/i@1.0.0" (instance (export "f" (func))))"#);
        wat(&format!("(component {})", (0..count).map(import).collect::<String>()))
    };
    // So many are more than a component may have; as many as it may have are each told.
    let (found, _) = codes("c.wasm", importing(10_000));
    assert_eq!(found, [Code::CompileFailed]);
    let (found, report) = codes("c.wasm", importing(900));
    assert!(found.len() > 400 && found.len() <= 510, "{} findings", found.len());
    assert!(report.targets[0].components[0].imports.len() <= 200);

    let mut host = "package greentic:host@1.0.0; interface kv-v1 {".to_owned();
    for n in 0..10_000 {
        write!(host, "fn{n}: func();").unwrap();
    }
    host.push('}');
    let root = "package test:c; world root { import greentic:host/kv-v1@1.0.0; }";
    let (found, report) = codes("c.wasm", component(&[&host, root]));
    assert_eq!(found.len(), 501, "those that are kept, and the export that is missing");
    // What is not listed is counted, in every format.
    assert_eq!((report.targets[0].omitted, report.summary.omitted), (9_500, 9_500));
    let (text, sarif) = (check::text(&report, Style::default()), check::sarif(&report));
    assert!(
        text.contains("9500 more findings are not listed") && text.contains("; 9500 findings not listed"),
        "{text}"
    );
    assert!(check::junit(&report).unwrap().contains("9500 more findings are not listed"));
    assert_eq!(serde_json::to_value(&report).unwrap()["summary"]["omitted"], 9_500);
    let said = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    assert_eq!(said, "9500 more findings are not listed");
}

#[test]
fn deep_and_wide_types_are_bounded() {
    let deep = |levels: usize| {
        let ty = format!("{}u8{}", "(list ".repeat(levels), ")".repeat(levels));
        format!(r#"(component (import "acme:a/b@1.0.0" (instance (export "f" (func (param "x" {ty}))))))"#)
    };
    for levels in [50, 90, 5_000] {
        // The text form has a bound of its own, so the deepest is made of aliases.
        if let Ok(bytes) = wat::parse_str(deep(levels)) {
            assert!(!codes("c.wasm", bytes).0.is_empty());
        }
    }
    let mut chain = String::from("(component (type $t0 u8)");
    for n in 1..2_000 {
        write!(chain, "(type $t{n} (list $t{}))", n - 1).unwrap();
    }
    chain.push_str(
        r#"(import "acme:a/b@1.0.0" (instance (alias outer 1 $t1999 (type $x)) (export "f" (func (param "x" $x))))))"#,
    );
    assert!(!codes("c.wasm", wat(&chain)).0.is_empty());

    // Each tuple holds the one before it twice: written out it would have 2^60 fields.
    let mut doubling = String::from("(component (type $t0 u8)");
    for n in 1..60 {
        write!(doubling, "(type $t{n} (tuple $t{0} $t{0}))", n - 1).unwrap();
    }
    doubling.push_str(r#"(import "greentic:host/kv-v1@1.0.0" (instance (alias outer 1 $t59 (type $x)) (export "get" (func (param "ns" $x) (param "key" string))))))"#);
    assert!(!codes("c.wasm", wat(&doubling)).0.is_empty());
}

#[test]
fn instances_that_double_are_refused_before_they_are_laid_out() {
    let mut text = "(component $root (component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
    for n in 1..40 {
        let twice = format!("(instance (instantiate $c{})) ", n - 1).repeat(2);
        write!(text, "(component $c{n} (alias outer $root $c{0} (component $c{0})) {twice})", n - 1).unwrap();
    }
    text.push_str("(instance (instantiate $c39)))");
    assert_eq!(codes("c.wasm", wat(&text)).0, [Code::CompileBounds]);
}

#[test]
fn keywords_are_names() {
    let package = "package acme:%package@1.0.0; interface %interface {
        record %record { %type: u8, %func: string } enum %enum { %use, %world }
        %import: func(%export: %record) -> %enum; }";
    let root = "package test:c; world root { import acme:%package/%interface@1.0.0; }";
    let (found, report) = codes("c.wasm", component(&[package, root]));
    assert_eq!(found, [Code::ImportUnknown, Code::ExportMissing]);
    assert_eq!(report.targets[0].findings[0].interface.as_deref(), Some("acme:package/interface@1.0.0"));
}

#[test]
fn names_cannot_write_to_the_terminal() {
    let text = r#"(component (import "acme:a/b@1.0.0" (instance (export "f" (func)))) (@custom "\1b[31m" "x"))"#;
    assert!(!codes("c.wasm", wat(text)).0.is_empty());
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a\x1b[31mb.wasm", node());
    let report = check::check(&[dir.path().to_owned()], &Options::default(), None).unwrap();
    assert!(!check::text(&report, Style::default()).contains('\x1b'));
}

#[test]
fn packs_that_hold_nothing_or_not_what_they_name_are_explained() {
    let with = |entries: &[crate::util::Entry]| codes("p.gtpack", archive(entries));
    let described = |components: &[&str]| entry("manifest.cbor", cbor(&manifest(components)));
    assert_eq!(with(&[]).0, [Code::ManifestMissing]);
    assert_eq!(with(&[described(&[])]).0, []);
    assert_eq!(with(&[described(&["a", "b"])]).0, [Code::ComponentsMissing, Code::ComponentsMissing]);
    assert_eq!(with(&[entry("manifest.cbor", "")]).0, [Code::ManifestInvalid]);
    assert_eq!(with(&[entry("manifest.cbor", [0x9f; 100_000])]).0.len(), 1);
    let (found, report) = with(&[described(&["a"]), entry("components/a.wasm", "(component)")]);
    assert_eq!((found, report.exit_code()), (vec![Code::NotAComponent], 1));
    let (found, _) = codes("p.gtpack", "");
    assert_eq!(found, [Code::ArchiveInvalid]);
}

#[test]
fn two_providers_of_one_id_are_told_apart_from_two_of_one_type() {
    let provider = |id: &str| json!({ "provider_type": "t", "provider_id": id, "runtime": { "component_ref": "c" } });
    let mut twins = manifest(&["c"]);
    let key = "greentic.provider-extension.v1";
    twins["extensions"] =
        json!({ key: { "kind": key, "version": "1.0.0", "inline": { "providers": [provider("a"), provider("a")] } } });
    let (found, report) =
        codes("p.gtpack", archive(&[entry("manifest.cbor", cbor(&twins)), entry("components/c.wasm", node())]));
    assert_eq!(found, [Code::ProviderInvalid]);
    assert!(report.targets[0].findings[0].message.contains("declared twice"));
}

#[test]
fn oversized_files_are_refused_unread() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["large.wasm", "large.gtpack"] {
        let path = dir.path().join(name);
        // Sparse: it takes no room on the disk, and reading it whole would take a gigabyte of memory.
        std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
        let report = check::check(&[path], &Options::default(), None).unwrap();
        assert_eq!(report.exit_code(), 2, "{name}");
        assert_eq!(report.targets[0].findings[0].code, Code::ArchiveBounds, "{name}");
    }

    let mut module = wat("(component)");
    module.extend([0, 0x80, 0x80, 0x80, 0x19, 1, b'x']);
    module.resize((50 << 20) + 100, 0);
    assert!(!codes("padded.wasm", module).0.is_empty());
}
