//! Flows in every dialect that circulates, run: through the command line, through the library, over restarts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::Path;

use common::{Sources, event, guest, host_of, host_with, say, texts, waits};
use greentic_runner_host::flow::json;
use greentic_runner_host::pack::manifest::{ComponentEntry, Manifest};
use greentic_runner_host::pack::model::PackKind;
use greentic_runner_host::run::event::FlowChoice;
use greentic_runner_host::{Code, HostBuilder, HostConfig, Result, RunnerHost};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

/// Runs the command line with one message, and gives what it replies.
fn run(pack: &Sources, message: &str) -> String {
    let data = tempfile::tempdir().unwrap();
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("greentic-runner"));
    command.env_clear().args(["run", "--input"]).arg(json!({ "text": message }).to_string());
    let done = command.arg("--pack").arg(pack.path()).arg("--data-dir").arg(data.path()).assert().success();
    String::from_utf8(done.get_output().stdout.clone()).unwrap()
}

#[test]
fn a_flow_in_the_older_words_runs() {
    let flow = "
kind: messaging
id: greeter
entry: shout
schema_version: 1
parameters: { greeting: Hello, marks: ['!', '?'] }
nodes:
  tell:
    component: emit.response
    payload: { text: '{{parameters.greeting}} {{prev.name}}{{parameters.marks.[0]}}' }
  shout:
    component: vendor.echo.echo
    payload: { name: '{{in.input.text}}' }
    routes:
      - next: tell
";
    let said = run(&Sources::of_flow(flow).component("vendor.echo", "echo-node"), "Ada");
    assert!(said.contains("Hello Ada!"), "{said}");
}

#[test]
fn the_well_known_template_component_needs_no_component() {
    let flow = "
id: t
type: messaging
nodes:
  text:
    templating.handlebars: { text: 'You said {{in.text}}' }
    routing: [{ next: data }]
  data:
    template: '{\"said\": \"{{prev.text}}\", \"n\": 1}'
    routing: [{ to: tell }]
  tell:
    emit.response: { text: '{{node.data.said}} {{node.data.n}}' }
";
    let said = run(&Sources::of_flow(flow), "hi");
    assert!(said.contains("You said hi 1"), "{said}");
}

const BY_WISH: &str = "
id: t
type: messaging
nodes:
  first:
    emit.response: { text: first }
    when: 'in.text != \"quiet\"'
    routing: [{ to: second }]
  second:
    echo: { said: '{{in.text}}' }
    operation: echo
    when: 'exists(in.text)'
    routing: [{ to: third }]
  third:
    emit.response: { text: '{{prev.said}}' }
    when: 'said == \"loud\" && !exists(node.third)'
    routing: reply
";

