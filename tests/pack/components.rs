//! Where components are looked for, in which order, and what is said when they are not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::util::{archive, cbor, entry, manifest, put};
use greentic_runner_host::error::Code;
use greentic_runner_host::id::Id;
use greentic_runner_host::pack::{self, LoadOptions};
use serde_json::json;
use tempfile::TempDir;

fn overrides(of: &[(&str, PathBuf)]) -> BTreeMap<Id, PathBuf> {
    of.iter().map(|(id, path)| (Id::from(*id), path.clone())).collect()
}

fn wasm(path: &Path, id: &str, options: &LoadOptions) -> String {
    let pack = pack::load(path, options).unwrap();
    String::from_utf8(pack.components[id].wasm.to_vec()).unwrap()
}

/// A directory that holds the same component as `own`, `dir/echo.wasm` and `over.wasm`.
fn tree(root: &Path) -> LoadOptions {
    put(root, "pack/manifest.cbor", cbor(&manifest(&["echo"])));
    put(root, "pack/components/echo.wasm", "own");
    put(root, "dir/echo.wasm", "dir");
    put(root, "over.wasm", "over");
    let bytes =
        archive(&[entry("manifest.cbor", cbor(&manifest(&["echo"]))), entry("components/echo.wasm", "archive")]);
    put(root, "demo.gtpack", bytes);
    LoadOptions {
        overrides: overrides(&[("echo", root.join("over.wasm"))]),
        components_dir: Some(root.join("dir")),
        ..LoadOptions::default()
    }
}

#[test]
fn an_override_wins_then_the_components_directory_then_the_pack() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    let mut options = tree(root);
    for (path, own) in [("pack", "own"), ("demo.gtpack", "archive")] {
        let path = root.join(path);
        let mut options = options.clone();
        assert_eq!(wasm(&path, "echo", &options), "over");
        options.overrides.clear();
        assert_eq!(wasm(&path, "echo", &options), "dir");
        options.components_dir = None;
        assert_eq!(wasm(&path, "echo", &options), own);
    }
    // The layout of a materialized pack is understood in the components directory too.
    options = LoadOptions { components_dir: Some(root.join("pack")), ..LoadOptions::default() };
    assert_eq!(wasm(&root.join("demo.gtpack"), "echo", &options), "own");
}

#[test]
fn where_a_component_was_found_is_told() {
    let dir = TempDir::new().unwrap();
    tree(dir.path());
    let path = dir.path().join("demo.gtpack");
    let pack = pack::load(&path, &LoadOptions::default()).unwrap();
    assert_eq!(pack.components["echo"].found_in, format!("{}!components/echo.wasm", path.display()));
}

#[test]
fn all_missing_components_are_listed_with_the_places() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    put(root, "components/b.wasm", "b");
    put(root, "manifest.cbor", cbor(&manifest(&["a", "b", "c"])));
    let options = LoadOptions { components_dir: Some(root.join("dir")), ..LoadOptions::default() };
    let error = pack::load(root, &options).unwrap_err();
    assert_eq!(error.code(), Code::ComponentsMissing);
    assert_eq!(error.message(), "components are missing: a, c");
    let text = error.to_string();
    for id in ["a", "c"] {
        let looked = [format!("dir/{id}.wasm"), format!("dir/components/{id}.wasm"), format!("components/{id}.wasm")];
        let looked = looked.map(|place| root.join(place).display().to_string()).join(", ");
        assert!(text.contains(&format!("component \"{id}\" is missing; looked in {looked}")), "{text}");
    }
    assert!(text.contains("--components-map"), "{text}");
}

/// A pack whose first component cannot be opened and whose second does not exist.
fn half_gone(root: &Path) -> LoadOptions {
    put(root, "manifest.cbor", cbor(&manifest(&["a", "b"])));
    put(root, "components/a.wasm", vec![0; 5000]);
    let mut options = LoadOptions::default();
    options.limits.entry = 4096;
    options
}

