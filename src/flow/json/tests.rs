use serde_json::json;

use super::*;
use crate::flow::doc::{FlowKind, RoutingDoc};

fn of(value: &serde_json::Value) -> Result<FlowDoc> {
    read(value.to_string().as_bytes(), Path::new("flow.json"))
}

#[test]
fn the_flow_files_own_shape_is_read() {
    let doc = of(&json!({
        "id": "weather", "type": "messaging", "title": "Weather", "start": "ask", "tags": ["demo"],
        "parameters": { "days": 3 }, "schema_version": "1.0", "unknown": { "to": "this host" },
        "nodes": {
            "ask": { "qa.process": { "questions": [] }, "routing": [{ "to": "answer" }] },
            "answer": { "templating.handlebars": { "text": "{{in.text}}" }, "routing": [{ "out": true }] },
            "1.odd": { "emit.response": { "text": "x" }, "routing": "reply", "when": "in.text == \"x\"" },
        },
    }))
    .unwrap();
    assert_eq!((&*doc.id, doc.kind), ("weather", FlowKind::Messaging));
    assert_eq!(doc.parameters, json!({ "days": 3 }));
    assert_eq!(doc.nodes.keys().collect::<Vec<_>>(), ["ask", "answer", "1.odd"]);
    let ask = &doc.nodes["ask"];
    assert_eq!((ask.component.as_str(), ask.default_operation.as_deref()), ("qa.process", Some("invoke")));
    assert_eq!(ask.routing, RoutingDoc::Next("answer".into()));
    let answer = &doc.nodes["answer"];
    assert_eq!(answer.default_operation.as_deref(), Some("render"));
    assert_eq!(answer.routing, RoutingDoc::End);
    assert_eq!(doc.nodes["1.odd"].when, json!("in.text == \"x\""));
}

#[test]
fn the_compiled_shape_is_read() {
    let doc = of(&json!({
        "id": "weather", "flow_type": "events", "start": "in", "parameters": null,
        "nodes": {
            "in": {
                "component": "vendor.weather",
                "payload_expr": { "city": "{{in.city}}", "all": { "from_node": "a.b" }, "list": [{ "from_node": "in" }] },
                "routes": [{ "to": "out-node", "out": false }],
            },
            "out-node": { "component": "emit.response", "payload_expr": { "from_node": "in" }, "routes": [{ "to": null, "out": true }] },
        },
    }))
    .unwrap();
    assert_eq!(doc.kind, FlowKind::Event);
    assert_eq!(doc.entrypoints.get("default").map(String::as_str), Some("in"));
    let node = &doc.nodes["in"];
    assert_eq!(node.component, "vendor.weather");
    assert_eq!(node.input, json!({ "city": "{{in.city}}", "all": "{{node[\"a.b\"]}}", "list": ["{{node[\"in\"]}}"] }));
    assert_eq!(node.routing, RoutingDoc::Next("out-node".into()));
    let last = &doc.nodes["out-node"];
    assert_eq!((last.component.as_str(), &last.input), ("emit.response", &json!("{{node[\"in\"]}}")));
    assert_eq!(last.routing, RoutingDoc::End);
}

#[test]
fn the_shape_of_runtime_extensions_is_read() {
    let doc = of(&json!({
        "id": "a", "kind": "job", "entrypoints": { "default": "x", "pattern": { "re": ".*" } },
        "nodes": {
            "x": { "component_id": "vendor.c", "operation_name": "run", "operation_payload": { "n": 1 }, "routing": { "next": { "node_id": "y" } } },
            "y": { "component": "vendor.c", "operation": "run", "input": { "n": 2 }, "config": { "k": 1 }, "routing": "end" },
        },
    }))
    .unwrap();
    assert_eq!(doc.entrypoints.len(), 1);
    assert_eq!((doc.nodes["x"].operation.as_deref(), &doc.nodes["x"].input), (Some("run"), &json!({ "n": 1 })));
    assert_eq!(doc.nodes["x"].routing, RoutingDoc::Next("y".into()));
    assert_eq!(doc.nodes["y"].input, json!({ "config": { "k": 1 }, "input": { "n": 2 } }));
}

#[test]
fn a_flow_without_nodes_is_read_and_left_to_the_compiler() {
    for flow in [
        json!({ "id": "main", "kind": "flow/v1", "entry": "start", "nodes": [] }),
        json!({ "id": "main", "type": "messaging", "nodes": {} }),
        json!({ "id": "main", "type": "messaging", "nodes": null }),
        json!({ "id": "main", "type": "messaging" }),
    ] {
        assert!(of(&flow).unwrap().nodes.is_empty(), "{flow}");
    }
}

#[test]
fn what_cannot_be_read_is_a_coded_error() {
    let deep = format!("{{\"id\": \"a\", \"x\": {}", "[".repeat(100_000));
    let table: &[(&[u8], Code, &str)] = &[
        (b"", Code::InvalidJson, ""),
        (b"\xff", Code::InvalidJson, ""),
        (b"[]", Code::InvalidJson, "a flow"),
        (b"{\"id\": \"a\"", Code::InvalidJson, ""),
        (deep.as_bytes(), Code::InvalidJson, "recursion"),
        (b"{\"id\": \"a\", \"id\": \"b\"}", Code::InvalidJson, "stands twice"),
        (b"{\"nodes\": {\"x\": {\"a\": 1}, \"x\": {\"a\": 2}}}", Code::InvalidJson, "\"x\" stands twice"),
        (b"{\"id\": \"a\", \"type\": \"pubsub\"}", Code::FlowInvalid, "pubsub"),
        (b"{\"id\": \"a b\", \"type\": \"job\"}", Code::InvalidId, "a b"),
        (b"{\"id\": \"a\", \"type\": \"job\", \"schema_version\": 3}", Code::FlowDialect, "schema_version 3"),
        (b"{\"id\": \"a\", \"type\": \"job\", \"nodes\": [1]}", Code::FlowDialect, "is a list"),
        (
            b"{\"id\": \"a\", \"type\": \"job\", \"nodes\": {\"x\": {\"a\": 1, \"b\": 2}}}",
            Code::FlowInvalid,
            "`a`, `b`",
        ),
        (b"{\"id\": \"a\", \"type\": \"job\", \"nodes\": {\"x y\": {\"a\": 1}}}", Code::FlowInvalid, "\"x y\""),
    ];
    for (bytes, code, part) in table {
        let error = read(bytes, Path::new("flow.json")).unwrap_err();
        assert_eq!(error.code(), *code, "{error}");
        assert!(error.message().contains(part), "{error}");
        assert!(error.location().is_some_and(|at| at.file == "flow.json"), "{error}");
    }
    let large = vec![b' '; MAX_BYTES + 1];
    assert_eq!(read(&large, Path::new("x")).unwrap_err().code(), Code::TooLarge);
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = read(&bytes, Path::new("x"));
    }
}
