//! Components whose imports have other shapes or versions than the host's: they see the same state, log to the same log
//! and are told as little of others as canonical ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[cfg(test)]
mod common;
#[cfg(test)]
mod guests;

use assert_cmd::Command;
use common::{Sources, guest_path, host_with, say};
use greentic_runner_host::Code;
use greentic_runner_host::capabilities::grants::{Grant, Grants};
use greentic_runner_host::conform::{Severity, Surface, compare, inspect};
use greentic_runner_host::engine::Binary;
use greentic_runner_host::engine::limits::Limits;
use guests::{Rig, limits, scope};
use serde_json::{Value, json};

const DRIFTED: [&str; 2] = ["drifted-imports", "later-imports"];

#[tokio::test]
async fn drifted_and_canonical_guests_see_the_same_state() {
    for name in DRIFTED {
        let mut rig = Rig::new(limits());
        let me = || scope("t", "s");
        let (drifted, counter) = (rig.guest(name).await, rig.guest("stateful-counter").await);
        let missing = rig.call(&drifted, me(), "read", &json!({"key": "count"})).await.unwrap_err();
        assert!(missing.value["message"].as_str().unwrap().starts_with("not_found"), "{name}: {}", missing.value);

        let stored = rig.node(&drifted, me(), "write", json!({"key": "count", "value": "41"})).await;
        assert_eq!(stored, json!({"stored": true}), "{name}");
        assert_eq!(rig.node(&counter, me(), "bump", json!({})).await, json!({"count": 42}), "{name}");
        let read = rig.node(&drifted, me(), "read", json!({"key": "count"})).await;
        assert_eq!(read, json!({"value": "42"}), "{name}");

        assert_eq!(rig.node(&counter, scope("t", "other"), "read", json!({})).await, json!({"count": 0}), "{name}");
        let other = scope("somebody-else", "s");
        assert_eq!(rig.node(&counter, other, "read", json!({})).await, json!({"count": 0}), "{name}: its context lies");

        rig.node(&drifted, me(), "delete", json!({"key": "count"})).await;
        assert_eq!(rig.node(&counter, me(), "read", json!({})).await, json!({"count": 0}), "{name}");
    }
}

#[tokio::test]
async fn payloads_arrive_byte_by_byte() {
    let large = Limits { host_call_bytes: 8 << 20, state_bytes: 4 << 20, ..limits() };
    for (name, size) in [("drifted-imports", 1 << 20), ("later-imports", 50_000)] {
        let mut rig = Rig::new(large.clone());
        let drifted = rig.guest(name).await;
        for size in [0, 1, size] {
            let filled = rig.node(&drifted, scope("t", "s"), "fill", json!({ "size": size })).await;
            assert_eq!(filled, json!({"size": size, "same": true}), "{name}");
        }
    }
}

/// The typed functions for a known shape cost what canonical ones cost; a conversion makes a value of each byte, which
/// counts against the bytes that a guest may pass.
#[tokio::test]
async fn a_payload_that_is_too_large_to_be_converted_is_refused() {
    let rig = Rig::new(limits());
    let (known, converted) = (rig.guest("drifted-imports").await, rig.guest("later-imports").await);
    let input = json!({ "size": 10_000 });
    assert_eq!(rig.call(&known, scope("t", "s"), "fill", &input).await.unwrap().output["same"], true);
    let refused = rig.call(&converted, scope("t", "s"), "fill", &input).await.unwrap_err();
    assert_eq!(refused.error.code(), Code::GuestHostCalls, "{}", refused.error);
}

#[tokio::test]
async fn the_first_imports_work_without_i18n_id_too() {
    let mut rig = Rig::new(limits());
    let (drifted, canonical) = (rig.guest("drifted-imports").await, rig.guest("old-imports").await);
    let me = || scope("t", "s");
    rig.node(&drifted, me(), "state-set", json!({"key": "k", "value": "v"})).await;
    assert_eq!(rig.node(&canonical, me(), "state-get", json!({"key": "k"})).await, json!({"value": "v"}));
    rig.node(&canonical, me(), "state-set", json!({"key": "k", "value": "\"w\""})).await;
    assert_eq!(rig.node(&drifted, me(), "state-get", json!({"key": "k"})).await, json!({"value": "w"}));
    let missing = rig.call(&drifted, me(), "state-get", &json!({"key": "none"})).await.unwrap_err();
    assert!(missing.value["message"].as_str().unwrap().starts_with("not_found"), "{}", missing.value);

    let session = rig.node(&drifted, me(), "session-update", json!({"node": "ask"})).await;
    assert_eq!(session, json!({"session": "t:test:s:user"}));
    assert_eq!(cursor(&rig), json!({"node_pointer": "ask", "wait_reason": null, "outbox_marker": null}));
}

