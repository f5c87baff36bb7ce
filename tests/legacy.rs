//! Packs of the generation before pack-v1 through the whole host: loaded, run, migrated, and run again.

// The lints' exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use common::{event, guest, say, texts};
use greentic_runner_host::error::Code;
use greentic_runner_host::run::event::FlowChoice;
use greentic_runner_host::trust::{PrivateKey, PublicKey, Signed, Strictness, TrustPolicy};
use greentic_runner_host::{HostBuilder, HostConfig, LoadOptions, RunnerHost};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The files of a pack by name.
type Files = BTreeMap<String, Vec<u8>>;

fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn archive(dir: &Path, name: &str, files: &Files) -> PathBuf {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let path = dir.join(name);
    std::fs::write(&path, zip.finish().unwrap().into_inner()).unwrap();
    path
}

/// A flow as flow files have it.
fn greeting() -> Value {
    json!({
        "id": "main", "type": "messaging", "title": "Greeting", "start": "ask", "parameters": {},
        "nodes": {
            "ask": { "component.exec": { "component": "echo", "operation": "echo",
                     "input": { "text": "hello {{in.text}}" } }, "routing": [{ "to": "hold" }] },
            "hold": { "session.wait": { "reason": "more" }, "routing": [{ "to": "read" }] },
            "read": { "reader": { "path": "hello.txt" }, "operation": "read", "routing": [{ "to": "done" }] },
            "done": { "emit.response": { "text": "{{in.text}}: {{node.read.text}}" }, "routing": [] },
        },
    })
}

/// The same kind of flow as tools compiled it.
fn compiled() -> Value {
    json!({
        "id": "compiled", "flow_type": "event", "start": "in", "parameters": {},
        "nodes": {
            "in": { "component": "echo.echo", "payload_expr": { "n": 1 }, "routes": [{ "to": "tell" }] },
            "tell": { "component": "emit.response", "payload_expr": { "text": "compiled" }, "routes": [{ "out": true }] },
        },
    })
}

fn legacy() -> Files {
    let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    let empty = json!({ "id": "setup", "type": "component-config", "nodes": [] });
    let flows = [greeting(), compiled(), empty];
    let (echo, reader) = (guest("echo-node"), guest("assets-reader"));
    let component = |name: &str, bytes: &[u8]| {
        json!({ "name": name, "version": "1.0.0", "file_wasm": format!("components/{name}@1.0.0/component.wasm"),
                "hash_blake3": hash(bytes), "schema_file": null, "manifest_file": null, "world": null, "capabilities": null })
    };
    let flow = |doc: &Value| {
        let id = doc["id"].as_str().unwrap();
        json!({ "id": id, "kind": "messaging", "entry": "", "file_yaml": format!("flows/{id}/flow.ygtc"),
                "file_json": format!("flows/{id}/flow.json"), "hash_blake3": hash(doc.to_string().as_bytes()) })
    };
    let manifest = json!({
        "meta": { "packVersion": 1, "pack_id": "acme.old", "version": "1.2.0", "name": "Old", "authors": ["Ada"],
                  "description": "of old", "entry_flows": ["main"], "created_at_utc": "2025-01-01T00:00:00Z",
                  "imports": [], "annotations": {} },
        "flows": flows.iter().map(flow).collect::<Vec<_>>(),
        "components": [component("echo", &echo), component("reader", &reader)],
    });
    let mut files = Files::from([
        ("manifest.cbor".to_owned(), cbor(&manifest)),
        ("manifest.json".to_owned(), manifest.to_string().into()),
        ("provenance.json".to_owned(), b"{}".to_vec()),
        ("assets/hello.txt".to_owned(), b"from the assets".to_vec()),
        ("components/echo@1.0.0/component.wasm".to_owned(), echo),
        ("components/reader@1.0.0/component.wasm".to_owned(), reader),
    ]);
    for doc in &flows {
        files.insert(format!("flows/{}/flow.json", doc["id"].as_str().unwrap()), doc.to_string().into());
    }
    let list = files.iter().map(|(path, bytes)| {
        json!({ "path": path, "size": bytes.len(), "hash_blake3": hash(bytes), "media_type": "application/octet-stream" })
    });
    let bill = json!({ "format": "greentic-sbom-v1", "files": list.collect::<Vec<_>>() });
    files.insert("sbom.json".to_owned(), bill.to_string().into());
    files
}

