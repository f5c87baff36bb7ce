//! Interoperability with the published types of the pack format, both ways.

use std::collections::BTreeMap;

use greentic_runner_host::flow::doc::{FlowKind, RoutingDoc};
use greentic_runner_host::pack::manifest::Manifest;
use greentic_runner_host::pack::{self, Limits, LoadOptions};
use greentic_types as published;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::util::{archive, entry, sources};

/// A manifest that uses every field, in the published types' own JSON form.
fn published_manifest() -> published::PackManifest {
    let node = |id: &str, component: &str, routing: Value| {
        json!({
            "id": id, "component": { "id": component, "operation": "say" }, "input": { "mapping": { "n": [1, -2, 0.5] } },
            "output": { "mapping": { "text": "{{result.text}}" } }, "routing": routing,
            "telemetry": { "span_name": "hop", "attributes": { "a": "b" } },
        })
    };
    let nodes = json!({
        "zebra": node("zebra", "echo", json!({ "next": { "node_id": "apple" } })),
        "apple": node("apple", "provider.invoke", json!({ "branch": { "on_status": { "ok": "mango" }, "default": "zebra" } })),
        "mango": node("mango", "session.wait", json!({ "custom": [{ "condition": "x == \"1\"", "to": "end" }] })),
        "end": node("end", "emit.response", json!("reply")),
        "out": node("out", "emit.log", json!("end")),
    });
    let flow = json!({
        "schema_version": "flow-v1", "id": "main", "kind": "messaging", "entrypoints": { "default": "zebra", "odd": null },
        "nodes": nodes, "metadata": { "title": "Main", "description": "All of it", "tags": ["x", "y"], "extra": { "a": 1 } },
    });
    serde_json::from_value(json!({
        "schema_version": "pack-v1", "pack_id": "acme.demo", "name": "Demo", "version": "1.2.3-rc.1", "kind": "provider",
        "publisher": "acme",
        "components": [{
            "id": "echo", "version": "2.0.0", "supports": ["messaging", "component_config"], "world": "acme:echo/echo@1.0.0",
            "profiles": { "default": "small", "supported": ["small", "large"] },
            "capabilities": { "wasi": { "random": true, "clocks": false }, "host": { "state": { "read": true, "write": false } } },
            "configurators": { "basic": "main" },
            "operations": [{ "name": "say", "input_schema": { "type": "object" }, "output_schema": true }],
            "config_schema": { "type": "object" }, "resources": { "cpu_millis": 5 },
            "dev_flows": { "main": { "format": "flow-ir-json", "graph": {} } },
        }],
        "flows": [{ "id": "main", "kind": "messaging", "flow": flow, "tags": ["y", "z"], "entrypoints": ["default"] }],
        "dependencies": [{ "alias": "base", "pack_id": "acme.base", "version_req": "^1.0", "required_capabilities": ["speech"] }],
        "capabilities": [{ "name": "echoing", "description": "says it again" }, { "name": "silence" }],
        "secret_requirements": [{ "key": "TOKEN", "required": false, "description": "a token", "format": "text" }],
        "signatures": { "signatures": [{ "key_id": "k", "algorithm": "ed25519", "signature": [0, 1, 2] }] },
        "bootstrap": { "install_flow": "main" },
        "extensions": {
            "greentic.provider-extension.v1": {
                "kind": "greentic.provider-extension.v1", "version": "1.0.0",
                "inline": { "providers": [{
                    "provider_type": "acme.echo", "capabilities": ["echo"], "ops": ["say"],
                    "config_schema_ref": "schemas/echo.json", "state_schema_ref": "schemas/state.json",
                    "runtime": { "component_ref": "echo", "export": "schema-core-api", "world": "greentic:provider/schema-core@1.0.0" },
                }] },
            },
            "acme.other": { "kind": "acme.other", "version": "2", "digest": "sha256:00", "location": "oci://x", "inline": { "deep": [1] } },
        },
    }))
    .unwrap()
}

fn decode(bytes: &[u8]) -> Manifest {
    Manifest::decode(bytes, "manifest.cbor", &Limits::default()).unwrap()
}

#[test]
fn a_published_manifest_loads_field_for_field() {
    let bytes = published::encode_pack_manifest(&published_manifest()).unwrap();
    let pack = archive(&[entry("manifest.cbor", &bytes), entry("components/echo.wasm", "\0asm")]);
    let pack = pack::load_bytes(pack, "demo.gtpack", &LoadOptions::default()).unwrap();
    assert_eq!(
        (&*pack.id, pack.version.to_string().as_str(), pack.name.as_deref()),
        ("acme.demo", "1.2.3-rc.1", Some("Demo"))
    );
    assert_eq!((pack.kind, &*pack.publisher), (pack::model::PackKind::Provider, "acme"));

    let echo = &pack.components["echo"];
    assert_eq!(echo.version.as_ref().unwrap().to_string(), "2.0.0");
    assert_eq!(echo.world.as_deref(), Some("acme:echo/echo@1.0.0"));
    assert_eq!((&*echo.operations[0].name, &echo.operations[0].output_schema), ("say", &json!(true)));
    assert_eq!(echo.capabilities.as_ref().unwrap()["host"]["state"], json!({ "read": true, "write": false }));

    let provider = &pack.providers["acme.echo"];
    assert_eq!(
        (&*provider.component, &provider.ops[..], &provider.capabilities[..]),
        ("echo", &["say".to_owned()][..], &["echo".to_owned()][..])
    );
    assert_eq!(provider.config_schema_ref.as_deref(), Some("schemas/echo.json"));
    assert_eq!(pack.extensions.keys().collect::<Vec<_>>(), ["acme.other"]);
    assert_eq!((&*pack.secret_requirements[0].key, pack.secret_requirements[0].required), ("TOKEN", false));

    let flow = &pack.flows[0];
    assert_eq!((&*flow.id, flow.kind, flow.title.as_deref()), ("main", FlowKind::Messaging, Some("Main")));
    assert_eq!(flow.description.as_deref(), Some("All of it"));
    assert_eq!(flow.tags, ["y", "z", "x"]);
    assert_eq!(
        flow.entrypoints.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(),
        [("default", "zebra")]
    );
    assert_eq!(
        flow.nodes.keys().collect::<Vec<_>>(),
        ["zebra", "apple", "mango", "end", "out"],
        "the flow's own order"
    );
    let zebra = &flow.nodes["zebra"];
    assert_eq!((&*zebra.component, zebra.operation.as_deref()), ("echo", Some("say")));
    assert_eq!(zebra.input, json!({ "n": [1, -2, 0.5] }));
    assert_eq!(zebra.output, json!({ "text": "{{result.text}}" }));
    let routes: Vec<_> = flow.nodes.values().map(|node| node.routing.clone()).collect();
    assert_eq!(
        routes,
        [
            RoutingDoc::Next("apple".to_owned()),
            RoutingDoc::Branch {
                on_status: [("ok".to_owned(), "mango".to_owned())].into(),
                default: Some("zebra".to_owned()),
            },
            RoutingDoc::Custom(json!([{ "condition": "x == \"1\"", "to": "end" }])),
            RoutingDoc::Reply,
            RoutingDoc::End,
        ]
    );
}

