//! Components that lie elsewhere: which they are, what pins them, and what is done with those that were fetched.

use greentic_runner_host::error::Code;
use greentic_runner_host::id::Id;
use greentic_runner_host::pack::{self, LoadOptions, RemoteComponent};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::util::{archive, cbor, entry, manifest, put};

const SOURCES: &str = "greentic.pack.component_sources@v1";

fn sha(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(<sha2::Sha256 as sha2::Digest>::digest(bytes)))
}

fn blake(bytes: &[u8]) -> String {
    format!("blake3:{}", blake3::hash(bytes).to_hex())
}

/// What the extension says of a component that is not in the pack.
fn away(id: &str, source: &str, digest: &str) -> Value {
    json!({ "name": id, "source": source, "resolved": { "digest": digest }, "artifact": "remote" })
}

/// A pack with `components` in its manifest, these sources, these lock entries, and the file `components/here.wasm`.
fn pack(dir: &TempDir, components: &[&str], sources: Value, locked: Value) -> std::path::PathBuf {
    let mut value = manifest(components);
    let inline = json!({ "schema_version": 1, "components": sources });
    value["extensions"] = json!({ SOURCES: { "kind": SOURCES, "version": "1.0.0", "inline": inline } });
    let lock = json!({ "schema_version": 1, "components": locked }).to_string();
    let entries =
        [entry("manifest.cbor", cbor(&value)), entry("pack.lock", lock), entry("components/here.wasm", "here")];
    put(dir.path(), "demo.gtpack", archive(&entries));
    dir.path().join("demo.gtpack")
}

fn remote(id: &str, reference: &str, digests: &[&str], required: bool) -> RemoteComponent {
    let digests = digests.iter().map(|digest| (*digest).to_owned()).collect();
    RemoteComponent { id: Id::from(id), reference: reference.to_owned(), digests, required }
}

#[test]
fn what_is_not_here_and_pinned_is_to_be_fetched() {
    let dir = TempDir::new().unwrap();
    let manifest_digest = format!("sha256:{}", "ab".repeat(32));
    let pinned = format!("oci://registry.example/pinned@{manifest_digest}");
    let sources = json!([
        away("here", "oci://registry.example/here:1", &sha(b"here")),
        away("tag", "oci://registry.example/tag:1", &sha(b"tag")),
        away("web", "https://files.example/web.wasm", &blake(b"web")),
        away("pinned", &pinned, ""),
        away("again", &pinned, &manifest_digest),
    ]);
    let path = pack(
        &dir,
        &[],
        sources,
        json!([
            { "name": "tag", "ref": "oci://registry.example/tag:2", "wasm_sha256": sha(b"tag") },
            { "name": "locked", "ref": "https://files.example/locked.wasm", "digest": sha(b"locked") },
            { "name": "unpinned", "ref": "https://files.example/unpinned.wasm" },
            { "name": "built", "ref": "file:///home/build/built.wasm", "digest": sha(b"built") },
            { "name": "internal", "ref": "builtin://internal", "digest": "sha256:00" },
        ]),
    );
    let mut options = LoadOptions::default();
    let listed = pack::remote_components(&path, &options).unwrap();
    let expected = [
        remote("tag", "oci://registry.example/tag:2", &[&sha(b"tag"), &sha(b"tag")], true),
        remote("web", "https://files.example/web.wasm", &[&blake(b"web")], true),
        remote("pinned", &pinned, &[], true),
        remote("again", &pinned, &[], true),
        remote("locked", "https://files.example/locked.wasm", &[&sha(b"locked")], false),
    ];
    assert_eq!(listed, expected);
    // What the caller has need not be fetched, and what was fetched still belongs to the list.
    put(dir.path(), "own/web.wasm", "own");
    options.components_dir = Some(dir.path().join("own"));
    options.overrides = [("tag".into(), dir.path().join("own/web.wasm"))].into();
    options.fetched = [("pinned".into(), dir.path().join("own/web.wasm"))].into();
    let ids: Vec<_> = pack::remote_components(&path, &options).unwrap().into_iter().map(|remote| remote.id).collect();
    assert_eq!(ids.iter().map(|id| &**id).collect::<Vec<_>>(), ["pinned", "again", "locked"]);
}