#[tokio::test]
async fn a_node_whose_condition_does_not_hold_is_left_out() {
    let host = host_with(&Sources::of_flow(BY_WISH).component("echo", "echo-node")).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "loud").await.unwrap()), ["first", "loud"]);
    // What the node before gave is what the flow ends with, and its route says `reply`.
    assert_eq!(texts(&say(&host, "s", "calm").await.unwrap()), ["first", r#"{"said":"calm"}"#]);
    assert_eq!(texts(&say(&host, "s", "quiet").await.unwrap()), [r#"{"said":"quiet"}"#]);
}

#[tokio::test]
async fn a_left_out_end_repeats_no_reply_and_makes_none() {
    for (first, routing, expected) in [
        ("emit.response: { text: said }", "reply", vec!["said"]),
        ("emit.log: { text: said }", "out", vec![]),
        ("emit.log: { text: said }", "reply", vec!["said"]),
    ] {
        let flow = format!(
            "{{ id: t, type: messaging, nodes: {{ a: {{ {first}, routing: [{{ to: b }}] }}, \
             b: {{ emit.response: {{ text: never }}, when: false, routing: {routing} }} }} }}"
        );
        let host = host_with(&Sources::of_flow(&flow)).await.unwrap();
        assert_eq!(texts(&say(&host, "s", "x").await.unwrap()), expected, "{flow}");
    }
}

/// A flow whose node answers with a control result, and two others to jump to.
fn jumping(control: &str) -> Sources {
    let main = format!(
        "
id: main
type: messaging
nodes:
  route:
    jumper: {{ greentic_control: {control} }}
    operation: echo
    routing:
      - {{ status: error, to: failed }}
      - {{ to: after }}
  failed:
    emit.response: {{ text: '{{{{prev.error.message}}}}' }}
  after:
    emit.response: {{ text: 'went on' }}
"
    );
    Sources::of_flow(&main).file("asking.ygtc", ASKING).component("jumper", "echo-node")
}

const ASKING: &str = "
id: asking
type: job
nodes:
  greet:
    emit.response: { text: 'greeted {{entry.name}}, jump {{state.redirect_count}}' }
    routing: [{ to: ask }]
  ask:
    session.wait: { reason: answer }
    routing: [{ to: tell }]
  tell:
    emit.response: { text: '{{entry.name}} answered {{in.text}}, jump {{state.redirect_count}}' }
";

async fn answer(control: &str) -> Vec<String> {
    let host = host_with(&jumping(control)).await.unwrap();
    texts(&say(&host, "s", "hi").await.unwrap())
}

#[tokio::test]
async fn a_component_jumps_to_another_flow_of_the_pack() {
    for (control, said) in [
        ("{ v: 1, action: jump, flow: asking, payload: { name: Ada } }", "greeted Ada, jump 1"),
        ("{ v: 1, action: jump, flow: asking, node: greet, payload: { name: Ada } }", "greeted Ada, jump 1"),
        ("{ v: 1, action: jump, target: { flow: asking }, params: { name: Ada } }", "greeted Ada, jump 1"),
        ("{ v: 1, action: dance }", "went on"),
        ("{ v: 2, action: jump, flow: asking }", "jump_failed: greentic_control is not of version 1"),
        ("{ v: 1, action: jump }", "missing_flow: the jump names no flow"),
        ("{ v: 1, action: jump, flow: askin }", "unknown_flow:askin"),
        ("{ v: 1, action: jump, flow: asking, node: gret }", "unknown_node:gret"),
        (
            "{ v: 1, action: jump, flow: asking, max_redirects: 0 }",
            "redirect_limit: the event was led on 0 times already",
        ),
        ("{ v: 1, action: jump, flow: main }", "redirect_limit: the event was led on 3 times already"),
    ] {
        assert_eq!(answer(control).await, [said], "{control}");
    }
}

#[tokio::test]
async fn a_jump_without_payload_keeps_the_input_and_a_run_goes_on_there_after_a_restart() {
    let pack = jumping("{ v: 1, action: jump, flow: asking }");
    let data = tempfile::tempdir().unwrap();
    let on_disk = || host_of("tenant: t", &pack, |builder| builder.with_data_dir(data.path()));
    let host = on_disk().await.unwrap();
    let first = host.submit(event("s", json!({ "name": "Ada" }))).await.unwrap().outcome().await.unwrap();
    assert_eq!(texts(&first), ["greeted Ada, jump 1"]);
    assert!(waits(&first));
    assert_eq!(&*first.flow, "asking");
    host.stop().await.unwrap();
    drop(host);

    let host = on_disk().await.unwrap();
    let second = say(&host, "s", "yes").await.unwrap();
    assert_eq!(texts(&second), ["Ada answered yes, jump 0"]);
    assert!(!waits(&second));
    let counts = host.counts().await.unwrap();
    assert_eq!((counts.events, counts.runs, counts.waits, counts.journal, counts.dead), (0, 0, 0, 0, 0));
}

#[tokio::test]
async fn a_called_flow_that_jumps_answers_with_what_the_other_flow_ends_with() {
    let pack = jumping("{ v: 1, action: jump, flow: asking, payload: { name: Ada } }").file(
        "outer.ygtc",
        "{ id: outer, type: event, nodes: { call: { flow.call: { flow_id: main }, routing: [{ to: end }] }, \
             end: { emit.response: { text: 'ended with {{prev.text}}' } } } }",
    );
    let host = host_with(&pack).await.unwrap();
    let mut first = event("s", json!({}));
    first.flow = FlowChoice::Id("outer".into());
    let first = host.submit(first).await.unwrap().outcome().await.unwrap();
    assert_eq!(texts(&first), ["greeted Ada, jump 1"]);
    let second = say(&host, "s", "yes").await.unwrap();
    assert_eq!(texts(&second), ["Ada answered yes, jump 0", "ended with Ada answered yes, jump 0"]);
}

#[tokio::test]
async fn a_component_answers_and_ends_the_flow() {
    let host = host_with(&jumping("{ v: 1, action: respond, text: done, card_cbor: [1, 2], needs_user: false }")).await;
    let outcome = say(&host.unwrap(), "s", "hi").await.unwrap();
    assert_eq!(outcome.replies, [json!({ "text": "done", "card_cbor": [1, 2], "needs_user": false })]);
}

#[tokio::test]
async fn what_a_component_answered_is_not_repeated_by_the_calling_flow() {
    let pack = jumping("{ v: 1, action: respond, text: done }").file(
        "outer.ygtc",
        "{ id: outer, type: event, nodes: { call: { flow.call: { flow_id: main }, routing: reply } } }",
    );
    let host = host_with(&pack).await.unwrap();
    let mut outer = event("s", json!({}));
    outer.flow = FlowChoice::Id("outer".into());
    let outcome = host.submit(outer).await.unwrap().outcome().await.unwrap();
    assert_eq!(texts(&outcome), ["done"]);
}

#[tokio::test]
async fn a_jump_to_a_flow_that_cannot_run_fails_the_node() {
    let pack = jumping("{ v: 1, action: jump, flow: empty }").file("empty.ygtc", "{ id: empty, type: job, nodes: [] }");
    let host = host_with(&pack).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "hi").await.unwrap()), ["the flow empty is disabled"]);
}

