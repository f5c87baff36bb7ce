//! Lock files, component manifests and runtime flows: what stands beside a manifest.

use greentic_runner_host::error::Code;
use greentic_runner_host::flow::doc::RoutingDoc;
use greentic_runner_host::pack::{self, LoadOptions, Pack};
use greentic_runner_host::{Error, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::util::{Entry, archive, cbor, entry, manifest, put};

fn load(entries: &[Entry]) -> Result<Pack> {
    pack::load_bytes(archive(entries), "demo.gtpack", &LoadOptions::default())
}

fn sha(bytes: &[u8]) -> String {
    hex::encode(<sha2::Sha256 as sha2::Digest>::digest(bytes))
}

fn manifest_entry(components: &[&str]) -> Entry {
    entry("manifest.cbor", cbor(&manifest(components)))
}

fn messages(notes: &[Error]) -> String {
    notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The shape that hosts read.
fn listed(components: Value) -> Value {
    json!({ "schema_version": 1, "components": components })
}

/// The shape that tools write.
fn table(digest: &str) -> Value {
    json!({ "version": 1, "components": { "echo": {
        "component_id": "echo", "ref": "oci://registry.example/echo:1", "abi_version": "0.6.0",
        "resolved_digest": digest, "describe_hash": "00", "operations": [{ "operation_id": "say", "schema_hash": "00" }],
        "world": "acme:echo/echo@1.0.0", "component_version": "2.0.0", "role": "provider",
    } } })
}

#[test]
fn a_lock_file_names_the_components_of_a_manifest_without_any() {
    let echo = entry("components/echo.wasm", "echo");
    for (name, bytes) in [
        ("pack.lock", table(&format!("sha256:{}", sha(b"echo"))).to_string().into_bytes()),
        ("pack.lock.json", table(&format!("blake3:{}", blake3::hash(b"echo").to_hex())).to_string().into_bytes()),
        ("pack.lock.cbor", cbor(&table(&sha(b"echo")))),
    ] {
        let pack = load(&[echo.clone(), manifest_entry(&[]), entry(name, bytes)]).unwrap();
        let component = &pack.components["echo"];
        assert_eq!(component.operations[0].name, "say", "{name}");
        assert_eq!(component.version.as_ref().unwrap().to_string(), "2.0.0");
        assert_eq!(component.world.as_deref(), Some("acme:echo/echo@1.0.0"));
        assert!(pack.notes.is_empty(), "{}", messages(&pack.notes));
    }
    let wrong = entry("pack.lock.cbor", cbor(&table(&sha(b"ecco"))));
    let error = load(&[echo, manifest_entry(&[]), wrong]).unwrap_err();
    assert_eq!(error.code(), Code::DigestMismatch);
    assert!(error.to_string().contains("demo.gtpack!pack.lock.cbor states"), "{error}");
}

#[test]
fn what_a_lock_file_names_and_is_not_there_breaks_nothing() {
    let lock = listed(json!([
        { "name": "echo", "source_ref": "file:///home/build/echo.wasm", "bundled": true, "bundled_path": "blobs/e.wasm",
          "sha256": sha(b"echo") },
        { "name": "emit.response", "ref": "builtin://emit.response", "digest": "sha256:00" },
        { "name": "oci://registry.example/no-id", "ref": "oci://registry.example/no-id" },
        { "name": "gone", "ref": "file:///home/build/gone.wasm", "digest": "sha256:00" },
        { "ref": "x" },
        7,
    ]));
    let entries = [entry("blobs/e.wasm", "echo"), manifest_entry(&[]), entry("pack.lock", lock.to_string())];
    let pack = load(&entries).unwrap();
    assert_eq!(pack.components.keys().map(|id| &**id).collect::<Vec<_>>(), ["echo"]);
    let notes = messages(&pack.notes);
    for part in ["entry 4", "entry 5", "\"gone\", which the pack does not hold"] {
        assert!(notes.contains(part), "{part} in {notes}");
    }
    assert!(!notes.contains("emit.response"), "{notes}");

    // Where the manifest names the components, a lock file adds none.
    let entries = [entry("components/a.wasm", "a"), manifest_entry(&["a"]), entry("pack.lock", lock.to_string())];
    assert_eq!(load(&entries).unwrap().components.len(), 1);
}

#[test]
fn a_lock_file_lies_in_the_pack_beside_it_or_above() {
    let dir = TempDir::new().unwrap();
    let pack = dir.path().join("tenant/packs/demo.gtpack");
    let bytes = archive(&[entry("components/echo.wasm", "echo"), manifest_entry(&["echo"])]);
    put(dir.path(), "tenant/packs/demo.gtpack", &bytes);
    let wrong = listed(json!([{ "name": "echo", "wasm_sha256": sha(b"ecco") }])).to_string();
    let right = listed(json!([{ "name": "echo", "wasm_sha256": sha(b"echo") }])).to_string();
    let load = || pack::load(&pack, &LoadOptions::default());
    assert!(load().is_ok());
    put(dir.path(), "pack.lock", &wrong);
    assert!(load().is_ok(), "two directories above it is too far");
    put(dir.path(), "tenant/pack.lock.json", &wrong);
    assert_eq!(load().unwrap_err().code(), Code::DigestMismatch);
    put(dir.path(), "tenant/packs/pack.lock", &right);
    assert!(load().is_ok(), "what is nearer counts");

    let unpacked = dir.path().join("unpacked");
    put(&unpacked, "manifest.cbor", cbor(&manifest(&["echo"])));
    put(&unpacked, "components/echo.wasm", "echo");
    put(&unpacked, "pack.lock", &wrong);
    let error = pack::load(&unpacked, &LoadOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::DigestMismatch);
    assert!(error.to_string().contains("pack.lock states"), "{error}");

    // An override is another file on purpose.
    put(dir.path(), "own.wasm", "own");
    let overrides = [("echo".into(), dir.path().join("own.wasm"))].into();
    let options = LoadOptions { overrides, ..LoadOptions::default() };
    assert_eq!(&*pack::load(&unpacked, &options).unwrap().components["echo"].wasm, b"own");
}

#[test]
fn a_lock_file_that_cannot_be_read_is_noted() {
    for (lock, text) in [
        ("".as_bytes().to_vec(), "lock file is not used"),
        (b"[[package]]\nname = \"x\"".to_vec(), "lock file is not used"),
        (json!({ "schema_version": 2, "components": [] }).to_string().into_bytes(), "not of version 1"),
        (json!({ "version": 1, "components": 3 }).to_string().into_bytes(), "neither a list nor a map"),
        (listed(json!([{ "name": "echo", "bundled": true }])).to_string().into_bytes(), "its digest is not stated"),
        (listed(json!([{ "name": "echo", "path": "../../x" }])).to_string().into_bytes(), "leads out"),
    ] {
        let entries = [entry("components/echo.wasm", "x"), manifest_entry(&["echo"]), entry("pack.lock", &lock)];
        let pack = load(&entries).unwrap();
        let notes = messages(&pack.notes);
        assert!(notes.contains("GRH-0231") && notes.contains(text), "{text:?} in {notes}");
    }
    let asset = [manifest_entry(&[]), entry("assets/pack.lock.json", "junk")];
    assert!(load(&asset).unwrap().notes.is_empty(), "an asset is no lock file");
}

fn with_extensions(components: &[&str], extensions: Value) -> Entry {
    let mut value = manifest(components);
    let mut wrapped = serde_json::Map::new();
    for (key, inline) in extensions.as_object().unwrap() {
        wrapped.insert(key.clone(), json!({ "kind": key, "version": "1.0.0", "inline": inline }));
    }
    value["extensions"] = Value::Object(wrapped);
    entry("manifest.cbor", cbor(&value))
}

const MANIFESTS: &str = "greentic.pack.component_manifests@v1";
const SOURCES: &str = "greentic.pack.component_sources@v1";

#[test]
fn component_manifests_describe_components() {
    let description = cbor(&json!({
        "id": "echo", "version": "3.0.0", "world": "acme:echo/echo@3.0.0", "supports": ["messaging"],
        "profiles": { "supported": [] }, "capabilities": { "host": { "state": { "read": true } } },
        "operations": [{ "name": "say", "input_schema": { "type": "object" }, "output_schema": {} }],
    }));
    let index = |hash: String| {
        json!({ "schema_version": 1, "entries": [{ "component_id": "echo", "encoding": "cbor", "content_hash": hash,
                "manifest_file": "components/echo.manifest.cbor" }] })
    };
    let sources = json!({ "schema_version": 1, "components": [{ "name": "echo", "source": "oci://x/echo",
        "resolved": { "digest": format!("sha256:{}", sha(b"echo")) },
        "artifact": { "inline": { "wasm_path": "components/echo.wasm" } } }] });
    let entries = |hash: String, described: &[u8]| {
        let extensions = json!({ MANIFESTS: index(hash), SOURCES: sources });
        [
            entry("components/echo.wasm", "echo"),
            entry("components/echo.manifest.cbor", described),
            with_extensions(&[], extensions),
        ]
    };
    let pack = load(&entries(format!("sha256:{}", sha(&description)), &description)).unwrap();
    let echo = &pack.components["echo"];
    assert_eq!((echo.operations[0].name.as_str(), echo.world.as_deref()), ("say", Some("acme:echo/echo@3.0.0")));
    assert_eq!(echo.capabilities.as_ref().unwrap()["host"]["state"]["read"], json!(true));

    let error = load(&entries("sha256:00".to_owned(), &description)).unwrap_err();
    assert_eq!(error.code(), Code::DigestMismatch, "{error}");
    let pack = load(&entries(String::new(), b"junk")).unwrap();
    assert!(messages(&pack.notes).contains("the description of component \"echo\" is not used"), "{:?}", pack.notes);
}

#[test]
fn what_is_published_elsewhere_is_missing_by_digest() {
    let sources = json!({ "schema_version": 1, "components": [{ "name": "away", "source": "oci://registry.example/away:1",
        "resolved": { "digest": "sha256:12ab" }, "artifact": "remote" }] });
    let error = load(&[with_extensions(&[], json!({ SOURCES: sources }))]).unwrap_err();
    assert_eq!(error.code(), Code::ComponentsMissing);
    let text = error.to_string();
    for part in ["sha256:12ab", "oci://registry.example/away:1", "components/away.wasm", "--components-dir"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn runtime_flows_replace_those_of_the_manifest() {
    let node = json!({ "component_id": "echo", "operation_name": "say", "operation_payload": { "a": 1 },
        "routing": { "next": { "node_id": "end" } } });
    let end = json!({ "component": "emit.response", "payload": { "text": "x" } });
    let short = json!({ "id": "main", "flow_type": "messaging", "start": "begin",
        "nodes": { "end": end, "begin": node }, "metadata": { "title": "T" } });
    let full = json!({ "schema_version": "flow-v1", "id": "main", "kind": "messaging",
        "entrypoints": { "default": "begin", "odd": null }, "metadata": { "title": "T", "tags": [], "extra": null },
        "nodes": {
            "end": { "id": "end", "component": { "id": "emit.response" }, "input": { "mapping": { "text": "x" } },
                     "output": { "mapping": null }, "routing": "end", "telemetry": {} },
            "begin": { "id": "begin", "component": { "id": "echo", "pack_alias": null, "operation": "say" },
                       "in_map": { "mapping": { "a": 1 } }, "out_map": { "mapping": null },
                       "routing": { "next": { "node_id": "end" } } },
        } });
    for (key, inline) in [
        ("greentic.pack.runtime_flow", json!({ "flows": [short] })),
        ("greentic.pack.flow_runtime", json!([short])),
        ("greentic.pack.runtime_flows", json!([full])),
    ] {
        let entries = [entry("components/echo.wasm", "x"), with_extensions(&["echo"], json!({ key: inline }))];
        let pack = load(&entries).unwrap();
        assert_eq!(pack.flows.len(), 1, "{key}");
        let flow = &pack.flows[0];
        assert_eq!((&*flow.id, flow.title.as_deref(), &*flow.entrypoints["default"]), ("main", Some("T"), "begin"));
        let begin = &flow.nodes["begin"];
        assert_eq!(
            (&*begin.component, begin.operation.as_deref(), &begin.input),
            ("echo", Some("say"), &json!({ "a": 1 }))
        );
        assert_eq!(begin.routing, RoutingDoc::Next("end".to_owned()));
        assert_eq!((&flow.nodes["end"].routing, &flow.nodes["end"].input), (&RoutingDoc::End, &json!({ "text": "x" })));
    }
    let empty = [with_extensions(&[], json!({ "greentic.pack.runtime_flow": { "flows": [] } }))];
    assert!(load(&empty).unwrap().flows.is_empty());
    let bad = json!([{ "id": "x", "kind": "nonsense", "nodes": { "a": {} } }, { "id": "no id" }]);
    let error = load(&[with_extensions(&[], json!({ "greentic.pack.runtime_flow": bad }))]).unwrap_err();
    assert_eq!(error.code(), Code::FlowInvalid);
    assert!(error.to_string().contains("nonsense") && error.to_string().contains("nodes.a"), "{error}");
}

#[test]
fn further_extensions_are_kept_and_listed() {
    let keys = [
        "greentic.ext.capabilities.v1",
        "greentic.pack-mode.v1",
        "greentic.static-routes.v1",
        "messaging.provider_ingress.v1",
        "messaging.provider_flow_hints",
        "greentic.messaging.validators.v1",
        "messaging.provider_routes.v1",
        "messaging.oauth.v1",
        "messaging.subscriptions.v1",
    ];
    let all: serde_json::Map<_, _> = keys.iter().map(|key| ((*key).to_owned(), json!({ "any": ["thing"] }))).collect();
    let pack = load(&[with_extensions(&[], Value::Object(all))]).unwrap();
    assert_eq!(pack::Inspection::of(&pack).extensions, keys);
    assert!(pack.notes.is_empty(), "{}", messages(&pack.notes));
}