async fn host(pack: &Path) -> RunnerHost {
    let config = HostConfig::from_yaml("tenant: t", "bindings.yaml").unwrap();
    let host = HostBuilder::new().with_config(config).with_memory_store().build().unwrap();
    host.start().await.unwrap();
    host.load_pack("t", pack).await.unwrap();
    host
}

/// What a conversation with a pack gives: every reply, and what becomes of a flow without nodes.
async fn transcript(pack: &Path) -> Vec<String> {
    let host = host(pack).await;
    let mut out = texts(&say(&host, "s", "one").await.unwrap());
    out.extend(texts(&say(&host, "s", "two").await.unwrap()));
    for flow in ["compiled", "setup"] {
        let mut event = event("u", json!({}));
        event.flow = FlowChoice::Id(flow.into());
        out.push(match host.submit(event).await.unwrap().outcome().await {
            Ok(outcome) => texts(&outcome).join(" "),
            Err(error) => error.code().to_string(),
        });
    }
    out
}

const SAID: [&str; 3] = ["two: from the assets", "compiled", "GRH-0604"];

#[tokio::test]
async fn a_legacy_pack_runs_and_so_does_what_it_is_migrated_to() {
    let dir = TempDir::new().unwrap();
    let old = archive(dir.path(), "old.gtpack", &legacy());
    assert_eq!(transcript(&old).await, SAID);

    let new = dir.path().join("new.gtpack");
    let migrated = cli(&["pack", "migrate", old.to_str().unwrap(), "-o", new.to_str().unwrap()]);
    assert_eq!(migrated.0, 0, "{}", migrated.2);
    assert!(migrated.1.starts_with("sha256:"), "{}", migrated.1);
    for lost in ["meta.description", "meta.created_at_utc", "provenance.json"] {
        assert!(migrated.2.contains(lost), "{lost} in {}", migrated.2);
    }
    assert_eq!(transcript(&new).await, SAID);

    let again = dir.path().join("again.gtpack");
    assert_eq!(cli(&["pack", "migrate", old.to_str().unwrap(), "-o", again.to_str().unwrap()]).0, 0);
    let bytes = std::fs::read(&new).unwrap();
    assert_eq!(bytes, std::fs::read(&again).unwrap(), "the same pack gives the same bytes");
    assert_eq!(cli(&["pack", "migrate", new.to_str().unwrap(), "-o", again.to_str().unwrap()]).0, 0);
    assert_eq!(bytes, std::fs::read(&again).unwrap(), "a pack in the current form stays as it is");
    let shown = cli(&["pack", "inspect", new.to_str().unwrap(), "--json"]).1;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["generation"], &shown["id"]), (&json!("pack-v1"), &json!("acme.old")));
}

/// Exit code, stdout and stderr of the binary.
fn cli(args: &[&str]) -> (i32, String, String) {
    let out = Command::cargo_bin("greentic-runner").unwrap().args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn what_cannot_be_migrated_is_explained() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out.gtpack");
    let migrate = |path: &Path| cli(&["pack", "migrate", path.to_str().unwrap(), "-o", out.to_str().unwrap()]);

    let wasm = dir.path().join("one.wasm");
    std::fs::write(&wasm, guest("echo-node")).unwrap();
    std::fs::create_dir(dir.path().join("sources")).unwrap();
    std::fs::write(dir.path().join("sources/index.ygtc"), greeting().to_string()).unwrap();
    for path in [wasm, dir.path().join("sources")] {
        let (code, _, said) = migrate(&path);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("GRH-0232"), "{said}");
    }

    let mut files = legacy();
    files.insert("components/echo@1.0.0/component.wasm".to_owned(), b"\0asm".to_vec());
    let (code, _, said) = migrate(&archive(dir.path(), "changed.gtpack", &files));
    assert_eq!(code, 2);
    assert!(said.contains(&Code::DigestMismatch.to_string()), "{said}");
    assert!(!out.exists());
}

