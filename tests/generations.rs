//! Components of every generation that is in circulation, called by `invoke` and by flows: what they are told, what
//! their answers mean, what is kept of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[cfg(test)]
mod guests;
#[path = "common/logged.rs"]
mod logged;

use assert_cmd::Command;
use common::{Sources, event, guest_path, host_with};
use greentic_runner_host::flow::model::FlowState;
use greentic_runner_host::{Code, Event, FlowChoice, HostBuilder, HostConfig, Outcome, RunnerHost, SessionKey};
use guests::{Rig, limits, scope};
use logged::Logged;
use serde_json::{Value, json};

/// The fixtures of the 0.4 and 0.5 lines, and the generation that each is recognised as.
const JSON_NODES: &[(&str, &str)] = &[
    ("node-0-4-a", "greentic:component/node@0.4.0 (shape A)"),
    ("node-0-4-b", "greentic:component/node@0.4.0 (shape B)"),
    ("node-0-4-c", "greentic:component/node@0.4.0 (shape C)"),
    ("node-0-5-a", "greentic:component/node@0.5.0 (shape A)"),
    ("node-0-5-b", "greentic:component/node@0.5.0 (shape B)"),
    ("node-0-5-c", "greentic:component/node@0.5.0 (shape C)"),
    ("node-own-shape", "greentic:component/node@0.5.0 (a shape of its own)"),
];

/// What a component of this fixture is told in the scope of `tests/guests`, but for the deadline.
fn expected_context(fixture: &str) -> Value {
    let small = json!({
        "tenant": "t", "team": null, "user": "user", "trace_id": "correlation", "correlation_id": "correlation",
        "attempt": 3, "idempotency_key": "key",
    });
    let with_language = |mut tenant: Value| {
        tenant["i18n_id"] = json!("en");
        tenant
    };
    match fixture.rsplit('-').next().unwrap() {
        "a" => json!({ "tenant": small, "flow_id": "flow", "node_id": "node" }),
        "c" => json!({ "tenant": with_language(small), "i18n_id": "en", "flow_id": "flow", "node_id": "node" }),
        "b" => json!({
            "tenant": {
                "env": "local", "tenant": "t", "tenant_id": "t", "team": null, "team_id": null, "user": "user",
                "user_id": "user", "trace_id": "correlation", "i18n_id": "en", "correlation_id": "correlation",
                "attributes": [], "session_id": "t:test:s:user", "flow_id": "flow", "node_id": "node",
                "provider_id": null, "attempt": 3, "idempotency_key": "key", "impersonation": null,
            },
            "i18n_id": "en", "flow_id": "flow", "node_id": "node",
        }),
        _ => json!({
            "region": null, "labels": [], "node_id": "node", "attempt": 3,
            "tenant": { "session_id": "t:test:s:user", "tenant": "t", "team_id": "" },
        }),
    }
}

#[tokio::test]
async fn each_shape_is_told_on_whose_behalf_it_works() {
    let rig = Rig::new(limits());
    for (fixture, generation) in JSON_NODES {
        let node = rig.guest(fixture).await;
        assert_eq!(node.component_generation().unwrap().to_string(), *generation);
        assert_eq!(node.provider_generation(), None);
        let mut scope = scope("t", "s");
        scope.attempt = 3;
        let before = unix_ms();
        let input = json!({ "text": "hällo", "n": [1, 2.5, null] });
        let mut output = rig.call(&node, scope, "echo", &input).await.unwrap().output;
        assert_eq!(output["op"], "echo");
        assert_eq!(output["input"], input, "{fixture}");
        let tenant = output["ctx"]["tenant"].as_object_mut().unwrap();
        let deadlines: Vec<_> = ["deadline_unix_ms", "deadline_ms"].iter().filter_map(|k| tenant.remove(*k)).collect();
        if *fixture != "node-own-shape" {
            // The call's own limit ends before the event's deadline, which is a minute away.
            let left = deadlines[0].as_u64().unwrap() - before;
            assert!((5_000..=40_000).contains(&left), "{fixture}: {left}");
        }
        assert_eq!(output["ctx"], expected_context(fixture), "{fixture}");
    }
}

fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

