//! The forms of packs, building them, looking at them, and starting a new one.

use std::path::Path;

use greentic_runner_host::error::Code;
use greentic_runner_host::flow::compile::{Catalog, ComponentInfo, ProviderInfo, compile};
use greentic_runner_host::flow::doc::{FlowDoc, FlowKind, RoutingDoc};
use greentic_runner_host::flow::model::FlowState;
use greentic_runner_host::id::Id;
use greentic_runner_host::pack::model::{Digest, PackForm, PackKind};
use greentic_runner_host::pack::sbom::Sbom;
use greentic_runner_host::pack::{self, Inspection, Limits, LoadOptions, Pack};
use serde_json::json;
use tempfile::TempDir;

use crate::util::{FLOW, put, sources};

fn load(path: impl AsRef<Path>) -> Pack {
    pack::load(path.as_ref(), &LoadOptions::default()).unwrap()
}

#[track_caller]
fn refused(path: impl AsRef<Path>, code: Code, text: &str) {
    let error = pack::load(path.as_ref(), &LoadOptions::default()).expect_err("is refused");
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(text), "{text:?} in {error}");
}

#[test]
fn sources_load_by_directory_and_by_any_of_their_files() {
    let dir = TempDir::new().unwrap();
    sources(dir.path());
    let whole = load(dir.path());
    assert_eq!(whole.form, PackForm::Sources);
    assert_eq!((&*whole.id, whole.version.to_string().as_str(), &*whole.publisher), ("acme.demo", "1.2.3", "acme"));
    let flows: Vec<_> = whole.flows.iter().map(|flow| &*flow.id).collect();
    assert_eq!(flows, ["main", "after"], "the index comes first");
    assert_eq!(whole.components.keys().map(|id| &**id).collect::<Vec<_>>(), ["echo", "other"]);
    let echo = &whole.components["echo"];
    assert_eq!(echo.operations.iter().map(|op| &*op.name).collect::<Vec<_>>(), ["say", "shout"]);
    assert_eq!(echo.capabilities, Some(json!({ "host": { "state": { "read": true, "write": true } } })));
    let provider = &whole.providers["acme.echo"];
    assert_eq!((&*provider.component, &provider.config), ("echo", &Some(json!({ "loud": true }))));
    assert_eq!(whole.assets.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["assets/cards/hello.json"]);
    assert_eq!(whole.extensions["acme.routes.v1"], json!({ "routes": [1] }));
    for file in ["index.ygtc", "pack.yaml", "after.ygtc"] {
        let same = load(dir.path().join(file));
        assert_eq!((same.digest, same.form), (whole.digest, PackForm::Sources), "{file}");
    }
}

#[test]
fn the_digest_of_a_directory_changes_with_what_the_pack_holds() {
    let dir = TempDir::new().unwrap();
    sources(dir.path());
    let mut digests = vec![load(dir.path()).digest];
    put(dir.path(), "notes.txt", "changed");
    assert_eq!(load(dir.path()).digest, digests[0], "a file that is not part of the pack changes nothing");
    for file in ["index.ygtc", "components/echo.wasm", "assets/cards/hello.json", "pack.yaml"] {
        let before = std::fs::read_to_string(dir.path().join(file)).unwrap();
        put(dir.path(), file, before + "\n# changed");
        let digest = load(dir.path()).digest;
        assert!(!digests.contains(&digest), "{file}");
        digests.push(digest);
    }
}

#[test]
fn sources_need_no_description() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("my bot");
    put(&root, "index.ygtc", FLOW);
    put(&root, "components/echo.wasm", b"\0asm");
    put(&root, "components/b.wasm", b"\0asm");
    put(&root, "components/readme.md", b"not a component");
    let pack = load(root.join("index.ygtc"));
    assert_eq!((&*pack.id, pack.version.to_string().as_str(), pack.kind), ("my-bot", "0.0.0", PackKind::Application));
    assert_eq!(pack.components.keys().map(|id| &**id).collect::<Vec<_>>(), ["b", "echo"]);
}

#[test]
fn a_component_is_a_pack_without_flows() {
    let dir = TempDir::new().unwrap();
    put(dir.path(), "my echo.wasm", b"\0asm\x0d\0\x01\0");
    let pack = load(dir.path().join("my echo.wasm"));
    assert_eq!((&*pack.id, pack.form, pack.flows.len()), ("my-echo", PackForm::Wasm, 0));
    assert_eq!(&*pack.components["my-echo"].wasm, b"\0asm\x0d\0\x01\0");
    assert_eq!(pack.components["my-echo"].digest, pack.digest);
}