#[test]
fn a_published_manifest_survives_being_written_here() {
    let mut expected = published_manifest();
    let bytes = published::encode_pack_manifest(&expected).unwrap();
    let manifest = decode(&bytes);
    assert_eq!(manifest, decode(&manifest.encode().unwrap()));
    // What flows here do not keep: telemetry hints, free metadata, entry points that name no node.
    expected.flows[0].tags.push("x".to_owned());
    let flow = &mut expected.flows[0].flow;
    flow.metadata.extra = Value::Null;
    flow.metadata.tags.insert("z".to_owned());
    flow.entrypoints.remove("odd");
    for node in flow.nodes.values_mut() {
        node.telemetry = published::TelemetryHints::default();
    }
    assert_eq!(published::decode_pack_manifest(&manifest.encode().unwrap()).unwrap(), expected);
}

#[test]
fn a_pack_id_may_be_written_out() {
    let bytes = published::encode_pack_manifest(&published_manifest()).unwrap();
    let mut value: ciborium::Value = ciborium::from_reader(&*bytes).unwrap();
    for (key, value) in value.as_map_mut().unwrap() {
        if key.as_text() == Some("pack_id") {
            *value = "acme.other".into();
        }
    }
    let mut bytes = Vec::new();
    ciborium::into_writer(&value, &mut bytes).unwrap();
    assert_eq!(&*decode(&bytes).id, "acme.other");
}

#[test]
fn a_pack_built_here_is_read_by_the_published_types() {
    let dir = TempDir::new().unwrap();
    sources(&dir.path().join("pack"));
    let out = dir.path().join("demo.gtpack");
    let report = pack::build(&dir.path().join("pack"), &out).unwrap();
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&out).unwrap()).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut zip.by_name("manifest.cbor").unwrap(), &mut bytes).unwrap();
    let theirs = published::decode_pack_manifest(&bytes).unwrap();

    assert_eq!((theirs.schema_version.as_str(), theirs.pack_id.as_str()), ("pack-v1", "acme.demo"));
    assert_eq!((theirs.name.as_deref(), theirs.version.to_string().as_str()), (Some("Demo"), "1.2.3"));
    assert_eq!((theirs.kind, theirs.publisher.as_str()), (published::PackKind::Application, "acme"));
    assert_eq!(theirs.components.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["echo", "other"]);
    let state = theirs.components[0].capabilities.host.state.as_ref().unwrap();
    assert!(state.read && state.write);
    assert_eq!(theirs.components[0].operations[1].name, "shout");
    assert_eq!(theirs.secret_requirements[0].key.as_str(), "ECHO_TOKEN");

    let inline = theirs.provider_extension_inline().expect("the provider extension is understood");
    inline.validate_basic().unwrap();
    let provider = &inline.providers[0];
    assert_eq!((&*provider.provider_type, &*provider.runtime.component_ref), ("acme.echo", "echo"));
    assert_eq!((&*provider.config_schema_ref, &provider.ops[..]), ("schemas/echo.json", &["echo".to_owned()][..]));

    let flows: Vec<_> = theirs.flows.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(flows, ["main", "after"]);
    let (theirs, ours) = (&theirs.flows[0].flow, &report.pack.flows[0]);
    assert_eq!(theirs.kind, published::FlowKind::Messaging);
    assert_eq!(theirs.metadata.title.as_deref(), Some("Greeting"));
    let nodes: BTreeMap<_, _> = theirs.nodes.iter().map(|(id, node)| (id.as_str(), node)).collect();
    assert_eq!(nodes.len(), ours.nodes.len());
    for (id, node) in &ours.nodes {
        let theirs = nodes[id.as_str()];
        assert_eq!((theirs.component.id.as_str(), &theirs.component.operation), (&*node.component, &node.operation));
        assert_eq!((&theirs.input.mapping, &theirs.output.mapping), (&node.input, &node.output));
    }
    assert_eq!(theirs.nodes.keys().next().unwrap().as_str(), "greet");
    assert!(
        matches!(&nodes["greet"].routing, published::Routing::Branch { default: Some(id), .. } if id.as_str() == "sorry")
    );
    assert!(matches!(&nodes["answer"].routing, published::Routing::Reply));
}