#[tokio::test]
async fn answers_of_json_nodes_mean_what_the_contract_says() {
    let rig = Rig::new(limits());
    for (fixture, _) in JSON_NODES {
        let node = rig.guest(fixture).await;
        let call = |op: &'static str, input: Value| {
            let (rig, node) = (&rig, &node);
            async move { rig.call(node, scope("t", "s"), op, &input).await }
        };
        assert_eq!(call("quiet", json!({})).await.unwrap().output, Value::Null, "{fixture}");
        assert_eq!(call("plain", json!(null)).await.unwrap().output, json!("plain text"), "{fixture}");
        let input = json!({
            "code": "rate", "message": "slow down", "retryable": true, "backoff_ms": 7, "details": { "left": 0 },
        });
        let failure = call("fail", input.clone()).await.unwrap_err();
        assert_eq!(failure.error.code(), Code::ComponentFailed);
        assert!(failure.retryable && failure.backoff_ms == Some(7), "{fixture}");
        assert_eq!(failure.value, input, "{fixture}");
        let failure = call("report", json!({})).await.unwrap_err();
        assert_eq!(failure.value["code"], "reported", "{fixture}");
        let failure = call("trap", json!({})).await.unwrap_err();
        assert_eq!(failure.error.code(), Code::GuestTrap, "{fixture}");
    }
}

#[tokio::test]
async fn a_component_says_what_it_is_in_the_form_of_its_generation() {
    let rig = Rig::new(limits());
    const JSON_OPS: &[&str] = &["echo", "fail", "quiet", "plain", "report", "trap"];
    for (fixture, ops) in [
        ("node-0-4-a", Some(JSON_OPS)),
        ("node-0-5-b", Some(JSON_OPS)),
        ("node-own-shape", None),
        ("runtime-provider", Some(&["echo", "fail", "quiet"][..])),
        // It has operations to name, and is not told which one is called.
        ("early-counter", None),
    ] {
        let component = rig.guest(fixture).await;
        let named = component.component_ops(fixture, &rig.limits).await.unwrap();
        assert_eq!(named.as_deref().map(|ops| ops.iter().map(String::as_str).collect::<Vec<_>>()).as_deref(), ops);
        let description = component.describe_component(fixture, &rig.limits).await.unwrap();
        match fixture {
            "node-own-shape" => assert_eq!(description, None),
            "early-counter" => assert_eq!(description.unwrap()["info"]["id"], "early-counter"),
            "runtime-provider" => assert_eq!(description.unwrap()["provider_type"], "fixture.runtime"),
            _ => assert_eq!(description.unwrap()["name"], "fixture"),
        }
    }
    let node = rig.guest("echo-node").await;
    let description = node.describe_component("echo-node", &rig.limits).await.unwrap().unwrap().clone();
    assert_eq!(description["ops"][0]["input"]["schema"], json!({ "inline_cbor": {} }));
    assert_eq!(description["name"], "echo-node");
}