const CARD: &str = "
id: cards
type: messaging
nodes:
  card:
    card:
      card_source: asset
      card_spec: { asset_path: 'assets/cards/{{in.card}}.json', i18n_bundle_path: assets/i18n }
      title: '{{i18n:hello.title}} {{in.text}}'
    operation: echo
";

#[tokio::test]
async fn a_component_gets_the_card_and_its_texts_and_the_users_locale() {
    let pack = Sources::of_flow(CARD)
        .file("assets/cards/hello.json", r#"{"body":"{{i18n:hello.title}} {{name}}"}"#)
        .file("assets/i18n/en.json", r#"{"hello.title":"Hello"}"#)
        .file("assets/i18n/de.json", r#"{"hello.title":"Hallo"}"#)
        .component("card", "echo-node");
    let host = host_with(&pack).await.unwrap();
    let input = json!({ "text": "Ada", "card": "hello", "metadata": { "locale": "de" } });
    let outcome = host.submit(event("s", input)).await.unwrap().outcome().await.unwrap();
    let expected = json!({
        "card_source": "inline",
        "card_spec": {
            "i18n_bundle_path": "assets/i18n",
            "inline_json": { "body": "{{i18n:hello.title}} {{name}}" },
            "i18n_inline": { "de": { "hello.title": "Hallo" }, "en": { "hello.title": "Hello" } },
        },
        "title": "{{i18n:hello.title}} Ada",
        "locale": "de",
    });
    assert_eq!(outcome.replies, [expected]);

    let input = json!({ "text": "Eve", "card": "../../../etc/passwd" });
    let refused = host.submit(event("s", input)).await.unwrap().outcome().await.unwrap_err();
    assert_eq!(refused.code(), Code::RenderFailed);
    assert!(refused.message().contains("leads out of the pack"), "{refused}");
}

#[tokio::test]
async fn only_authors_ask_for_texts() {
    let flow = |said: &str| {
        format!("{{ id: f, type: messaging, nodes: {{ a: {{ echo: {{ said: '{said}' }}, operation: echo }} }} }}")
    };
    let pack = |said: &str| {
        Sources::of_flow(&flow(said))
            .file("assets/i18n/en.json", r#"{"hello.title":"Hello"}"#)
            .component("echo", "echo-node")
    };
    let host = host_with(&pack("{{in.text}}")).await.unwrap();
    let outcome = say(&host, "s", "{{i18n:hello.title}}").await.unwrap();
    assert_eq!(outcome.replies, [json!({ "said": "{{i18n:hello.title}}" })]);

    let host = host_with(&pack("{{i18n:hello.title}} {{in.text}}")).await.unwrap();
    let outcome = say(&host, "s", "Ada").await.unwrap();
    let texts = json!({ "i18n_inline": { "en": { "hello.title": "Hello" } } });
    assert_eq!(outcome.replies, [json!({ "said": "{{i18n:hello.title}} Ada", "card_spec": texts })]);
}

#[tokio::test]
async fn a_reference_finds_the_component_that_was_published_under_it() {
    let flow = |reference: &str| {
        format!(
            "{{ id: f, type: messaging, nodes: {{ a: {{ component.exec: {{ component: '{reference}', \
             operation: echo, config: {{ a: 1 }} }} }} }} }}"
        )
    };
    let pack = |reference: &str| {
        Sources::of_flow(&flow(reference)).component("vendor.echo", "echo-node").file(
            "pack.yaml",
            "
extensions:
  greentic.pack.component_sources@v1:
    schema_version: 1
    components:
      - name: vendor.echo
        source: oci://host.example/lib/speaker:1.2
        resolved: {}
        artifact: { inline: { wasm_path: components/vendor.echo.wasm } }
",
        )
    };
    for reference in [
        "oci://host.example/lib/speaker:1.2",
        "oci://host.example/lib/speaker:latest",
        "oci://host.example/lib/speaker@sha256:00",
    ] {
        let host = host_with(&pack(reference)).await.unwrap();
        let outcome = say(&host, "s", "hi").await.unwrap();
        assert_eq!(outcome.replies, [json!({ "config": { "a": 1 } })], "{reference}");
    }
    let error = host_with(&pack("oci://host.example/lib/other:1")).await.unwrap_err();
    assert!(error.to_string().contains("GRH-0402"), "{error}");
    assert!(error.to_string().contains("oci://host.example/lib/other:1"), "{error}");
}

/// A directory with a manifest that holds these flows, as tools write them, and the echo component.
fn materialized(flows: &[Value]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let read = |flow: &Value| json::read(flow.to_string().as_bytes(), Path::new("flow.json")).unwrap();
    let manifest = Manifest {
        id: "acme.demo".into(),
        name: None,
        version: semver::Version::new(1, 0, 0),
        kind: PackKind::Application,
        publisher: "acme".to_owned(),
        components: vec![ComponentEntry {
            id: "vendor.echo".into(),
            version: semver::Version::new(1, 0, 0),
            world: None,
            operations: Vec::new(),
            capabilities: None,
            supports: Vec::new(),
            rest: Map::new(),
        }],
        flows: flows.iter().map(read).collect(),
        dependencies: Vec::new(),
        capabilities: Vec::new(),
        secret_requirements: Vec::new(),
        signatures: json!({ "signatures": [] }),
        bootstrap: Value::Null,
        extensions: IndexMap::new(),
    };
    std::fs::write(dir.path().join("manifest.cbor"), manifest.encode().unwrap()).unwrap();
    std::fs::create_dir(dir.path().join("components")).unwrap();
    std::fs::write(dir.path().join("components/vendor.echo.wasm"), guest("echo-node")).unwrap();
    dir
}

async fn host_on(pack: &Path) -> Result<RunnerHost> {
    let config = HostConfig::from_yaml("tenant: t", "bindings.yaml")?;
    let host = HostBuilder::new().with_config(config).with_memory_store().build()?;
    host.start().await?;
    host.load_pack("t", pack).await?;
    Ok(host)
}

#[tokio::test]
async fn compiled_json_flows_run() {
    let flow = json!({
        "id": "main", "flow_type": "messaging", "start": "first", "parameters": { "mark": "!" },
        "nodes": {
            "last": {
                "component": "emit.response",
                "payload_expr": { "text": "{{node.second.said}}{{parameters.mark}}", "first": { "from_node": "first" } },
                "routes": [{ "to": null, "out": true }],
            },
            "first": {
                "component": "vendor.echo.echo", "payload_expr": { "said": "{{in.text}}" },
                "routes": [{ "to": "second", "out": false }],
            },
            "second": {
                "component": "component.exec", "when": "said == \"hi\"",
                "payload_expr": { "component": "vendor.echo", "operation": "echo", "input": { "from_node": "first" } },
                "routes": [{ "to": "last" }],
            },
        },
    });
    let empty = json!({ "id": "later", "kind": "flow/v1", "entry": "start", "nodes": [] });
    let pack = materialized(&[flow, empty]);
    let host = host_on(pack.path()).await.unwrap();
    let outcome = say(&host, "s", "hi").await.unwrap();
    assert_eq!(outcome.replies, [json!({ "text": "hi!", "first": { "said": "hi" } })]);

    let mut later = event("s", json!({}));
    later.flow = FlowChoice::Id("later".into());
    let error = host.submit(later).await.unwrap().outcome().await.unwrap_err();
    assert_eq!(error.code(), Code::FlowDisabled);
    assert_eq!(error.details()[0].code(), Code::FlowEmpty);
}

#[tokio::test]
async fn a_pack_whose_flows_are_all_empty_loads() {
    let pack = materialized(&[json!({ "id": "main", "kind": "flow/v1", "entry": "start", "nodes": [] })]);
    let host = host_on(pack.path()).await.unwrap();
    let error = say(&host, "s", "hi").await.unwrap_err();
    assert_eq!(error.code(), Code::FlowDisabled);
}