#[test]
fn what_is_no_pack_is_refused_with_what_would_be_one() {
    let dir = TempDir::new().unwrap();
    put(dir.path(), "json.gtpack", b"{\"pack\": 1}");
    put(dir.path(), "text.txt", b"hello");
    refused(dir.path().join("gone.gtpack"), Code::Io, "gone.gtpack");
    refused(dir.path().join("json.gtpack"), Code::ArchiveInvalid, "JSON text");
    refused(dir.path().join("text.txt"), Code::PackKind, "manifest.cbor");
    refused(dir.path(), Code::PackKind, ".ygtc");
}

#[test]
fn mistakes_in_sources_are_located() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    let place = |file: &str, position: &str| format!("{}{position}", root.join(file).display());
    sources(root);
    put(root, "pack.yaml", "pack_id: x\nversoin: 1.0.0\n");
    refused(root, Code::ManifestInvalid, &place("pack.yaml", ":2:1"));
    put(root, "pack.yaml", "pack_id: no such/id\n");
    refused(root, Code::InvalidId, &place("pack.yaml", ""));
    put(root, "pack.yaml", "version: '1'\n");
    refused(root, Code::ManifestInvalid, &place("pack.yaml", ":1:"));
    put(root, "pack.yaml", b"\xff");
    refused(root, Code::ManifestInvalid, "not UTF-8");
    put(root, "pack.yaml", "components: { gone: }\n");
    refused(root, Code::ComponentsMissing, "components/gone.wasm");
    put(root, "pack.yaml", "providers: [{ provider_type: p, component: ecco }]\n");
    refused(root, Code::ProviderInvalid, "the pack has \"echo\"");
    put(root, "pack.yaml", "providers: [{ provider_type: p, component: echo, world: 'provider:common@0.0.2' }]\n");
    refused(root, Code::LegacyProviderWorld, &place("pack.yaml", ""));
    put(root, "pack.yaml", "extensions: { greentic.ext.provider: {} }\n");
    refused(root, Code::ProviderInvalid, "under `providers`");
    put(root, "pack.yaml", "");
    put(root, "broken.ygtc", "id: [\n");
    put(root, "latin.ygtc", b"id: \xe4");
    let error = pack::load(root, &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("broken.ygtc:") && error.contains("not UTF-8 text (byte 4)"), "{error}");
}

#[test]
#[cfg(feature = "verify")]
fn a_schema_that_an_author_names_must_exist() {
    let dir = TempDir::new().unwrap();
    sources(dir.path());
    std::fs::remove_file(dir.path().join("schemas/echo.json")).unwrap();
    refused(dir.path(), Code::FilesMissing, "schemas/echo.json does not exist");
}

#[test]
#[cfg(unix)]
fn links_are_followed_to_components_only() {
    use std::os::unix::fs::symlink;
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("pack");
    sources(&root);
    put(dir.path(), "secret", "secret");
    std::fs::remove_file(root.join("components/other.wasm")).unwrap();
    symlink(dir.path().join("secret"), root.join("components/other.wasm")).unwrap();
    assert_eq!(&*load(&root).components["other"].wasm, b"secret");
    symlink(dir.path().join("secret"), root.join("assets/link")).unwrap();
    refused(&root, Code::ArchiveEntry, "\"assets/link\" is a symbolic link");
    std::fs::remove_dir_all(root.join("assets")).unwrap();
    symlink(dir.path(), root.join("assets")).unwrap();
    refused(&root, Code::ArchiveEntry, "\"assets\" is a symbolic link");
}

#[test]
fn a_directory_is_read_within_bounds() {
    let dir = TempDir::new().unwrap();
    sources(dir.path());
    let with = |limits| pack::load(dir.path(), &LoadOptions { limits, ..LoadOptions::default() });
    for limits in [
        Limits { entry: 100, ..Limits::default() },
        Limits { total: 1500, ..Limits::default() },
        Limits { entries: 1, ..Limits::default() },
        Limits { depth: 2, ..Limits::default() },
    ] {
        let error = with(limits.clone()).expect_err("is refused");
        assert_eq!(error.code(), Code::ArchiveBounds, "{limits:?}: {error}");
    }
}