#[tokio::test]
async fn a_pack_of_nothing_but_empty_flows_and_components_loads() {
    let dir = TempDir::new().unwrap();
    let manifest = json!({
        "schema_version": "pack-v1", "pack_id": "acme.empty", "version": "1.0.0", "kind": "provider", "publisher": "acme",
        "symbols": { "component_ids": ["empty"], "node_ids": ["a"], "capability_names": [], "pack_ids": [] },
        "components": [{ "id": 0, "version": "1.0.0" }],
        "flows": [
            { "id": "setup", "kind": "component_config", "flow": { "id": "setup", "kind": "component_config", "nodes": [] } },
            { "id": "main", "kind": "messaging", "flow": { "id": "main", "kind": "messaging", "nodes": [
                { "id": 0, "component": { "id": 0, "operation": "run" }, "routing": "End" } ] } },
        ],
    });
    let files = Files::from([
        ("manifest.cbor".to_owned(), cbor(&manifest)),
        ("components/empty.wasm".to_owned(), guest("empty")),
    ]);
    let host = host(&archive(dir.path(), "empty.gtpack", &files)).await;
    let error = say(&host, "s", "hi").await.unwrap_err();
    assert_eq!(error.code(), Code::FlowDisabled);
    assert!(error.to_string().contains("empty"), "the component is named in {error}");
}

#[tokio::test]
async fn a_signed_legacy_pack_runs_where_packs_are_verified_strictly() {
    let dir = TempDir::new().unwrap();
    let old = archive(dir.path(), "old.gtpack", &legacy());
    let signed = dir.path().join("signed.gtpack");
    let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
    greentic_runner_host::pack::sign(&old, &key, None, jiff::Timestamp::UNIX_EPOCH, &signed).unwrap();
    let host = |keys: Vec<PublicKey>| {
        let config = HostConfig::from_yaml("tenant: t", "bindings.yaml").unwrap();
        let trust = TrustPolicy { keys, strictness: Strictness::ByKeys };
        HostBuilder::new().with_config(config).with_memory_store().with_trust(trust).build().unwrap()
    };

    let stranger = host(vec![other.public()]);
    let refused = stranger.load_pack("t", &signed).await.unwrap_err();
    assert_eq!(refused.code(), Code::PackUntrusted);
    assert!(stranger.tenant("t").is_none(), "nothing of it is loaded");

    let rotating = host(vec![other.public(), key.public()]);
    rotating.start().await.unwrap();
    let loaded = rotating.load_pack_with("t", &signed, LoadOptions::default()).await.unwrap();
    let verification = loaded.set.main.verification.clone().unwrap();
    assert_eq!(verification.pack_signature, Signed::Valid { key: key.public().id().to_owned() });
    assert_eq!(rotating.load_pack("t", &old).await.unwrap_err().code(), Code::PackUntrusted);
    let running = rotating.tenant("t").unwrap();
    assert_eq!(running.pack().digest, loaded.program.digest, "the pack before goes on");
    say(&rotating, "s", "one").await.unwrap();
    assert_eq!(texts(&say(&rotating, "s", "two").await.unwrap()), [SAID[0]]);
    rotating.stop().await.unwrap();
}

/// A flow as tools wrote it down, with components that are called by what they are for and no operation beside them.
fn questions() -> Value {
    json!({
        "id": "main", "type": "messaging", "start": "ask", "parameters": {},
        "nodes": {
            "ask": { "questions": { "fields": [{ "id": "name", "prompt": "What is your name?" }] }, "routing": [{ "to": "say" }] },
            "say": { "emit.response": { "text": "{{node.ask.text}}" }, "routing": [{ "to": "hold" }] },
            "hold": { "session.wait": {}, "routing": [{ "to": "check" }] },
            "check": {
                "questions": { "fields": [{ "id": "name", "prompt": "?" }], "answers": { "name": "{{in.text}}" } },
                "routing": [{ "status": "done", "to": "greet" }, { "to": "ask" }],
            },
            "greet": { "templating.angles": { "text": "Hello <name>.", "name": "{{node.check.answers.name}}" },
                       "routing": [{ "to": "done" }] },
            "done": { "emit.response": { "text": "{{prev.text}}" }, "routing": [] },
        },
    })
}