#[tokio::test]
async fn a_component_is_called_by_runtime_and_as_a_provider_by_schema_core() {
    let rig = Rig::new(limits());
    let both = rig.guest("runtime-provider").await;
    assert_eq!(both.component_generation().unwrap().to_string(), "greentic:component/runtime@0.6.1");
    assert_eq!(both.provider_generation().unwrap().to_string(), "greentic:provider-schema-core/schema-core-api@1.0.0");
    let answer = rig.call(&both, scope("t", "s"), "echo", &json!({ "a": 1 })).await.unwrap();
    assert_eq!(answer.output, json!({ "by": "runtime", "input": { "a": 1 } }));
    assert_eq!(rig.call(&both, scope("t", "s"), "quiet", &json!(1)).await.unwrap().output, Value::Null);
    let failure = rig.call(&both, scope("t", "s"), "fail", &json!(1)).await.unwrap_err();
    assert!(failure.retryable && failure.value["code"] == "refused", "{}", failure.value);

    let flow = "
id: main
type: messaging
nodes:
  component:
    both: { operation: echo, input: { n: 1 } }
    routing: [{ to: provider }]
  provider:
    provider.invoke: { provider_id: fixture.runtime, op: echo, input: { n: 2 } }
    routing: [{ to: say }]
  say:
    emit.response: { payload: [\"{{node.component}}\", \"{{node.provider}}\"] }
";
    let yaml = "providers:\n  - { provider_type: fixture.runtime, component: both }\n";
    let pack = Sources::of_flow(flow).file("pack.yaml", yaml).component("both", "runtime-provider");
    let outcome = say(&host_with(&pack).await.unwrap(), "s", json!({})).await;
    assert_eq!(
        outcome.replies,
        [json!([{ "by": "runtime", "input": { "n": 1 } }, { "by": "schema-core", "input": { "n": 2 } }])]
    );
}

async fn say(host: &RunnerHost, session: &str, input: Value) -> Outcome {
    host.submit(event(session, input)).await.unwrap().outcome().await.unwrap()
}

#[tokio::test]
async fn new_state_is_kept_for_the_component_in_its_session() {
    let mut rig = Rig::new(limits());
    let counter = rig.guest("early-counter").await;
    assert_eq!(counter.component_generation().unwrap().to_string(), "greentic:component/component-runtime@0.6.0");
    let me = || scope("t", "s");
    let first = rig.node(&counter, me(), "run", json!({ "a": 1 })).await;
    assert_eq!(first, json!({ "runs": 1, "state": {}, "input": { "a": 1 } }));
    assert_eq!(rig.node(&counter, me(), "other", json!(null)).await["runs"], 2);
    // Other sessions, tenants and components have their own.
    assert_eq!(rig.node(&counter, scope("t", "other"), "run", json!({})).await["runs"], 1);
    assert_eq!(rig.node(&counter, scope("u", "s"), "run", json!({})).await["runs"], 1);
    let mut other = me();
    other.component = "other".into();
    assert_eq!(rig.node(&counter, other, "run", json!({})).await["runs"], 1);
    // What fails leaves the state as it was.
    for then in ["fail", "trap"] {
        rig.call(&counter, me(), "run", &json!({ "then": then })).await.unwrap_err();
    }
    assert_eq!(rig.node(&counter, me(), "run", json!({ "then": "keep" })).await["state"], json!({ "runs": 2 }));
    assert_eq!(rig.node(&counter, me(), "run", json!({ "then": "quiet" })).await, Value::Null);
    assert_eq!(rig.node(&counter, me(), "run", json!({ "then": "forget" })).await["runs"], 4);
    assert_eq!(rig.node(&counter, me(), "run", json!({})).await["state"], json!({}));
}

#[tokio::test]
async fn a_state_that_did_not_change_is_not_written() {
    let rig = Rig::new(limits());
    let counter = rig.guest("early-counter").await;
    let answer = rig.call(&counter, scope("t", "s"), "run", &json!({ "then": "keep" })).await.unwrap();
    assert_eq!(answer.state.into_writes().len(), 0);
    let answer = rig.call(&counter, scope("t", "s"), "run", &json!({ "then": "forget" })).await.unwrap();
    assert_eq!(answer.state.into_writes().len(), 0);
}

const COUNT: &str = "
id: main
type: messaging
nodes:
  first:
    counter: { operation: run, input: {} }
    routing: [{ to: second }]
  second:
    counter: { operation: run, input: { then: \"{{in.then}}\" } }
    routing: [{ to: failed, status: error }, { to: say }]
  say:
    emit.response: { payload: \"{{node.second.runs}}\" }
  failed:
    emit.response: { payload: failed }
";

#[tokio::test]
async fn flows_find_the_state_again_in_the_next_event() {
    let pack = Sources::of_flow(COUNT).component("counter", "early-counter");
    let host = host_with(&pack).await.unwrap();
    let run = |session: &'static str, then: &'static str| {
        let host = &host;
        async move { say(host, session, json!({ "then": then })).await.replies }
    };
    assert_eq!(run("s", "").await, [json!(2)]);
    assert_eq!(run("s", "").await, [json!(4)]);
    // The node that trapped left the state of the one before it.
    assert_eq!(run("s", "trap").await, [json!("failed")]);
    assert_eq!(run("s", "").await, [json!(7)]);
    assert_eq!(run("t", "").await, [json!(2)]);
}

/// A flow of one node.
fn echo_flow(component: &str) -> String {
    format!(
        "
id: main
type: messaging
nodes:
  call:
    {component}: {{ operation: echo, text: \"{{{{in.text}}}}\", config: {{ unit: C }} }}
    routing: [{{ to: say }}]
  say:
    emit.response: {{ payload: \"{{{{node.call}}}}\" }}
"
    )
}

#[tokio::test]
async fn flows_call_every_shape_with_the_bare_payload() {
    for (fixture, _) in JSON_NODES {
        let pack = Sources::of_flow(&echo_flow("node")).component("node", fixture);
        let host = host_with(&pack).await.unwrap();
        let mut event = event("s", json!({ "text": "hello", "metadata": { "locale": "pt-BR" } }));
        event.user = Some("u-1".into());
        let reply = host.submit(event).await.unwrap().outcome().await.unwrap().replies.remove(0);
        assert_eq!(reply["input"], json!({ "text": "hello", "config": { "unit": "C" } }), "{fixture}");
        let ctx = &reply["ctx"];
        assert_eq!(ctx["tenant"]["tenant"], "t", "{fixture}");
        assert_eq!(ctx["node_id"], "call", "{fixture}");
        if *fixture == "node-own-shape" {
            continue;
        }
        assert_eq!(ctx["flow_id"], "main", "{fixture}");
        assert_eq!(ctx["tenant"]["user"], "u-1", "{fixture}");
        if let Some(locale) = ctx.get("i18n_id") {
            assert_eq!(locale, "pt-BR", "{fixture}");
        }
        assert_eq!(ctx["tenant"]["correlation_id"], "test", "{fixture}");
        assert_eq!(ctx["tenant"]["attempt"], 1, "{fixture}");
        assert!(ctx["tenant"]["idempotency_key"].as_str().unwrap().len() > 16, "{fixture}");
    }
}

#[test]
fn the_command_line_calls_every_shape() {
    let invoke = |fixture: &str, op: &str| {
        let mut command = Command::cargo_bin("greentic-runner").unwrap();
        let wasm = guest_path(fixture);
        let output = command
            .args(["invoke", "--op", op, "--input", r#"{"text":"hi"}"#, "--wasm"])
            .arg(wasm)
            .env_remove("GREENTIC_ENV")
            .output()
            .unwrap();
        assert!(output.status.success(), "{fixture}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    for (fixture, _) in JSON_NODES {
        let output = invoke(fixture, "echo");
        assert_eq!(output["input"], json!({ "text": "hi" }), "{fixture}");
        assert_eq!(output["ctx"]["tenant"]["tenant"], "local", "{fixture}");
    }
    assert_eq!(invoke("early-counter", "run")["runs"], 1);
    assert_eq!(invoke("runtime-provider", "echo"), json!({ "by": "runtime", "input": { "text": "hi" } }));
    assert_eq!(invoke("node-0-6-short", "echo")["input"], json!({ "text": "hi" }));
}

#[tokio::test]
async fn the_final_node_is_called_in_shapes_that_are_not_the_hosts_too() {
    let rig = Rig::new(limits());
    let node = rig.guest("node-0-6-short").await;
    assert_eq!(node.component_generation().unwrap().to_string(), "greentic:component/node@0.6.0 (a shape of its own)");
    let answer = rig.call(&node, scope("t", "s"), "echo", &json!({ "n": 1 })).await.unwrap();
    assert_eq!(
        answer.output,
        json!({
            "input": { "n": 1 }, "tenant": "t", "user": "user", "attempt": 1, "key": "key", "step": "node",
            "flow": "flow",
        })
    );
    let failure = rig.call(&node, scope("t", "s"), "fail", &json!({ "why": "full" })).await.unwrap_err();
    assert!(failure.retryable);
    assert_eq!(failure.value["details"], json!({ "why": "full" }));
}

async fn host_for(tenant: &str, pack: &Sources) -> greentic_runner_host::Result<RunnerHost> {
    let config = HostConfig::from_yaml(&format!("tenant: {tenant}"), "bindings.yaml")?;
    let host = HostBuilder::new().with_config(config).with_memory_store().build()?;
    host.start().await?;
    host.load_pack(tenant, &pack.path()).await?;
    Ok(host)
}

#[tokio::test]
async fn a_component_that_says_it_cannot_start_is_noted_and_called() {
    let flow = "id: main\ntype: messaging\nnodes:\n  hi: { emit.response: { payload: hello } }\n";
    let pack = Sources::of_flow(flow)
        .file("other.ygtc", &echo_flow("node").replace("id: main", "id: other"))
        .component("node", "node-0-5-c");
    assert!(host_for("open", &pack).await.unwrap().tenant("open").unwrap().notes().is_empty());
    for (tenant, said) in [("closed", "the tenant is closed"), ("broken", "failed as it was started")] {
        let host = host_for(tenant, &pack).await.unwrap();
        let notes = host.tenant(tenant).unwrap().notes().to_vec();
        assert!(notes[0].code() == Code::ComponentStart && notes[0].message().contains(said), "{notes:?}");
        let session = SessionKey::of([tenant, "test", "s"]);
        let flow = FlowChoice::Id("other".into());
        let event = Event { tenant: tenant.into(), session, flow, ..event("s", json!({ "text": "hello" })) };
        let replies = host.submit(event).await.unwrap().outcome().await.unwrap().replies;
        assert_eq!(replies[0]["input"]["text"], "hello");
        host.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_component_that_says_it_cannot_start_refuses_its_pack_where_loading_is_strict() {
    let pack = Sources::of_flow(&echo_flow("node")).component("node", "node-0-5-c");
    let config = HostConfig::from_yaml("tenant: closed\npacks: { strict: true }", "bindings.yaml").unwrap();
    let host = HostBuilder::new().with_config(config).with_memory_store().build().unwrap();
    host.start().await.unwrap();
    let refused = host.load_pack("closed", &pack.path()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ComponentStart, "{refused}");
    assert!(host.tenant("closed").is_none());
    // It is asked last: what else refuses the pack is said instead.
    let read = greentic_runner_host::pack::load(&pack.path(), &Default::default()).unwrap();
    let other = greentic_runner_host::Error::new(Code::Usage, "not this one");
    let refused = host.load_if("closed", read, |_| Err(other)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Usage);
    host.stop().await.unwrap();
}

#[tokio::test]
async fn a_component_in_a_package_of_its_own_gets_a_request() {
    let rig = Rig::new(limits());
    let node = rig.guest("api-node").await;
    assert_eq!(node.component_generation().unwrap().to_string(), "greentic:component-v1/component-api@0.1.0");
    // It describes itself in the one way that belongs to no generation.
    assert_eq!(node.component_ops("api-node", &rig.limits).await.unwrap().unwrap(), ["echo", "fail", "later"]);
    let answer = rig.call(&node, scope("t", "s"), "echo", &json!({ "n": 1 })).await.unwrap();
    assert_eq!(
        answer.output,
        json!({
            "tenant": {
                "env": "local", "tenant_id": "t", "team_id": null, "user_id": "user", "i18n_id": "en",
                "session_id": "t:test:s:user", "flow_id": "flow", "node_id": "node",
            },
            "component_id": "component", "operation": "echo", "input_json": "{\"n\":1}",
        })
    );
    assert_eq!(rig.call(&node, scope("t", "s"), "later", &json!({})).await.unwrap().output, json!({ "later": true }));
    let failure = rig.call(&node, scope("t", "s"), "fail", &json!({})).await.unwrap_err();
    assert_eq!(
        failure.value,
        json!({ "code": "refused", "message": "asked to", "retryable": false, "details": { "message": "asked to" } })
    );
}

#[tokio::test]
async fn a_pack_in_one_component_runs_its_flows_as_operations() {
    let rig = Rig::new(limits());
    for (fixture, generation) in [
        ("pack-exporter", "greentic:pack-export/pack-exec@0.4.0"),
        ("pack-exporter-0-2", "greentic:pack-export/exports@0.2.0"),
    ] {
        let pack = rig.guest(fixture).await;
        assert_eq!(pack.component_generation().unwrap().to_string(), generation);
        assert_eq!(pack.component_ops(fixture, &rig.limits).await.unwrap().unwrap(), ["greet", "fail"]);
        let flows = pack.exported_flows(fixture, &rig.limits).await.unwrap();
        assert_eq!(flows.len(), 2, "{fixture}");
        assert_eq!((flows[0].id.as_str(), flows[0].kind.as_deref()), ("greet", Some("messaging")));
        assert_eq!(flows[0].json, None);
        let answer = rig.call(&pack, scope("t", "s"), "greet", &json!({ "n": 1 })).await.unwrap();
        assert_eq!(answer.output["input"], json!({ "n": 1 }));
        let tenant = &answer.output["opts"]["tenant"];
        assert_eq!((&tenant["tenant"], &tenant["session_id"]), (&json!("t"), &json!("t:test:s:user")), "{fixture}");
        let failure = rig.call(&pack, scope("t", "s"), "fail", &json!({})).await.unwrap_err();
        assert_eq!(failure.value["message"], "it was asked to fail");
        let failure = rig.call(&pack, scope("t", "s"), "none", &json!({})).await.unwrap_err();
        assert_eq!(failure.value["code"], "not-found");
    }
    let giver = rig.guest("flow-giver").await;
    assert_eq!(giver.component_callable().unwrap_err().code(), Code::ExportMissing);
    let flows = giver.exported_flows("flow-giver", &rig.limits).await.unwrap();
    assert_eq!((flows[0].id.as_str(), flows[0].kind.as_deref()), ("main", Some("component_config")));
    let flow: Value = serde_json::from_str(flows[0].json.as_deref().unwrap()).unwrap();
    assert_eq!(flow["nodes"]["hi"]["emit.response"]["payload"], "hello");
    assert!(rig.guest("echo-node").await.exported_flows("echo-node", &rig.limits).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_node_need_not_name_the_operation_of_a_component_that_has_one() {
    let flow = COUNT.replace("operation: run, ", "");
    let pack = Sources::of_flow(&flow).component("counter", "early-counter");
    let host = host_with(&pack).await.unwrap();
    assert_eq!(say(&host, "s", json!({ "then": "" })).await.replies, [json!(2)]);
}

#[tokio::test]
async fn operations_that_a_component_describes_are_those_that_flows_may_call() {
    // What a manifest leaves out is noted, and called: the component knows best.
    for (fixture, op, code, runs) in [
        ("node-0-5-a", "ekho", Some(Code::OpUnknown), true),
        ("runtime-provider", "ekho", Some(Code::OpUnknown), false),
        ("echo-node", "ekho", Some(Code::OpUnknown), false),
        ("api-node", "ekho", Some(Code::OpUnknown), false),
        ("node-own-shape", "ekho", None, true),
        ("early-counter", "ekho", None, true),
    ] {
        let flow = echo_flow("node").replace("operation: echo", &format!("operation: {op}"));
        let hello = "id: hello\ntype: messaging\nnodes:\n  hi: { emit.response: { payload: hello } }\n";
        let pack = Sources::of_flow(&flow).file("hello.ygtc", hello).component("node", fixture);
        let host = host_with(&pack).await.unwrap();
        let found = host.tenant("t").unwrap().notes().first().map(greentic_runner_host::Error::code);
        assert_eq!(found, code, "{fixture}");
        let ready = matches!(host.tenant("t").unwrap().pack().flows.flows["main"], FlowState::Ready(_));
        assert_eq!(ready, runs, "{fixture}");
    }
}

#[tokio::test]
async fn flows_call_the_generations_without_json_too() {
    for (fixture, at) in [("runtime-provider", "/by"), ("node-0-6-short", "/step"), ("api-node", "/tenant/node_id")] {
        let host = host_with(&Sources::of_flow(&echo_flow("node")).component("node", fixture)).await.unwrap();
        let outcome = host.submit(event("s", json!({ "text": "hello" }))).await.unwrap().outcome().await.unwrap();
        let reply = &outcome.replies[0];
        assert!(reply.to_string().contains("hello"), "{fixture}: {reply}");
        let said = if fixture == "runtime-provider" { "runtime" } else { "call" };
        assert_eq!(reply.pointer(at), Some(&json!(said)), "{fixture}: {reply}");
    }
}

#[tokio::test]
async fn a_component_answers_an_operation_that_its_manifest_does_not_list() {
    let flow = "id: main\ntype: messaging\nnodes:\n  call:\n    node: { text: '<name>!', name: '{{in.text}}' }\n    \
                operation: render\n    routing: [{ to: say }]\n  say:\n    emit.response: { payload: '{{node.call}}' }\n";
    let host = host_with(&Sources::of_flow(flow).component("node", "questioner")).await.unwrap();
    let notes = host.tenant("t").unwrap().notes().to_vec();
    assert!(notes.len() == 1 && notes[0].message().contains("declares no operation \"render\""), "{notes:?}");
    let replies = host.submit(event("s", json!({ "text": "Ada" }))).await.unwrap().outcome().await.unwrap().replies;
    assert_eq!(replies, [json!({ "text": "Ada!" })]);
}

#[tokio::test]
async fn components_hear_that_their_pack_is_unloaded() {
    let (logged, _guard) = Logged::here();
    let pack = Sources::of_flow(&echo_flow("node")).component("node", "node-0-4-b");
    let host = host_for("sad", &pack).await.unwrap();
    assert!(!logged.take().contains("stopped because"));
    host.load_pack("sad", &pack.path()).await.unwrap();
    let replaced = logged.take();
    assert!(replaced.contains("component node failed as it was stopped: stopped because another pack"), "{replaced}");
    host.stop().await.unwrap();
    let stopped = logged.take();
    assert!(stopped.contains("stopped because the host stops") && stopped.contains("GRH-0506"), "{stopped}");
}

#[test]
fn the_command_line_shows_what_a_component_is() {
    let describe = |fixture: &str| {
        let mut command = Command::cargo_bin("greentic-runner").unwrap();
        let output = command.args(["invoke", "--describe", "--wasm"]).arg(guest_path(fixture)).output().unwrap();
        assert!(output.status.success(), "{fixture}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let node = describe("node-0-5-b");
    assert_eq!(node["generation"], "greentic:component/node@0.5.0 (shape B)");
    assert_eq!(node["description"]["operations"][0], json!({ "name": "echo" }));
    assert_eq!(describe("node-own-shape")["description"], Value::Null);
    let provider = describe("echo-provider");
    assert_eq!(provider["generation"], "greentic:provider-schema-core/schema-core-api@1.0.0");
    assert_eq!(provider["description"]["provider_type"], "fixture.echo");
}

#[test]
fn a_pack_in_one_component_needs_nothing_beside_it() {
    let run = |fixture: &str, flow: &str, input: &str| {
        let mut run = Command::cargo_bin("greentic-runner").unwrap();
        run.args(["run", "--json", "--flow", flow, "--input", input, "--pack"]).arg(guest_path(fixture));
        let dir = tempfile::tempdir().unwrap();
        let output = run.arg("--data-dir").arg(dir.path()).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    for fixture in ["pack-exporter", "pack-exporter-0-2"] {
        let greeted = run(fixture, "greet", r#"{"n": 1}"#);
        assert_eq!(greeted["status"], "completed", "{greeted}");
        assert_eq!(greeted["replies"][0]["input"]["n"], 1, "{greeted}");
        let failed = run(fixture, "fail", "{}");
        assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("failed"), &json!("GRH-0506")), "{failed}");
        assert_eq!(run(fixture, "none", "{}")["error"]["code"], "GRH-0602");
    }
    let given = run("flow-giver", "main", "{}");
    assert_eq!(given["replies"], json!(["hello"]), "{given}");
}

/// A component with the section `greentic.manifest` that says `manifest`.
fn described(fixture: &str, manifest: &Value) -> Vec<u8> {
    let mut cbor = Vec::new();
    ciborium::into_writer(manifest, &mut cbor).unwrap();
    let name = b"greentic.manifest";
    let mut content = vec![u8::try_from(name.len()).unwrap()];
    content.extend(name);
    content.extend(cbor);
    let mut wasm = std::fs::read(guest_path(fixture)).unwrap();
    wasm.push(0);
    let length = content.len();
    wasm.extend([u8::try_from(length & 0x7f).unwrap() | 0x80, u8::try_from(length >> 7).unwrap()]);
    wasm.extend(content);
    wasm
}

#[test]
fn a_component_may_say_which_pack_and_flows_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let command = |arguments: &[&str], fixture: &str, manifest: &Value| {
        let wasm = dir.path().join("p.wasm");
        std::fs::write(&wasm, described(fixture, manifest)).unwrap();
        let mut command = Command::cargo_bin("greentic-runner").unwrap();
        command.env("GREENTIC_DATA_DIR", dir.path().join("data"));
        let output = command.args(arguments).arg(wasm).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let run = ["run", "--json", "--input", r#"{"n": 1}"#, "--pack"];
    let manifest = json!({ "pack_id": "acme.echo", "version": "1.0.0", "flows": [{ "id": "echo" }] });
    let (code, said) = command(&run, "node-0-4-a", &manifest);
    let answer: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &answer["replies"][0]["input"]), (Some(0), &json!({ "n": 1 })), "{said}");
    // Of the flows that a component exports, those count that it names.
    let manifest = json!({ "pack_id": "acme.greet", "version": "1.0.0", "entry_flows": ["greet"] });
    let (code, said) = command(&run, "pack-exporter", &manifest);
    assert_eq!(code, Some(0), "{said}");
    let manifest = json!({ "pack_id": "not an id", "version": "1.0.0" });
    let (code, said) = command(&["check"], "node-0-4-a", &manifest);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("greentic.manifest") && said.contains("GRH-0205"), "{said}");
}
