//! The surface: what is checked in is what the host has, and components are built against it.

use std::path::PathBuf;

use greentic_runner_host::Code;
use greentic_runner_host::check::{self, Against, Options};
use greentic_runner_host::conform::{self, Record, Severity, Surface};
use serde_json::{Value, json};
use wit_bindgen_core::Files;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use crate::util::put;

fn record() -> Value {
    serde_json::to_value(Record::of(Surface::host().unwrap(), env!("CARGO_PKG_VERSION"))).unwrap()
}

/// The surface in two reviewed files: nothing of it changes unseen.
#[test]
fn the_surface_is_as_checked_in() {
    let files =
        [("docs/surface.wit", conform::surface_wit().unwrap()), ("docs/surface.json", format!("{:#}\n", record()))];
    for (name, current) in files {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("UPDATE_SURFACE").is_some() {
            std::fs::write(&path, &current).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == current, "the surface has changed: if that is meant, UPDATE_SURFACE=1 writes {name} anew");
    }
}

/// A component of `world` of the printed WIT.
fn built(world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("surface.wit", &conform::surface_wit().unwrap()).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    // Two versions of an interface stay two imports.
    let encoder = ComponentEncoder::default().validate(true).merge_imports_based_on_semver(false);
    encoder.module(&module).unwrap().encode().unwrap()
}

#[test]
fn components_that_are_built_against_the_wit_fit() {
    let dir = tempfile::tempdir().unwrap();
    for world in ["node", "provider", "everything"] {
        let name = format!("{world}.wasm");
        put(dir.path(), &name, built(world));
        let report = check::check(&[dir.path().join(&name)], &Options::default(), None).unwrap();
        assert_eq!(report.exit_code(), 0, "{world}: {:?}", report.targets[0].findings);
        let facts = &report.targets[0].components[0];
        assert_eq!(facts.imports.len(), Surface::host().unwrap().imports().len(), "{world} imports everything");
        assert!(!facts.speaks.is_empty(), "{world} can be called");
    }
}

/// wit-bindgen takes the printed WIT: what it makes of it declares every function that the host offers.
#[test]
fn bindings_can_be_generated_from_the_wit() {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("surface.wit", &conform::surface_wit().unwrap()).unwrap();
    let world = resolve.select_world(&[package], Some("everything")).unwrap();
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files).unwrap();
    let (_, header) = files.iter().find(|(name, _)| name.ends_with(".h")).unwrap();
    let header = String::from_utf8_lossy(header);
    for (interface, offer) in Surface::host().unwrap().imports() {
        for function in offer.interface.functions.keys() {
            let (function, interface) = (function.replace('-', "_"), interface.split(['/', '@']).nth(1).unwrap());
            let declared = format!("{}_{function}(", interface.replace('-', "_"));
            let versioned = header.lines().any(|line| line.contains(&format!("_{function}(")));
            assert!(header.contains(&declared) || versioned, "{interface} {function}");
        }
    }
}

#[test]
fn a_record_reads_back_as_the_surface_that_it_is_of() {
    let host = Surface::host().unwrap();
    let read = Record::from_json(record().to_string().as_bytes()).unwrap().surface().unwrap();
    assert_eq!(conform::upgrade(&read, host), []);
    assert_eq!(conform::upgrade(host, &read), []);
    let again = serde_json::to_value(Record::of(&read, env!("CARGO_PKG_VERSION"))).unwrap();
    assert_eq!(again, record());
}

type Change = fn(&mut Value);

#[test]
fn every_step_from_an_old_surface_is_told() {
    const KV: &str = "greentic:host/kv-v1@1.0.0";
    const STATE: &str = "greentic:state/state-store@1.0.0";
    let cases: &[(Change, &str, Severity)] = &[
        (|old| drop(old["imports"].as_object_mut().unwrap().remove(KV)), "kv-v1@1.0.0 is new", Severity::Note),
        (
            |old| old["imports"]["a:b/c@1.0.0"] = json!({ "grants": [], "functions": {} }),
            "a:b/c@1.0.0 is gone",
            Severity::Error,
        ),
        (|old| old["exports"]["a:b/c@1.0.0"] = json!({ "functions": {} }), "a:b/c@1.0.0 is gone", Severity::Error),
        (
            |old| drop(old["imports"][KV]["functions"].as_object_mut().unwrap().remove("put")),
            "has the new function put",
            Severity::Note,
        ),
        (
            |old| old["imports"][KV]["functions"]["wipe"] = json!({ "params": {} }),
            "has lost its function wipe",
            Severity::Error,
        ),
        (
            |old| old["imports"][KV]["functions"]["get"]["result"] = "result<list<u8>, string>".into(),
            "get > result: it was result<list<u8>, string>, it is option<string>",
            Severity::Error,
        ),
        (
            |old| drop(old["imports"][STATE]["types"]["host-error"]["record"].as_object_mut().unwrap().remove("code")),
            "field code: it was nothing, it is string",
            Severity::Error,
        ),
        (|old| old["imports"][KV]["grants"] = json!([]), "grants: it was none, it is kv", Severity::Error),
        (
            |old| old["wasi"]["interfaces"].as_array_mut().unwrap().push("wasi:nn/inference".into()),
            "wasi:nn/inference@0.2 is gone",
            Severity::Error,
        ),
    ];
    for (change, message, severity) in cases {
        let mut old = record();
        change(&mut old);
        let against = Against::read(old.to_string().as_bytes()).unwrap();
        let report = check::check(&[], &Options::default(), Some(&against)).unwrap();
        let findings = &report.targets[0].findings;
        let found = findings.iter().find(|finding| finding.message.contains(message));
        assert_eq!(found.map(|finding| finding.severity), Some(*severity), "{message}: {findings:?}");
        assert_eq!(report.exit_code(), u8::from(*severity == Severity::Error), "{message}");
    }
}

#[test]
fn what_is_no_record_is_refused() {
    let with = |change: Change| {
        let mut value = record();
        change(&mut value);
        value.to_string().into_bytes()
    };
    let kv = |value: Value| move |record: &mut Value| record["imports"]["greentic:host/kv-v1@1.0.0"] = value.clone();
    let function = |result: &str| {
        let mut value = record();
        kv(json!({ "grants": [], "functions": { "f": { "params": {}, "result": result } },
            "types": { "a": { "record": { "b": "b" } }, "b": { "record": { "a": "list<a>" } } } }))(&mut value);
        value.to_string().into_bytes()
    };
    let deep = format!("{}u8{}", "list<".repeat(10_000), ">".repeat(10_000));
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("another object", b"{}".to_vec()),
        ("a later format", with(|value| value["format"] = 2.into())),
        (
            "an unknown grant",
            with(|value| value["imports"]["a:b/c@1.0.0"] = json!({ "grants": ["x"], "functions": {} })),
        ),
        ("an unknown type", function("place")),
        ("a type that is not closed", function("list<u8")),
        ("a type that goes on", function("u8 u8")),
        ("a type that holds itself", function("a")),
        ("a deep type", function(&deep)),
    ] {
        assert_eq!(Against::read(&bytes).unwrap_err().code(), Code::SurfaceInvalid, "{what}");
    }
}