/// A flow without the places where it was read.
fn content(pack: &Pack) -> Vec<FlowDoc> {
    let strip = |flow: &FlowDoc| {
        let mut flow = flow.clone();
        flow.origin.file.clear();
        flow.nodes.values_mut().for_each(|node| node.location = None);
        flow
    };
    pack.flows.iter().map(strip).collect()
}

#[test]
fn what_is_built_is_what_was_written() {
    let dir = TempDir::new().unwrap();
    let (root, out) = (dir.path().join("pack"), dir.path().join("demo.gtpack"));
    sources(&root);
    let report = pack::build(&root, &out).unwrap();
    let (before, after) = (load(&root), load(&out));
    assert_eq!(after.form, PackForm::Archive);
    assert_eq!(after.digest, report.digest);
    assert_eq!(content(&before), content(&after));
    assert_eq!(before.flows.len(), 2);
    assert_eq!(before.assets, after.assets);
    assert_eq!(before.extensions, after.extensions);
    assert_eq!(before.secret_requirements, after.secret_requirements);
    assert_eq!(
        (&before.id, &before.name, &before.version, before.kind, &before.publisher),
        (&after.id, &after.name, &after.version, after.kind, &after.publisher)
    );
    for (old, new) in before.components.values().zip(after.components.values()) {
        assert_eq!((&old.id, &old.wasm, old.digest), (&new.id, &new.wasm, new.digest));
        assert_eq!((&old.version, &old.world, &old.operations), (&new.version, &new.world, &new.operations));
    }
    assert_eq!(after.components["other"].capabilities, None);
    let host = json!({ "state": { "read": true, "write": true } });
    assert_eq!(after.components["echo"].capabilities.as_ref().unwrap()["host"], host);
    for (old, new) in before.providers.values().zip(after.providers.values()) {
        assert_eq!(
            (&old.id, &old.ops, &old.config, &old.config_schema_ref),
            (&new.id, &new.ops, &new.config, &new.config_schema_ref)
        );
    }
    assert!(after.notes.is_empty(), "{:?}", after.notes);
    assert!(matches!(&after.flows[0].nodes["greet"].routing, RoutingDoc::Branch { .. }));
    assert_eq!(after.flows[0].nodes["greet"].err_map, json!({ "mapping": "sorry" }));
    assert_eq!(after.flows[0].kind, FlowKind::Messaging);
}

#[test]
fn the_layout_is_the_published_one_and_the_bytes_are_reproducible() {
    let dir = TempDir::new().unwrap();
    let build = |name: &str| {
        let (root, out) = (dir.path().join(name), dir.path().join(name).with_extension("gtpack"));
        sources(&root);
        let report = pack::build(&root.join("index.ygtc"), &out).unwrap();
        (std::fs::read(out).unwrap(), report)
    };
    let ((one, report), (two, _)) = (build("one"), build("two"));
    assert_eq!(one, two);
    let names: Vec<_> = report.files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "assets/cards/hello.json",
        "components/echo.wasm",
        "components/other.wasm",
        "manifest.cbor",
        "sbom.cbor",
        "schemas/echo.json",
    ];
    assert_eq!(names, expected);
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&one)).unwrap();
    let mut bill = Vec::new();
    for (at, name) in expected.iter().enumerate() {
        let mut file = zip.by_index(at).unwrap();
        assert_eq!(file.name().unwrap(), *name);
        assert_eq!(file.unix_mode(), Some(0o100_644));
        assert_eq!(file.last_modified().unwrap().to_string(), "1980-01-01 00:00:00");
        if *name == "sbom.cbor" {
            std::io::Read::read_to_end(&mut file, &mut bill).unwrap();
        }
    }
    let bill = Sbom::decode(&bill, &Limits::default()).unwrap();
    assert_eq!(bill.format, "greentic-sbom-v1");
    let listed: Vec<_> = bill.files.iter().map(|file| (file.path.as_str(), file.media_type.as_str())).collect();
    assert_eq!(
        listed,
        [
            ("assets/cards/hello.json", "application/json"),
            ("components/echo.wasm", "application/wasm"),
            ("components/other.wasm", "application/wasm"),
            ("manifest.cbor", "application/cbor"),
            ("schemas/echo.json", "application/json"),
        ]
    );
    assert_eq!(bill.files[1].hash_blake3, blake3::hash(b"\0asm echo").to_hex().as_str());
    assert_eq!(bill.files[1].size, 9);
}