/// A pack of the older generation with these flows, and components of these names from one fixture.
fn of_one_fixture(flows: &[Value], fixture: &str, names: &[&str]) -> Files {
    let wasm = guest(fixture);
    let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    let component = |name: &&str| {
        json!({ "name": name, "version": "1.0.0", "file_wasm": format!("components/{name}@1.0.0/component.wasm"),
                "hash_blake3": hash(&wasm) })
    };
    let flow = |doc: &Value| {
        let id = doc["id"].as_str().unwrap();
        json!({ "id": id, "kind": "messaging", "entry": "", "file_yaml": format!("flows/{id}/flow.ygtc"),
                "file_json": format!("flows/{id}/flow.json"), "hash_blake3": hash(doc.to_string().as_bytes()) })
    };
    let manifest = json!({
        "meta": { "packVersion": 1, "pack_id": "acme.asks", "version": "1.0.0", "name": "Asks", "authors": [],
                  "entry_flows": ["main"], "created_at_utc": "2025-01-01T00:00:00Z", "imports": [], "annotations": {} },
        "flows": flows.iter().map(flow).collect::<Vec<_>>(),
        "components": names.iter().map(component).collect::<Vec<_>>(),
    });
    let mut files = Files::from([("manifest.cbor".to_owned(), cbor(&manifest))]);
    files.extend(names.iter().map(|name| (format!("components/{name}@1.0.0/component.wasm"), wasm.clone())));
    for doc in flows {
        files.insert(format!("flows/{}/flow.json", doc["id"].as_str().unwrap()), doc.to_string().into());
    }
    files
}

/// What the conversation with [`questions`] comes to, and what is noted about its pack.
async fn asked(pack: &Path) -> (Vec<String>, Vec<String>) {
    let host = host(pack).await;
    let mut said = texts(&say(&host, "s", "hi").await.unwrap());
    said.extend(texts(&say(&host, "s", "Ada").await.unwrap()));
    let notes = host.tenant("t").unwrap().notes().iter().map(|note| note.message().to_owned()).collect();
    (said, notes)
}

#[tokio::test]
async fn components_that_are_called_by_what_they_are_for_answer_their_conventional_operation() {
    let dir = TempDir::new().unwrap();
    let names = ["questions", "templating.angles"];
    // `questioner` lists neither `invoke` nor `render`, and answers both.
    let old = archive(dir.path(), "asks.gtpack", &of_one_fixture(&[questions()], "questioner", &names));
    let (said, notes) = asked(&old).await;
    assert_eq!(said, ["What is your name?", "Hello Ada."]);
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes.iter().all(|note| note.contains("declares no operation")), "{notes:?}");

    let new = dir.path().join("new.gtpack");
    assert_eq!(cli(&["pack", "migrate", old.to_str().unwrap(), "-o", new.to_str().unwrap()]).0, 0);
    assert_eq!(asked(&new).await.0, said);
}

#[tokio::test]
async fn a_flow_of_an_authors_first_dialect_calls_them_too() {
    let flow = questions().to_string().replacen('{', "{\"schema_version\":1,", 1);
    let pack = common::Sources::of_flow(&flow)
        .component("questions", "questioner")
        .component("templating.angles", "questioner");
    assert_eq!(asked(&pack.path()).await.0, ["What is your name?", "Hello Ada."]);
}

#[tokio::test]
async fn a_component_of_the_pack_goes_before_what_the_host_does_in_its_place() {
    let flow = json!({ "id": "main", "type": "messaging", "nodes": {
        "a": { "templating.handlebars": { "text": "<x> {{in.text}}", "x": "y" }, "routing": [{ "to": "b" }] },
        "b": { "emit.response": { "text": "{{prev.text}}" }, "routing": [] } } });
    let dir = TempDir::new().unwrap();
    for (names, said) in [(&["templating.handlebars"][..], "y hi"), (&[], "<x> hi")] {
        let pack =
            archive(dir.path(), "text.gtpack", &of_one_fixture(std::slice::from_ref(&flow), "questioner", names));
        assert_eq!(texts(&say(&host(&pack).await, "s", "hi").await.unwrap()), [said], "{names:?}");
    }
}