#[tokio::test]
async fn records_for_the_log_are_converted() {
    let rig = Rig::new(limits());
    let drifted = rig.guest("drifted-imports").await;
    for (op, interface, function) in [
        ("log", "greentic:telemetry/logger-api@1.0.0", "log"),
        ("telemetry-emit", "greentic:interfaces-host/imports@0.1.0", "telemetry-emit"),
    ] {
        let answer = rig.call(&drifted, scope("t", "s"), op, &json!({"note": "n"})).await.unwrap();
        let calls: Vec<_> = answer.host_calls.iter().map(|c| (&*c.interface, &*c.function, c.ok)).collect();
        assert_eq!(calls, [(interface, function, true)]);
    }
}

#[tokio::test]
async fn the_0_6_imports_work_without_i18n_id_too() {
    let mut rig = Rig::new(limits());
    let (drifted, canonical) = (rig.guest("drifted-host-import").await, rig.guest("session-user").await);
    let me = || scope("t", "s");
    assert_eq!(rig.node(&drifted, me(), "get", json!({"key": "k"})).await, json!({"value": null}));
    rig.node(&drifted, me(), "set", json!({"key": "k", "value": "\"text\""})).await;
    assert_eq!(rig.node(&canonical, me(), "get", json!({"key": "k"})).await, json!({"value": "text"}));
    rig.node(&canonical, me(), "set", json!({"key": "k", "value": "{\"a\":1}"})).await;
    assert_eq!(rig.node(&drifted, me(), "get", json!({"key": "k"})).await, json!({"value": "{\"a\":1}"}));
    let refused = rig.call(&drifted, me(), "get", &json!({"key": ""})).await.unwrap_err();
    assert_eq!(refused.value["message"], "invalid-arg");

    let session = rig.node(&drifted, me(), "update", json!({"node": "ask", "reason": "a name"})).await;
    assert_eq!(session, json!({"session": "t:test:s:user"}));
    assert_eq!(cursor(&rig), json!({"node_pointer": "ask", "wait_reason": "a name", "outbox_marker": null}));
    assert_eq!(rig.node(&drifted, me(), "emit", json!({"span": "{}"})).await, json!({"emitted": true}));
}

#[tokio::test]
async fn a_later_version_gets_what_it_knows_of() {
    let mut rig = Rig::new(limits());
    let later = rig.guest("later-imports").await;
    let me = || scope("t", "s");
    let session = rig.node(&later, me(), "update", json!({"node": "ask", "reason": "a name"})).await;
    assert_eq!(session, json!({"session": "t:test:s:user"}));
    assert_eq!(cursor(&rig), json!({"node_pointer": "ask", "wait_reason": "a name", "outbox_marker": null}));
    // Of the host's failures it knows one; `internal` stands for the others.
    for (key, failure) in [("none", "not-found"), ("", "internal")] {
        let refused = rig.call(&later, me(), "get", &json!({ "key": key })).await.unwrap_err();
        assert_eq!(refused.value["message"], failure, "{key:?}");
    }
    // What the host does not say stays empty.
    let missing = rig.call(&later, me(), "read", &json!({"key": "none"})).await.unwrap_err();
    assert!(missing.value["message"].as_str().unwrap().ends_with("(never)"), "{}", missing.value);
}

/// The session's cursor as the guest's last call left it.
#[cfg(test)]
fn cursor(rig: &Rig) -> Value {
    let (_, value) = rig.written.iter().find(|((_, key), _)| key.starts_with('\0')).unwrap();
    serde_json::from_slice(value.as_deref().unwrap()).unwrap()
}

#[tokio::test]
async fn the_same_limits_and_grants_hold() {
    for name in DRIFTED {
        let rig = Rig::new(Limits { state_bytes: 10, ..limits() });
        let error = rig.prepare(name, Grants::all().without(Grant::State)).await.unwrap_err();
        let without: Vec<_> = error.details().iter().map(|error| error.code()).collect();
        let codes = if without.is_empty() { vec![error.code()] } else { without };
        assert!(codes.iter().all(|code| *code == Code::ImportNotGranted), "{name}: {codes:?}");
        let drifted = rig.guest(name).await;
        let failure = rig.call(&drifted, scope("t", "s"), "fill", &json!({"size": 100})).await.unwrap_err();
        assert_eq!(failure.error.code(), Code::GuestHostCalls, "{name}");
    }
}