#[test]
fn a_build_that_fails_writes_nothing() {
    let dir = TempDir::new().unwrap();
    let (root, out) = (dir.path().join("pack"), dir.path().join("demo.gtpack"));
    put(dir.path(), "demo.gtpack", "as it was");
    put(&root, "readme.md", "no sources");
    assert_eq!(pack::build(&root, &out).unwrap_err().code(), Code::PackBuild);
    sources(&root);
    put(&root, "bad.ygtc", FLOW.replace("id: main", "id: bad").replace("{ to: sorry }", "{ to: nowhere }"));
    let error = pack::build(&root, &out).unwrap_err();
    assert_eq!(error.code(), Code::PackBuild);
    for part in ["\"greet\"", "\"bad\"", "\"nowhere\"", "bad.ygtc:"] {
        assert!(error.to_string().contains(part), "{part} in {error}");
    }
    std::fs::remove_file(root.join("bad.ygtc")).unwrap();
    // A pack that would be refused at load is not written either.
    put(&root, "assets/zeros", vec![0; 3 << 20]);
    assert_eq!(pack::build(&root, &out).unwrap_err().code(), Code::ArchiveBounds);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "as it was");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "no temporary file is left");
    std::fs::remove_file(root.join("assets/zeros")).unwrap();
    assert_eq!(pack::build(&root, &dir.path().join("no/such/dir.gtpack")).unwrap_err().code(), Code::PackBuild);
}

#[test]
fn an_inspection_shows_everything_but_configuration() {
    let dir = TempDir::new().unwrap();
    let (root, out) = (dir.path().join("pack"), dir.path().join("demo.gtpack"));
    sources(&root);
    pack::build(&root, &out).unwrap();
    let mut pack = pack::load_bytes(std::fs::read(&out).unwrap(), "demo.gtpack", &LoadOptions::default()).unwrap();
    // How well the archive is packed is not what this is about.
    pack.digest = Digest([0x11; 32]);
    pack.publisher = "a\x1b[31mcme".to_owned();
    pack.notes.push(greentic_runner_host::Error::new(Code::DigestMismatch, "\"manifest.cbor\" is not listed"));
    let inspection = Inspection::of(&pack);
    insta::assert_snapshot!("inspection", inspection);
    insta::assert_json_snapshot!("inspection_json", inspection);
}

/// What a pack without components offers to its flows.
struct NoComponents;

impl Catalog for NoComponents {
    fn component(&self, _: &str) -> Option<ComponentInfo> {
        None
    }
    fn component_ids(&self) -> Vec<Id> {
        Vec::new()
    }
    fn provider(&self, _: &str) -> Option<ProviderInfo> {
        None
    }
    fn providers_of_type(&self, _: &str) -> Vec<Id> {
        Vec::new()
    }
    fn provider_ids(&self) -> Vec<Id> {
        Vec::new()
    }
}

#[test]
fn a_new_pack_builds_at_once_and_nothing_is_overwritten() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("my bot");
    let files = pack::scaffold(&root).unwrap();
    assert_eq!(files, [root.join("pack.yaml"), root.join("index.ygtc")]);
    let report = pack::build(&root, &dir.path().join("bot.gtpack")).unwrap();
    assert_eq!((&*report.pack.id, report.pack.flows.len()), ("my-bot", 1));
    let compiled = compile(&report.pack.flows, &NoComponents);
    assert!(matches!(compiled.flows["main"], FlowState::Ready(_)), "{:?}", compiled.flows["main"]);
    assert!(compiled.notes.is_empty(), "{:?}", compiled.notes);

    std::fs::remove_file(root.join("pack.yaml")).unwrap();
    put(&root, "index.ygtc", "mine");
    let error = pack::scaffold(&root).unwrap_err();
    assert_eq!(error.code(), Code::PackBuild);
    assert!(error.to_string().contains("index.ygtc exists already"), "{error}");
    assert_eq!(std::fs::read_to_string(root.join("index.ygtc")).unwrap(), "mine");
    assert!(!root.join("pack.yaml").exists(), "nothing is written beside it");
}