#[test]
#[cfg(feature = "verify")]
fn with_verify_nothing_is_opened_before_everything_exists() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    let mut options = half_gone(root);
    assert_eq!(pack::load(root, &options).unwrap_err().code(), Code::ComponentsMissing);

    put(root, "components/b.wasm", "b");
    options.overrides = overrides(&[("a", root.join("gone-a.wasm")), ("b", root.join("gone-b.wasm"))]);
    let error = pack::load(root, &options).unwrap_err();
    assert_eq!((error.code(), error.details().len()), (Code::FilesMissing, 2));
    for name in ["gone-a.wasm", "gone-b.wasm"] {
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
#[cfg(not(feature = "verify"))]
fn without_verify_errors_come_when_a_file_is_opened() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    let mut options = half_gone(root);
    assert_eq!(pack::load(root, &options).unwrap_err().code(), Code::ArchiveBounds, "the first file is opened first");

    put(root, "components/a.wasm", "a");
    assert_eq!(pack::load(root, &options).unwrap_err().code(), Code::ComponentsMissing);
    options.overrides = overrides(&[("a", root.join("gone-a.wasm")), ("b", root.join("gone-b.wasm"))]);
    let error = pack::load(root, &options).unwrap_err();
    assert_eq!((error.code(), error.details().len()), (Code::FilesMissing, 0));
    assert!(error.to_string().contains("gone-a.wasm"), "{error}");
}

#[test]
fn an_override_of_nothing_is_noted() {
    let dir = TempDir::new().unwrap();
    let mut options = tree(dir.path());
    options.overrides.insert(Id::from("ecco"), dir.path().join("over.wasm"));
    let pack = pack::load(&dir.path().join("pack"), &options).unwrap();
    assert_eq!(pack.notes[0].message(), "the override of component \"ecco\" is not used");
}

/// A manifest without components and with the extension that lists their sources.
fn with_sources(components: serde_json::Value) -> serde_json::Value {
    let key = "greentic.pack.component_sources@v1";
    let mut value = manifest(&[]);
    let inline = json!({ "schema_version": 1, "components": components });
    value["extensions"] = json!({ key: { "kind": key, "version": "1.0.0", "inline": inline } });
    value
}

fn source(name: &str, digest: &str, artifact: serde_json::Value) -> serde_json::Value {
    let source = format!("oci://registry.example/{name}:1");
    json!({ "name": name, "source": source, "resolved": { "digest": digest }, "artifact": artifact })
}

#[test]
fn component_sources_stand_in_for_components() {
    let inline = json!({ "inline": { "wasm_path": "blobs/echo.wasm" } });
    let digest = format!("sha256:{}", hex::encode(<sha2::Sha256 as sha2::Digest>::digest("x")));
    let load = |sources: serde_json::Value| {
        let bytes = archive(&[entry("blobs/echo.wasm", "x"), entry("manifest.cbor", cbor(&with_sources(sources)))]);
        pack::load_bytes(bytes, "demo.gtpack", &LoadOptions::default())
    };
    let pack = load(json!([source("echo", &digest, inline.clone())])).unwrap();
    let component = &pack.components["echo"];
    assert_eq!((&*component.wasm, &component.version, &component.capabilities), (b"x".as_slice(), &None, &None));

    let error = load(json!([source("echo", &digest.replace(":", ":0"), inline)])).unwrap_err();
    assert_eq!(error.code(), Code::DigestMismatch);
    assert!(error.to_string().contains("\"echo\""), "{error}");

    let error = load(json!([source("away", "sha256:00", json!("remote"))])).unwrap_err();
    assert_eq!(error.code(), Code::ComponentsMissing);
    assert!(error.to_string().contains("oci://registry.example/away:1"), "{error}");

    let outside = json!({ "inline": { "wasm_path": "../../etc/passwd" } });
    let error = load(json!([source("echo", "sha256:00", outside)])).unwrap_err();
    assert_eq!(error.code(), Code::ManifestInvalid);
}
