use super::*;
use crate::flow::doc::{FlowKind, RoutingDoc};

fn read(text: &str) -> FlowDoc {
    parse(text, "demo.ygtc").unwrap()
}

fn refused(text: &str) -> Error {
    parse(text, "demo.ygtc").unwrap_err()
}

#[test]
fn a_whole_flow_is_read() {
    let doc = read(
        r#"
id: support
type: messaging
title: Support
description: Answers questions
schema_version: 2
parameters: { a: 1 }
tags: [demo, chat]
start: ask
entrypoints:
  again: answer
nodes:
  answer:
    emit.response:
      text: "Hello {{entry.text}}"
    routing: reply
  ask:
    vendor.product.component-x:
      config: { tone: calm }
      confirm: yes
    operation: run
    retry: { max_attempts: 3 }
    timeout: 5s
    output: { text: "{{result}}" }
    err_map: { text: sorry }
    when: "true"
    routing:
      - to: answer
"#,
    );
    assert_eq!((&*doc.id, doc.kind), ("support", FlowKind::Messaging));
    assert_eq!(doc.title.as_deref(), Some("Support"));
    assert_eq!(doc.tags, ["demo", "chat"]);
    assert_eq!(doc.entrypoints.get("default").map(String::as_str), Some("ask"));
    assert_eq!(doc.entrypoints.get("again").map(String::as_str), Some("answer"));
    assert_eq!(doc.nodes.keys().collect::<Vec<_>>(), ["answer", "ask"]);
    let ask = &doc.nodes["ask"];
    assert_eq!(ask.component, "vendor.product.component-x");
    assert_eq!(ask.operation.as_deref(), Some("run"));
    assert_eq!(ask.input, serde_json::json!({"config": {"tone": "calm"}, "confirm": "yes"}));
    assert_eq!(ask.output, serde_json::json!({"text": "{{result}}"}));
    assert_eq!(ask.err_map, serde_json::json!({"text": "sorry"}));
    assert_eq!(ask.timeout, serde_json::json!("5s"));
    assert_eq!(ask.routing, RoutingDoc::Next("answer".into()));
    assert_eq!(ask.location.as_ref().unwrap().to_string(), "demo.ygtc:17:3");
    assert_eq!(doc.nodes["answer"].routing, RoutingDoc::Reply);
}

#[test]
fn every_type_has_a_kind() {
    for (name, kind) in [
        ("messaging", FlowKind::Messaging),
        ("event", FlowKind::Event),
        ("events", FlowKind::Event),
        ("timer", FlowKind::Event),
        ("component-config", FlowKind::ComponentConfig),
        ("component_config", FlowKind::ComponentConfig),
        ("job", FlowKind::Job),
        ("http", FlowKind::Http),
        ("webhook", FlowKind::Http),
    ] {
        assert_eq!(read(&format!("id: a\ntype: {name}\nnodes: {{}}")).kind, kind, "{name}");
    }
}