#[test]
fn what_is_converted_is_said() {
    let surface = Surface::host().unwrap();
    let notes = |name: &str| {
        let found = compare(&inspect(name, &common::guest(name)).unwrap(), surface, Grants::all(), &[]).findings;
        assert!(found.iter().all(|finding| finding.severity == Severity::Note), "{name}: {found:?}");
        found.iter().map(|f| (f.code, f.interface.clone())).collect::<Vec<_>>()
    };
    assert_eq!(notes("stateful-counter"), []);
    let converted = |interface: &str| (Code::ImportConverted, interface.to_owned());
    assert_eq!(
        notes("drifted-imports"),
        [
            converted("greentic:state/state-store@1.0.0"),
            converted("greentic:telemetry/logger-api@1.0.0"),
            converted("greentic:interfaces-host/imports@0.1.0"),
        ]
    );
    let later = notes("later-imports");
    for interface in ["greentic:state/state-store@1.0.3", "greentic:host-import/session@0.6.2"] {
        assert!(later.contains(&(Code::ImportCompatible, interface.to_owned())), "{later:?}");
        assert!(later.contains(&converted(interface)), "{later:?}");
    }
}

const FLOW: &str = "
id: f
type: messaging
nodes:
  one: { counter: {}, operation: bump, routing: [{ to: two }] }
  two: { drifted: { key: count }, operation: read, routing: [{ to: three }] }
  three: { drifted: { key: count, value: '10' }, operation: write, routing: [{ to: four }] }
  four: { counter: {}, operation: bump, routing: [{ to: five }] }
  five: { emit.response: { first: '{{node.two.value}}', then: '{{node.four.count}}' } }
";

#[tokio::test]
async fn a_flow_calls_drifted_and_canonical_components_alike() {
    for name in DRIFTED {
        let pack = Sources::of_flow(FLOW).component("counter", "stateful-counter").component("drifted", name);
        let host = host_with(&pack).await.unwrap();
        assert_eq!(say(&host, "s", "x").await.unwrap().replies, [json!({"first": "1", "then": 11})], "{name}");
        assert_eq!(say(&host, "s", "x").await.unwrap().replies, [json!({"first": "12", "then": 11})], "{name}");
    }
}

#[test]
fn a_drifted_component_is_invoked_as_any_other() {
    for name in DRIFTED {
        let mut runner = Command::cargo_bin("greentic-runner").unwrap();
        let args = ["invoke", "--op", "fill", "--input", r#"{"size": 300}"#, "--json", "--wasm"];
        let output = runner.args(args).arg(guest_path(name)).assert().success().get_output().stdout.clone();
        let answer: Value = serde_json::from_slice(&output).unwrap();
        assert_eq!(answer["output"], json!({"size": 300, "same": true}), "{name}");
        assert_eq!(answer["host_calls"].as_array().unwrap().len(), 2, "{name}");
    }
}

#[tokio::test]
async fn wasi_leads_nowhere() {
    let rig = Rig::new(limits());
    let guest = rig.guest("reaching-out").await;
    let ask =
        async |op: &str| rig.call(&guest, scope("t", "s"), op, &json!({"host": "localhost"})).await.unwrap().output;
    assert_eq!(ask("request").await, json!({"error": "ErrorCode::HttpRequestDenied"}));
    assert_eq!(ask("connect").await, json!({"error": "access-denied"}));
    assert_eq!(ask("resolve").await, json!({"error": "permanent-resolver-failure"}));
    assert_eq!(ask("look").await, json!({"directories": 0, "variables": 0, "arguments": 0}));
}

#[cfg(test)]
async fn prepare(rig: &Rig, wat: &str) -> greentic_runner_host::Result<()> {
    let bytes: bytes::Bytes = wat::parse_str(wat).unwrap().into();
    let binary = Binary { name: "c", digest: *blake3::hash(&bytes).as_bytes(), bytes: &bytes };
    rig.registry.prepare(&binary, Grants::none()).await.map(drop)
}

#[tokio::test]
async fn imports_of_types_alone_ask_for_nothing() {
    let types = r#"(instance
        (type $ctx (record (field "tenant" string) (field "made-up" u8)))
        (export "tenant-ctx" (type (eq $ctx))))"#;
    let rig = Rig::new(limits());
    for name in ["greentic:interfaces-types/types@0.1.0", "greentic:types-core/core@0.6.0", "acme:types/types@7.0.0"] {
        prepare(&rig, &format!(r#"(component (import "{name}" {types}))"#)).await.unwrap();
    }
}

#[tokio::test]
async fn any_patch_version_of_wasi_is_linked_beside_any_other() {
    let import = |patch: u8| {
        format!(
            r#"(import "wasi:random/random@0.2.{patch}" (instance (export "get-random-u64" (func (result u64)))))
            (import "wasi:sockets/network@0.2.{patch}" (instance (export "network" (type (sub resource)))))
            (import "wasi:http/types@0.2.{patch}" (instance (export "fields" (type (sub resource)))))"#
        )
    };
    let rig = Rig::new(limits());
    for patch in 0..=12 {
        prepare(&rig, &format!("(component {})", import(patch))).await.unwrap();
    }
    prepare(&rig, &format!("(component {} {})", import(3), import(9))).await.unwrap();
}
