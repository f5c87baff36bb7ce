//! Packs of the generation before pack-v1.

use greentic_runner_host::Result;
use greentic_runner_host::error::Code;
use greentic_runner_host::flow::doc::FlowKind;
use greentic_runner_host::pack::model::{Generation, PackKind};
use greentic_runner_host::pack::{self, Inspection, LoadOptions, Pack};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::util::{LegacyPack, put};

fn load(pack: &LegacyPack) -> Result<Pack> {
    pack::load_bytes(pack.archive(), "old.gtpack", &LoadOptions::default())
}

#[track_caller]
fn refused(pack: &LegacyPack, code: Code, text: &str) {
    let error = load(pack).expect_err("is refused");
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(text), "{text:?} in {error}");
    assert!(error.to_string().contains("old.gtpack"), "the archive is named in {error}");
}

#[test]
fn a_legacy_pack_becomes_the_same_model() {
    let pack = load(&LegacyPack::new()).unwrap();
    assert_eq!((&*pack.id, &*pack.version.to_string(), pack.kind), ("acme.old", "1.2.0", PackKind::Application));
    assert_eq!((pack.name.as_deref(), &*pack.publisher), (Some("Old"), "Acme Inc."));
    assert_eq!(pack.generation, Some(Generation::Legacy));
    assert!(pack.notes.is_empty(), "{:?}", pack.notes);

    let flows: Vec<_> = pack.flows.iter().map(|flow| (&*flow.id, flow.kind, flow.nodes.len())).collect();
    assert_eq!(flows, [("main", FlowKind::Messaging, 2), ("after", FlowKind::Messaging, 1)], "the entry comes first");
    assert_eq!(pack.flows[0].entrypoints["default"], "greet");
    assert_eq!(pack.flows[0].origin.file, "old.gtpack!flows/main/flow.json");

    let echo = &pack.components["echo"];
    assert_eq!((&*echo.wasm, echo.version.as_ref().unwrap().to_string().as_str()), (&b"\0asm echo"[..], "0.3.0"));
    assert_eq!(echo.world.as_deref(), Some("acme:echo/echo@0.3.0"));
    assert_eq!(echo.operations.iter().map(|op| &*op.name).collect::<Vec<_>>(), ["say", "shout"]);
    assert_eq!(pack.assets.get("assets/cards/hello.json").unwrap(), "{}");
    assert_eq!(pack.signatures, ["signatures/chain.pem", "signatures/pack.sig"]);

    let shown = Inspection::of(&pack);
    assert_eq!(serde_json::to_value(&shown).unwrap()["generation"], json!("legacy"));
    assert!(shown.to_string().contains("legacy archive"), "{shown}");
}

#[test]
fn a_legacy_directory_loads_like_its_archive() {
    let dir = TempDir::new().unwrap();
    let old = LegacyPack::new();
    for (name, bytes) in old.files() {
        put(dir.path(), &name, bytes);
    }
    put(dir.path(), "notes.txt", "lies about");
    let (whole, unpacked) = (load(&old).unwrap(), pack::load(dir.path(), &LoadOptions::default()).unwrap());
    assert_eq!(whole.assets, unpacked.assets);
    assert_eq!(whole.components["echo"].digest, unpacked.components["echo"].digest);
    let ids = |pack: &Pack| pack.flows.iter().map(|flow| flow.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&whole), ids(&unpacked));

    put(dir.path(), "components/echo@0.3.0/component.wasm", "\0asm other");
    let error = pack::load(dir.path(), &LoadOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::DigestMismatch, "{error}");
}

#[test]
fn a_flow_without_json_is_read_from_its_source() {
    let mut old = LegacyPack::new();
    old.files.remove("flows/main/flow.json");
    old.bill();
    assert_eq!(load(&old).unwrap().flows[0].origin.file, "old.gtpack!flows/main/flow.ygtc");
    old.files.remove("flows/main/flow.ygtc");
    old.bill();
    refused(&old, Code::FilesMissing, "flow \"main\" names");
}