#[test]
fn a_flow_without_nodes_is_read_and_left_to_the_compiler() {
    for nodes in ["", "nodes: {}", "nodes: []", "nodes:"] {
        assert!(read(&format!("id: a\ntype: job\n{nodes}")).nodes.is_empty(), "{nodes}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let table = [
        ("id: a\ntype: websocket\nnodes: {}", Code::FlowInvalid, "websocket", "2:7"),
        ("type: job\nnodes: {}", Code::FlowInvalid, "no `id`", ""),
        ("id: a\nnodes: {}", Code::FlowInvalid, "no `type`", ""),
        ("id: a b\ntype: job", Code::InvalidId, "a b", "1:5"),
        ("id: a\ntype: job\nnodes:\n  1x:\n    emit.text: hi", Code::FlowInvalid, "1x", "4:3"),
        ("id: a\ntype: job\nnodes:\n  x: {}", Code::FlowInvalid, "no operation key", "4:3"),
        ("id: a\ntype: job\nnodes:\n  x: 7", Code::FlowInvalid, "not a mapping", "4:3"),
        ("id: a\ntype: job\nnodes:\n  x: {a.b: 1, c.d: 2}", Code::FlowInvalid, "`a.b`, `c.d`", "4:3"),
        ("id: a\ntype: job\nnodes:\n  x: {a.b: 1, routing: nowhere}", Code::FlowInvalid, "nowhere", "4:3"),
        ("id: a\ntype: job\nnodes:\n  x: {a.b: 1, operation: 3}", Code::FlowInvalid, "`operation`", "4:3"),
        ("id: a\ntype: job\nnodes:\n  x: {a.b: {c: 1}, in_map: {d: 1}}", Code::FlowInvalid, "`in_map`", "4:3"),
        ("id: a\ntype: job\nentrypoints:\n  go: [x]", Code::FlowInvalid, "names no node", "4:3"),
        ("id: a\nversion: '1'\nnodes:\n  - id: x\n    op: y\nedges: []", Code::FlowDialect, "is a list", "4:3"),
        ("id: a\ntype: job\nschema_version: 3", Code::FlowDialect, "schema_version 3", "3:17"),
        ("id: a\nkind: chat", Code::FlowInvalid, "chat", "2:7"),
        ("id: a\ntype: job\nentry: [x]", Code::FlowInvalid, "names no node", "3:8"),
        ("id: a\ntype: job\ntags: x", Code::FlowInvalid, "`tags`", "3:7"),
        ("id: a\ntype: job\ntitle: [x]", Code::FlowInvalid, "`title`", "3:8"),
        ("id: 7\ntype: job", Code::FlowInvalid, "`id` is not text", "1:5"),
        (
            "id: a\ntype: job\nnodes:\n  x: {component: a.b, payload: 1, input: 2}",
            Code::FlowInvalid,
            "`payload`, `input`",
            "4:3",
        ),
        (
            "id: a\ntype: job\nnodes:\n  x: {component: a.b, routes: [], routing: out}",
            Code::FlowInvalid,
            "`routing` and `routes`",
            "4:3",
        ),
        ("id: a\nid: b\ntype: job", Code::FlowInvalid, "id", "2:1"),
        ("id: a\ntype: job\nnodes:\n  x: {a.b: 1}\n  x: {a.b: 2}", Code::FlowInvalid, "x", "5:3"),
        ("id: a\ntype: job\nnodes:\n  x: {a.b: {k: 1, k: 2}}", Code::FlowInvalid, "k", "4:"),
        ("id: [", Code::FlowInvalid, "", "1:"),
        ("id: a\ntype: job\n---\nid: b", Code::FlowInvalid, "", ""),
        ("", Code::FlowInvalid, "", ""),
        ("- a", Code::FlowInvalid, "", "1:"),
    ];
    for (text, code, part, place) in table {
        let error = refused(text);
        assert_eq!(error.code(), code, "{text}: {error}");
        assert!(error.message().contains(part), "{text}: {error}");
        let location = error.location().map(ToString::to_string).unwrap_or_default();
        assert!(location.starts_with("demo.ygtc"), "{text}: {error}");
        assert!(location.contains(place), "{text}: {location}");
    }
}

#[test]
fn the_older_dialect_is_read() {
    let doc = read(
        r#"
kind: messaging
id: weather
entry: ask
schema_version: 1
parameters: { days: 3 }
nodes:
  answer:
    component: vendor.weather
    payload: { days: "{{parameters.days}}" }
    operation: forecast
  ask:
    component: vendor.questions
    config: { tone: calm }
    routes:
      - to: answer
  tell:
    vendor.weather: { city: Rome }
    routing: reply
"#,
    );
    assert_eq!(doc.kind, FlowKind::Messaging);
    assert_eq!(doc.entrypoints.get("default").map(String::as_str), Some("ask"));
    assert_eq!(doc.parameters, serde_json::json!({"days": 3}));
    let answer = &doc.nodes["answer"];
    assert_eq!((answer.component.as_str(), answer.operation.as_deref()), ("vendor.weather", Some("forecast")));
    assert_eq!(answer.input, serde_json::json!({"days": "{{parameters.days}}"}));
    let ask = &doc.nodes["ask"];
    assert_eq!(ask.input, serde_json::json!({"config": {"tone": "calm"}}));
    assert_eq!(ask.default_operation.as_deref(), Some("invoke"));
    assert_eq!(ask.routing, RoutingDoc::Next("answer".into()));
    assert_eq!(doc.nodes["tell"].default_operation.as_deref(), Some("invoke"));
}

#[test]
fn a_flow_of_the_first_draft_is_of_no_events() {
    let doc = read("kind: flow/v1\nid: a\nentry: x");
    assert_eq!((doc.kind, doc.nodes.len()), (FlowKind::Job, 0));
    assert_eq!(read("kind: flow/v1\ntype: messaging\nid: a").kind, FlowKind::Messaging);
}

#[test]
fn all_findings_come_at_once() {
    let error = refused("id: 'a b'\ntype: x\nnodes:\n  a: {}\n  b: {c.d: 1, routing: z}\n  2: {}");
    assert_eq!(error.details().len(), 5, "{error}");
}

#[test]
fn in_map_is_the_input_of_a_node_without_payload() {
    let doc = read("id: a\ntype: job\nnodes:\n  x: {a.b: {}, in_map: {d: 1}, out_map: {e: 2}}");
    assert_eq!(doc.nodes["x"].input, serde_json::json!({"d": 1}));
    assert_eq!(doc.nodes["x"].output, serde_json::json!({"e": 2}));
}

#[test]
fn a_large_file_is_refused_before_it_is_parsed() {
    let error = refused(&"#".repeat(MAX_BYTES + 1));
    assert_eq!(error.code(), Code::TooLarge);
}

#[test]
fn aliases_work_and_alias_bombs_do_not() {
    let doc = read("id: a\ntype: job\nnodes:\n  x: {a.b: &p {k: 1}}\n  y: {a.b: *p}");
    assert_eq!(doc.nodes["y"].input, serde_json::json!({"k": 1}));

    let mut bomb = String::from("id: a\ntype: job\nmeta:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = level - 1;
        bomb.push_str(&format!("  a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 9].join(", ")));
    }
    bomb.push_str("nodes:\n  x: {a.b: *a11}\n");
    assert_eq!(refused(&bomb).code(), Code::FlowInvalid);
}

#[test]
fn deep_nesting_is_refused() {
    for text in ["[".repeat(10_000), "{a: ".repeat(10_000), "- ".repeat(10_000)] {
        assert_eq!(refused(&text).code(), Code::FlowInvalid);
        assert_eq!(refused(&format!("id: a\ntype: job\nnodes: {{x: {{a.b: {text}")).code(), Code::FlowInvalid);
    }
}

proptest::proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let _ = parse(&text, "x");
    }

    #[test]
    fn arbitrary_flow_text_never_panics(body in "[a-z:{}\\[\\]&*!|>,'\" \n-]{0,200}") {
        let _ = parse(&format!("id: a\ntype: job\nnodes:\n  x:\n    {body}"), "x");
    }
}