#[test]
fn a_tag_alone_is_refused() {
    let dir = TempDir::new().unwrap();
    let sources = json!([
        away("one", "oci://registry.example/one:latest", ""),
        away("two", "https://files.example/two.wasm", ""),
        away("fine", "oci://registry.example/fine:1", &sha(b"fine")),
    ]);
    let path = pack(&dir, &[], sources, json!([]));
    let error = pack::remote_components(&path, &LoadOptions::default()).unwrap_err();
    assert_eq!((error.code(), error.details().len()), (Code::ComponentUnpinned, 2), "{error}");
    let text = error.to_string();
    for part in ["\"one\"", "registry.example/one:latest", "\"two\"", "a tag may be moved", "demo.gtpack"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("fine"), "{text}");
}

#[test]
fn what_was_fetched_is_used_last_and_must_be_what_is_stated() {
    let dir = TempDir::new().unwrap();
    let sources = json!([away("here", "oci://x/here:1", &sha(b"here")), away("away", "oci://x/away:1", &sha(b"away"))]);
    let path = pack(&dir, &[], sources, json!([{ "name": "away", "digest": blake(b"away") }]));
    let (good, bad) = (dir.path().join("good"), dir.path().join("bad"));
    put(dir.path(), "good", "away");
    put(dir.path(), "bad", "evil");
    let load = |here: &std::path::Path, away: &std::path::Path| {
        let fetched = [("here".into(), here.to_owned()), ("away".into(), away.to_owned())].into();
        pack::load(&path, &LoadOptions { fetched, ..LoadOptions::default() })
    };
    let pack = load(&bad, &good).unwrap();
    assert_eq!(&*pack.components["here"].wasm, b"here", "the pack's own file comes first");
    assert_eq!(&*pack.components["away"].wasm, b"away");
    assert_eq!(pack.components["away"].found_in, good.display().to_string());
    let error = load(&bad, &bad).unwrap_err();
    assert_eq!(error.code(), Code::DigestMismatch, "{error}");
    assert!(error.to_string().contains("\"away\""), "{error}");
    let missing = pack::load(&path, &LoadOptions::default()).unwrap_err();
    assert_eq!(missing.code(), Code::ComponentsMissing);
    assert!(missing.to_string().contains("fetched by `serve`"), "{missing}");
    // Each digest counts: the lock file's is another one here.
    let sources = json!([away("away", "oci://x/away:1", &sha(b"away"))]);
    let path = self::pack(&dir, &[], sources, json!([{ "name": "away", "digest": blake(b"other") }]));
    let fetched = [("away".into(), good)].into();
    let error = pack::load(&path, &LoadOptions { fetched, ..LoadOptions::default() }).unwrap_err();
    assert_eq!(error.code(), Code::DigestMismatch, "{error}");
}

#[test]
fn the_digest_of_a_registrys_artifact_is_not_that_of_the_file() {
    let dir = TempDir::new().unwrap();
    let artifact = format!("sha256:{}", "ab".repeat(32));
    let source = format!("oci://registry.example/away@{artifact}");
    put(dir.path(), "file", "away");
    let load = |digest: &str| {
        let path = pack(&dir, &[], json!([away("away", &source, digest)]), json!([]));
        let fetched = [("away".into(), dir.path().join("file"))].into();
        pack::load(&path, &LoadOptions { fetched, ..LoadOptions::default() })
    };
    assert!(load(&artifact).is_ok() && load("").is_ok() && load(&sha(b"away")).is_ok());
    assert_eq!(load(&sha(b"other")).unwrap_err().code(), Code::DigestMismatch);
}

#[test]
fn a_component_and_sources_have_nothing_elsewhere() {
    let dir = TempDir::new().unwrap();
    put(dir.path(), "one.wasm", b"\0asm\x0d\0\x01\0");
    put(dir.path(), "src/index.ygtc", "{ id: f, type: job, nodes: { a: { emit.log: x } } }");
    for path in ["one.wasm", "src"] {
        assert_eq!(pack::remote_components(&dir.path().join(path), &LoadOptions::default()).unwrap(), []);
    }
    let error = pack::remote_components(&dir.path().join("none"), &LoadOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::Io);
}
