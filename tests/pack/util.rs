//! What the tests of packs share: archives written byte by byte, so that they can be wrong in every way.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// An entry of an archive; every field can lie.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) data: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) mode: u32,
    pub(crate) declared: Option<u32>,
    pub(crate) local_name: Option<Vec<u8>>,
}

pub(crate) fn entry(name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> Entry {
    Entry {
        name: name.as_ref().to_vec(),
        data: data.as_ref().to_vec(),
        method: 8,
        flags: 0x0800,
        mode: 0o100_644,
        declared: None,
        local_name: None,
    }
}

impl Entry {
    pub(crate) fn stored(mut self) -> Self {
        self.method = 0;
        self
    }

    fn packed(&self) -> Vec<u8> {
        if self.method != 8 {
            return self.data.clone();
        }
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(&self.data).unwrap();
        encoder.finish().unwrap()
    }

    /// What local and central header have in common: from the flags to the length of the extra field.
    fn fields(&self, name: &[u8], packed: usize) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(&self.data);
        let size = self.declared.unwrap_or(self.data.len() as u32);
        let mut out = Vec::new();
        out.extend(self.flags.to_le_bytes());
        out.extend(self.method.to_le_bytes());
        out.extend([0, 0, 0x21, 0]);
        out.extend(crc.sum().to_le_bytes());
        out.extend((packed as u32).to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend([0, 0]);
        out
    }
}

/// An archive of these entries.
pub(crate) fn archive(entries: &[Entry]) -> Vec<u8> {
    let (mut out, mut central) = (Vec::new(), Vec::new());
    for entry in entries {
        let packed = entry.packed();
        let offset = out.len() as u32;
        let local_name = entry.local_name.as_ref().unwrap_or(&entry.name);
        out.extend(b"PK\x03\x04\x14\0");
        out.extend(entry.fields(local_name, packed.len()));
        out.extend(local_name);
        out.extend(&packed);
        central.extend(b"PK\x01\x02\x14\x03\x14\0");
        central.extend(entry.fields(&entry.name, packed.len()));
        central.extend([0; 6]);
        central.extend((entry.mode << 16).to_le_bytes());
        central.extend(offset.to_le_bytes());
        central.extend(&entry.name);
    }
    let start = out.len() as u32;
    out.extend(&central);
    end_record(&mut out, entries.len() as u16, central.len() as u32, start);
    out
}

pub(crate) fn end_record(out: &mut Vec<u8>, count: u16, size: u32, start: u32) {
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
}

pub(crate) fn cbor(value: &serde_json::Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// The smallest manifest, to be changed by the test.
pub(crate) fn manifest(components: &[&str]) -> serde_json::Value {
    let entry = |at| {
        serde_json::json!({
            "id": at, "version": "1.0.0", "supports": [], "world": "", "profiles": { "supported": [] },
            "capabilities": { "wasi": {}, "host": {} }, "operations": [], "resources": {},
        })
    };
    serde_json::json!({
        "schema_version": "pack-v1", "pack_id": 0, "version": "1.2.3", "kind": "application", "publisher": "acme",
        "symbols": { "component_ids": components, "node_ids": [], "capability_names": [], "pack_ids": ["acme.demo"] },
        "components": (0..components.len()).map(entry).collect::<Vec<_>>(),
        "flows": [], "dependencies": [], "capabilities": [], "signatures": { "signatures": [] },
    })
}

/// A sound pack with one component.
pub(crate) fn pack() -> Vec<u8> {
    archive(&[
        entry("assets/hello.txt", "hello"),
        entry("components/echo.wasm", "\0asm echo"),
        entry("manifest.cbor", cbor(&manifest(&["echo"]))),
    ])
}

/// Writes a file and the directories above it.
pub(crate) fn put(root: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// A flow of two nodes.
pub(crate) const FLOW: &str = r#"
id: main
type: messaging
title: Greeting
tags: [b, a]
nodes:
  greet:
    provider.invoke:
      provider_id: acme.echo
      op: echo
      input: { text: "{{in.text}}" }
    output: { text: "{{result.text}}" }
    err_map: { mapping: sorry }
    retry: { max_attempts: 3, base_delay_ms: 10 }
    timeout: 5s
    routing:
      - { status: ok, to: answer }
      - { to: sorry }
  answer:
    echo: { text: "{{prev.text}}" }
    operation: say
    routing: reply
  sorry:
    emit.response: { text: "Sorry." }
    routing:
      - { condition: 'in.text == "x"', to: greet }
"#;

pub(crate) const PACK_YAML: &str = r#"
pack_id: acme.demo
version: 1.2.3
name: Demo
publisher: acme
components:
  echo:
    operations: [say, { name: shout, input_schema: { type: object } }]
    capabilities: { host: { state: { read: true, write: true } } }
  other:
providers:
  - provider_type: acme.echo
    component: echo
    ops: [echo]
    capabilities: [echoing]
    config: { loud: true }
    config_schema_ref: schemas/echo.json
secret_requirements:
  - { key: ECHO_TOKEN, required: false, description: for the paid plan }
extensions:
  acme.routes.v1: { routes: [1] }
"#;

/// A pack of sources with everything in it.
pub(crate) fn sources(root: &Path) {
    put(root, "pack.yaml", PACK_YAML);
    put(root, "index.ygtc", FLOW);
    put(root, "after.ygtc", FLOW.replace("id: main", "id: after"));
    put(root, "components/echo.wasm", b"\0asm echo");
    put(root, "components/other.wasm", b"\0asm other");
    put(root, "assets/cards/hello.json", b"{}");
    put(root, "schemas/echo.json", b"{\"type\":\"object\"}");
    put(root, "notes.txt", b"not part of the pack");
}

/// A pack of the generation before pack-v1, file by file.
pub(crate) struct LegacyPack {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl LegacyPack {
    /// A sound one.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A sound one but for what `change` does to its manifest.
    pub(crate) fn with(change: impl FnOnce(&mut serde_json::Value)) -> Self {
        use serde_json::json;
        let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
        let main = json!({
            "id": "main", "type": "messaging", "start": "greet",
            "nodes": {
                "greet": { "echo": { "text": "{{in.text}}" }, "operation": "say", "routing": [{ "to": "answer" }] },
                "answer": { "emit.response": { "text": "{{prev.text}}" }, "routing": [] },
            },
        });
        let after = json!({ "id": "after", "type": "messaging", "nodes": { "only": { "emit.log": { "a": 1 } } } });
        let flow = |doc: &serde_json::Value| {
            let id = doc["id"].as_str().unwrap();
            json!({
                "id": id, "kind": "messaging", "entry": doc["nodes"].as_object().unwrap().keys().next(),
                "file_yaml": format!("flows/{id}/flow.ygtc"), "file_json": format!("flows/{id}/flow.json"),
                "hash_blake3": hash(doc.to_string().as_bytes()),
            })
        };
        let mut manifest = json!({
            "meta": {
                "packVersion": 1, "pack_id": "acme.old", "version": "1.2.0", "name": "Old", "kind": "application",
                "description": "A pack of old", "authors": ["Ada"], "license": "MIT", "homepage": null, "vendor": "Acme Inc.",
                "imports": [{ "pack_id": "acme.base", "version_req": "^1" }], "entry_flows": ["main"],
                "created_at_utc": "2025-01-01T00:00:00Z", "annotations": { "team": "one" },
            },
            "flows": [flow(&after), flow(&main)],
            "components": [{
                "name": "echo", "version": "0.3.0", "file_wasm": "components/echo@0.3.0/component.wasm",
                "hash_blake3": hash(b"\0asm echo"), "schema_file": "schemas/echo@0.3.0/node.schema.json",
                "manifest_file": "components/echo@0.3.0/manifest.json", "world": "acme:echo/echo@0.3.0",
                "capabilities": { "host": { "state": { "read": true, "write": true } } },
            }],
        });
        change(&mut manifest);
        let described = json!({ "id": "echo", "operations": ["say", { "name": "shout", "input_schema": {} }] });
        let mut files = BTreeMap::new();
        for (name, bytes) in [
            ("manifest.cbor", cbor(&manifest)),
            ("manifest.json", manifest.to_string().into_bytes()),
            ("provenance.json", b"{}".to_vec()),
            ("flows/main/flow.json", main.to_string().into_bytes()),
            ("flows/main/flow.ygtc", main.to_string().into_bytes()),
            ("flows/after/flow.json", after.to_string().into_bytes()),
            ("components/echo@0.3.0/component.wasm", b"\0asm echo".to_vec()),
            ("components/echo@0.3.0/manifest.json", described.to_string().into_bytes()),
            ("schemas/echo@0.3.0/node.schema.json", b"{}".to_vec()),
            ("assets/cards/hello.json", b"{}".to_vec()),
            ("signatures/pack.sig", b"{}".to_vec()),
            ("signatures/chain.pem", b"".to_vec()),
        ] {
            files.insert(name.to_owned(), bytes);
        }
        let mut pack = Self { files };
        pack.bill();
        pack
    }

    /// Writes the bill of materials anew.
    pub(crate) fn bill(&mut self) {
        let listed = self.files.iter().filter(|(name, _)| !name.starts_with("signatures/") && *name != "sbom.json");
        let listed: Vec<_> = listed
            .map(|(name, bytes)| {
                let hash = blake3::hash(bytes).to_hex().to_string();
                serde_json::json!({ "path": name, "size": bytes.len(), "hash_blake3": hash, "media_type": "x/y" })
            })
            .collect();
        let bill = serde_json::json!({ "format": "greentic-sbom-v1", "files": listed });
        self.files.insert("sbom.json".to_owned(), bill.to_string().into_bytes());
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        self.files.clone().into_iter()
    }

    pub(crate) fn archive(&self) -> Vec<u8> {
        archive(&self.files().map(|(name, bytes)| entry(name, bytes)).collect::<Vec<_>>())
    }
}