#[test]
fn changed_files_are_refused() {
    let changed = |name: &str, bytes: &str| {
        let mut old = LegacyPack::new();
        old.bill();
        old.files.insert(name.to_owned(), bytes.into());
        old
    };
    refused(
        &changed("components/echo@0.3.0/component.wasm", "\0asm ecco"),
        Code::DigestMismatch,
        "manifest.cbor states",
    );
    let flow = r#"{"id":"after","type":"messaging","nodes":{"a":{"emit.log":{}}}}"#;
    refused(&changed("flows/after/flow.json", flow), Code::DigestMismatch, "flow \"after\" is not what");
    refused(&changed("assets/cards/hello.json", "[]"), Code::SbomMismatch, "\"assets/cards/hello.json\" differs");
    refused(&changed("assets/new.txt", "x"), Code::SbomMismatch, "\"assets/new.txt\" is not listed");

    let mut old = LegacyPack::new();
    old.bill();
    old.files.remove("provenance.json");
    refused(&old, Code::SbomMismatch, "\"provenance.json\" is listed and does not exist");
    let mut bill: Value = serde_json::from_slice(&old.files["sbom.json"]).unwrap();
    bill["files"].as_array_mut().unwrap().retain(|file| file["path"] != "provenance.json");
    bill["files"][0]["size"] = json!(7);
    old.files.insert("sbom.json".to_owned(), bill.to_string().into());
    refused(&old, Code::SbomMismatch, "7 are listed");
}

#[test]
fn manifests_that_name_nonsense_are_explained_at_once() {
    let old = LegacyPack::with(|manifest| {
        manifest["meta"]["pack_id"] = json!("no such id");
        manifest["meta"]["entry_flows"] = json!(["gone"]);
        manifest["flows"][0]["file_json"] = json!("../../etc/passwd");
        manifest["flows"][1]["file_json"] = json!("");
        manifest["flows"][1]["file_yaml"] = json!("");
        manifest["components"][0]["version"] = json!("newest");
        manifest["extensions"] = json!({ "acme.x": 7 });
    });
    let error = load(&old).unwrap_err();
    assert_eq!(error.code(), Code::ManifestInvalid);
    let text = error.to_string();
    for part in ["meta.pack_id", "\"gone\"", "leads out", "names no file", "components[0]", "acme.x"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_newest_of_several_versions_serves_a_name() {
    let mut old = LegacyPack::with(|manifest| {
        let mut newer = manifest["components"][0].clone();
        newer["version"] = json!("0.10.0");
        newer["file_wasm"] = json!("components/echo@0.10.0/component.wasm");
        newer["hash_blake3"] = json!(blake3::hash(b"\0asm newer").to_hex().as_str());
        manifest["components"].as_array_mut().unwrap().push(newer);
    });
    old.files.insert("components/echo@0.10.0/component.wasm".to_owned(), b"\0asm newer".to_vec());
    old.bill();
    assert_eq!(&*load(&old).unwrap().components["echo"].wasm, b"\0asm newer");
}

#[test]
fn kinds_and_publishers_find_their_place() {
    for (kind, expected) in [
        (Value::Null, PackKind::Application),
        (json!("application"), PackKind::Application),
        (json!("source-provider"), PackKind::Provider),
        (json!("policy-engine"), PackKind::Infrastructure),
        (json!("distribution-bundle"), PackKind::Library),
    ] {
        let old = LegacyPack::with(|manifest| manifest["meta"]["kind"] = kind.clone());
        assert_eq!(load(&old).unwrap().kind, expected, "{kind}");
    }
    let old = LegacyPack::with(|manifest| manifest["meta"]["vendor"] = Value::Null);
    assert_eq!(load(&old).unwrap().publisher, "Ada");
}

#[test]
fn an_empty_legacy_pack_loads() {
    let old = LegacyPack::with(|manifest| {
        manifest["flows"] = json!([]);
        manifest["components"] = json!([]);
        manifest["meta"]["entry_flows"] = json!([]);
    });
    let pack = load(&old).unwrap();
    assert!(pack.flows.is_empty() && pack.components.is_empty());
}

#[test]
fn without_a_bill_of_materials_the_hashes_of_the_manifest_count() {
    let mut old = LegacyPack::new();
    old.files.remove("sbom.json");
    assert!(load(&old).is_ok());
    old.files.insert("components/echo@0.3.0/component.wasm".to_owned(), b"\0asm x".to_vec());
    refused(&old, Code::DigestMismatch, "component \"echo\"");
}
