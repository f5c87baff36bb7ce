//! Providers through the public API: how flows call them, what goes in and comes out, what is repeated, what their
//! configuration is, and which ones are refused when a pack is loaded.

#[cfg(test)]
mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Sources, event, host_of, host_with};
use greentic_runner_host::error::Error;
use greentic_runner_host::run::trace::{TraceEvent, TraceFeed, What};
use greentic_runner_host::{Code, Result, RunnerHost};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

/// Declares the component `echo` as provider `mouth` of the type `test.echo`.
const DECLARED: &str = "
pack_id: p
providers:
  - { provider_type: test.echo, provider_id: mouth, component: echo }
";

fn pack(flow: &str, yaml: &str, fixture: &str) -> Sources {
    Sources::of_flow(flow).file("pack.yaml", yaml).component("echo", fixture)
}

/// A flow of one node that calls the provider `mouth`, with further fields of the call and of the node.
fn call(op: &str, fields: &str, beside: &str) -> String {
    format!(
        "id: f\ntype: messaging\nnodes:\n  a:\n    provider.invoke: {{ provider_id: mouth, op: {op}, {fields} }}\n{beside}"
    )
}

#[cfg(test)]
async fn run(host: &RunnerHost, input: Value) -> Result<Value> {
    let outcome = host.submit(event("s", input)).await?.outcome().await?;
    let [reply] = outcome.replies.as_slice() else { panic!("{:?}", outcome.replies) };
    Ok(reply.clone())
}

async fn run_flow(flow: &str, input: Value) -> Result<Value> {
    run(&host_with(&pack(flow, DECLARED, "echo-provider")).await?, input).await
}

/// A host that is watched, and what it tells.
#[cfg(test)]
async fn watched(bindings: &str, pack: &Sources) -> (RunnerHost, Receiver<Arc<TraceEvent>>) {
    let feed = TraceFeed::new(100);
    let told = feed.subscribe();
    let set_up = |builder: greentic_runner_host::HostBuilder| builder.with_memory_store().with_observer(Arc::new(feed));
    (host_of(bindings, pack, set_up).await.unwrap(), told)
}

/// Number and success of each attempt at the node `a`.
fn attempts(told: &mut Receiver<Arc<TraceEvent>>) -> Vec<(u32, bool)> {
    let mut made = Vec::new();
    while let Ok(event) = told.try_recv() {
        match &event.what {
            What::Node { node, attempt, ok, .. } if **node == *"a" => made.push((*attempt, *ok)),
            _ => {}
        }
    }
    made
}

#[cfg(test)]
fn notes(host: &RunnerHost) -> Vec<Error> {
    host.tenant("t").unwrap().notes().to_vec()
}

/// The error itself, or one of those that it sums up.
fn find(error: &Error, code: Code) -> Option<&Error> {
    if error.code() == code { Some(error) } else { error.details().iter().find_map(|detail| find(detail, code)) }
}

#[tokio::test]
async fn a_provider_is_called_by_its_id_and_by_its_type() {
    for by in ["provider_id: mouth", "provider_type: test.echo"] {
        let flow = format!(
            "id: f\ntype: messaging\nnodes:\n  a:\n    provider.invoke: {{ {by}, op: echo, input: {{ said: '{{{{in.text}}}}' }} }}\n"
        );
        assert_eq!(run_flow(&flow, json!({ "text": "hi" })).await.unwrap(), json!({ "said": "hi" }), "{by}");
    }
}

#[tokio::test]
async fn schema_core_is_called_under_each_of_its_names() {
    let flow = call("echo", "input: { n: [1, 2.5, null], text: '{{in.text}}' }", "");
    for fixture in ["echo-provider", "legacy-provider", "legacy-provider-core"] {
        let host = host_with(&pack(&flow, DECLARED, fixture)).await.unwrap();
        let reply = run(&host, json!({ "text": "grüezi" })).await.unwrap();
        assert_eq!(reply, json!({ "n": [1, 2.5, null], "text": "grüezi" }), "{fixture}");
    }
}

#[tokio::test]
async fn maps_take_templates_and_json_pointers() {
    let maps = "input: { who: '{{in.user.name}}', list: [1, 2] },
      in_map: { name: /input/who, second: '{{input.list.1}}', greeting: 'Hello {{input.who}}', from: /entry/user },
      out_map: { all: /result, asked: /input/name, text: '{{result.greeting}}!', nth: /input/second }";
    let reply = run_flow(&call("echo", maps, ""), json!({ "user": { "name": "Ada" } })).await.unwrap();
    let sent = json!({ "name": "Ada", "second": 2, "greeting": "Hello Ada", "from": { "name": "Ada" } });
    assert_eq!(reply, json!({ "all": sent, "asked": "Ada", "text": "Hello Ada!", "nth": 2 }));
}

#[tokio::test]
async fn an_error_map_makes_an_answer_of_a_failure() {
    let failing = "input: { code: no_such_user, message: 'no {{in.text}}' },
      err_map: { code: '{{error.code}}', why: /error/message, again: /error/retryable, asked: /input/message }";
    let reply = run_flow(&call("fail", failing, ""), json!({ "text": "Bob" })).await.unwrap();
    assert_eq!(reply, json!({ "code": "no_such_user", "why": "no Bob", "again": false, "asked": "no Bob" }));
}

#[tokio::test]
async fn a_mapped_failure_has_the_status_error() {
    let beside = "    routing: [{ status: error, to: sorry }, { to: fine }]
  sorry:
    emit.response: { text: 'sorry: {{node.a.why}}' }
  fine:
    emit.response: { text: fine }
";
    let flow = call("fail", "input: { message: full }, err_map: { why: /error/message }", beside);
    assert_eq!(run_flow(&flow, json!({})).await.unwrap(), json!({ "text": "sorry: full" }));
}

#[tokio::test]
async fn a_failure_without_anything_to_catch_it_fails_the_event() {
    let error = run_flow(&call("fail", "input: { code: nope, message: never }", ""), json!({})).await.unwrap_err();
    assert_eq!(error.code(), Code::ComponentFailed);
    let text = error.to_string();
    assert!(text.contains("nope: never") && text.contains("flow f, node a"), "{text}");
}

#[tokio::test]
async fn a_route_for_the_status_error_catches_a_failure() {
    let beside = "    routing: [{ status: error, to: sorry }]
  sorry:
    emit.response: { text: 'sorry: {{node.a.error.code}}, {{node.a.error.message}}' }
";
    for (input, text) in [
        ("input: { code: nope, message: never }", "sorry: nope, never"),
        ("input: { code: nope }", "sorry: nope, it was asked to fail"),
    ] {
        assert_eq!(run_flow(&call("fail", input, beside), json!({})).await.unwrap(), json!({ "text": text }));
    }
}

#[tokio::test]
async fn what_is_retryable_is_repeated_until_it_succeeds() {
    let flow = "
id: f
type: messaging
nodes:
  a:
    echo: { attempt: 3 }
    operation: fail-until
    retry: { max_attempts: 4, base_delay_ms: 1 }
";
    let (host, mut told) = watched("tenant: t", &Sources::of_flow(flow).component("echo", "echo-node")).await;
    assert_eq!(run(&host, json!({})).await.unwrap(), json!({ "attempt": 3 }));
    assert_eq!(attempts(&mut told), [(1, false), (2, false), (3, true)]);
}

#[tokio::test]
async fn attempts_end_at_the_nodes_or_else_the_tenants_number() {
    let failing = |beside: &str| call("fail", "input: { retryable: true, code: busy }", beside);
    let tenant = "{ tenant: t, retry: { max_attempts: 2, base_delay_ms: 50 } }";
    for (beside, made) in [("    retry: { max_attempts: 3, base_delay_ms: 1 }\n", 3), ("", 2), ("    retry: {}\n", 1)] {
        let (host, mut told) = watched(tenant, &pack(&failing(beside), DECLARED, "echo-provider")).await;
        assert_eq!(run(&host, json!({})).await.unwrap_err().code(), Code::ComponentFailed);
        assert_eq!(attempts(&mut told), (1..=made).map(|n| (n, false)).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_is_not_retryable_is_not_repeated() {
    let retry = "    retry: { max_attempts: 5, base_delay_ms: 1 }\n";
    let flow = call("fail", "input: { retryable: false }", retry);
    let (host, mut told) = watched("tenant: t", &pack(&flow, DECLARED, "echo-provider")).await;
    assert_eq!(run(&host, json!({})).await.unwrap_err().code(), Code::ComponentFailed);
    assert_eq!(attempts(&mut told), [(1, false)]);
}

#[tokio::test]
async fn a_nodes_time_limit_ends_a_spinning_guest_and_is_not_repeated() {
    let flow = "
id: f
type: messaging
nodes:
  a:
    spinner: {}
    operation: spin-call
    timeout: 50ms
    retry: { max_attempts: 5, base_delay_ms: 1 }
";
    let (host, mut told) = watched("tenant: t", &Sources::of_flow(flow).component("spinner", "spinning")).await;
    let begun = Instant::now();
    assert_eq!(run(&host, json!({})).await.unwrap_err().code(), Code::GuestTimeout);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(attempts(&mut told), [(1, false)]);
}

#[tokio::test]
async fn a_route_and_an_error_map_catch_what_the_host_ended() {
    let flow = |beside: &str| {
        format!(
            "
id: f
type: messaging
nodes:
  a:
    trapper: {{}}
    operation: trap
{beside}
  sorry:
    emit.response: {{ code: '{{{{node.a.error.code}}}}', again: '{{{{node.a.error.retryable}}}}' }}
"
        )
    };
    for beside in [
        "    routing: [{ status: error, to: sorry }]",
        "    routing: [{ to: sorry }]\n    err_map: { error: '{{error}}' }",
    ] {
        let pack = Sources::of_flow(&flow(beside)).component("trapper", "trapping");
        let host = host_with(&pack).await.unwrap();
        let reply = run(&host, json!({})).await.unwrap();
        assert_eq!(reply, json!({ "code": Code::GuestTrap.to_string(), "again": false }), "{beside}");
    }
}

#[tokio::test]
async fn the_configuration_comes_from_the_declaration_or_else_the_bindings() {
    let flow = call("config", "", "");
    let declared = format!("{} ", DECLARED.trim_end().trim_end_matches('}')) + ", config: { greeting: declared } }";
    for (yaml, bindings, greeting) in [
        (declared.as_str(), "tenant: t", "declared"),
        (DECLARED, "{ tenant: t, providers: { mouth: { config: { greeting: bound } } } }", "bound"),
        (&declared, "{ tenant: t, providers: { mouth: { config: { greeting: bound } } } }", "bound"),
        (&declared, "{ tenant: t, providers: { mouth: {} } }", "declared"),
    ] {
        let pack = pack(&flow, yaml, "echo-provider");
        let host = host_of(bindings, &pack, |b| b.with_memory_store()).await.unwrap();
        assert_eq!(run(&host, json!({})).await.unwrap(), json!({ "greeting": greeting }), "{bindings}");
        assert!(notes(&host).is_empty(), "{:?}", notes(&host));
    }
}

#[tokio::test]
async fn the_configuration_never_replaces_what_the_flow_set() {
    let bindings = "{ tenant: t, providers: { mouth: { config: { greeting: bound } } } }";
    for (fields, config) in [
        ("input: { config: { greeting: mine } }", json!({ "greeting": "mine" })),
        ("input: { config: 1 }", json!(1)),
        ("in_map: { config: { greeting: mapped } }", json!({ "greeting": "mapped" })),
        ("in_map: { other: 1 }", json!({ "greeting": "bound" })),
    ] {
        let pack = pack(&call("config", fields, ""), DECLARED, "echo-provider");
        let host = host_of(bindings, &pack, |b| b.with_memory_store()).await.unwrap();
        assert_eq!(run(&host, json!({})).await.unwrap(), config, "{fields}");
    }
}

#[tokio::test]
async fn a_configuration_that_the_provider_rejects_refuses_it() {
    let bindings = "{ tenant: t, providers: { mouth: { config: { greeting: 7 } } } }";
    let only = pack(&call("echo", "", ""), DECLARED, "echo-provider");
    let error = host_of(bindings, &only, |b| b.with_memory_store()).await.unwrap_err();
    let rejected = find(&error, Code::ProviderConfig).unwrap_or_else(|| panic!("{error}"));
    assert!(rejected.message().contains("`greeting` is missing"), "{error}");
    assert_eq!(rejected.hint_text(), Some("set providers.mouth.config in the bindings"));

    let beside = only.file("b.ygtc", "{ id: b, type: job, nodes: { a: { emit.response: { text: runs } } } }");
    let host = host_of(bindings, &beside, |b| b.with_memory_store()).await.unwrap();
    assert!(notes(&host).iter().any(|note| note.code() == Code::ProviderConfig), "{:?}", notes(&host));
    let error = run(&host, json!({})).await.unwrap_err();
    assert_eq!(error.code(), Code::FlowDisabled);
    assert!(find(&error, Code::ProviderConfig).is_some(), "the answer says why: {error}");
}

#[tokio::test]
async fn a_provider_that_misses_its_configuration_is_noted_and_runs() {
    for bindings in ["tenant: t", "{ tenant: t, packs: { strict: true } }"] {
        let pack = pack(&call("echo", "input: { a: 1 }", ""), DECLARED, "echo-provider");
        let host = host_of(bindings, &pack, |b| b.with_memory_store()).await.unwrap();
        let notes = notes(&host);
        let [note] = notes.as_slice() else { panic!("{notes:?}") };
        assert_eq!(note.code(), Code::ProviderConfig);
        assert_eq!(note.hint_text(), Some("set providers.mouth.config in the bindings"));
        assert_eq!(run(&host, json!({})).await.unwrap(), json!({ "a": 1 }));
    }
}

#[tokio::test]
async fn settings_for_a_provider_that_the_pack_does_not_have_are_noted() {
    let bindings = "{ tenant: t, providers: { mouht: { config: { greeting: hi } } } }";
    let pack = pack(&call("echo", "", ""), DECLARED, "unhealthy-provider");
    let host = host_of(bindings, &pack, |b| b.with_memory_store()).await.unwrap();
    let notes = notes(&host);
    let note = notes.iter().find(|note| note.code() == Code::ProviderUnknown).unwrap();
    assert!(note.message().contains("\"mouht\"") && note.hint_text().unwrap().contains("mouth"), "{note}");
}

#[tokio::test]
async fn settings_for_a_provider_that_does_not_ask_for_any_are_noted() {
    let bindings = "{ tenant: t, providers: { mouth: { config: { greeting: hi } } } }";
    let pack = pack(&call("config", "", ""), DECLARED, "unhealthy-provider");
    let pack = pack.file("pack.yaml", &DECLARED.replace("component: echo", "component: echo, ops: [config]"));
    let host = host_of(bindings, &pack, |b| b.with_memory_store()).await.unwrap();
    let notes = notes(&host);
    let note = notes.iter().find(|note| note.code() == Code::ProviderConfig).unwrap();
    assert_eq!(note.hint_text(), Some("remove providers.mouth.config from the bindings"));
    let outcome = host.submit(event("s", json!({}))).await.unwrap().outcome().await.unwrap();
    assert_eq!(outcome.replies, Vec::<Value>::new(), "it got none");
}

#[tokio::test]
async fn a_provider_that_is_not_well_is_noted_and_runs() {
    for bindings in ["tenant: t", "{ tenant: t, packs: { strict: true } }"] {
        let pack = pack(&call("echo", "input: { a: 1 }", ""), DECLARED, "unhealthy-provider");
        let host = host_of(bindings, &pack, |b| b.with_memory_store()).await.unwrap();
        let notes = notes(&host);
        let [note] = notes.as_slice() else { panic!("{notes:?}") };
        assert_eq!(note.code(), Code::ProviderUnhealthy);
        assert!(note.message().contains("mouth") && note.message().contains("its backend is away"), "{note}");
        assert_eq!(run(&host, json!({})).await.unwrap(), json!({ "a": 1 }));
    }
}

#[tokio::test]
async fn an_operation_that_neither_names_is_found_at_load() {
    let error = host_with(&pack(&call("ehco", "", ""), DECLARED, "echo-provider")).await.unwrap_err();
    let unknown = find(&error, Code::OpUnknown).unwrap_or_else(|| panic!("{error}"));
    assert_eq!(unknown.hint_text(), Some("did you mean \"echo\"?"));
    assert!(unknown.location().unwrap().to_string().ends_with("index.ygtc:4:3"), "{unknown}");

    let declared = DECLARED.replace("component: echo", "component: echo, ops: [extra]");
    host_with(&pack(&call("extra", "", ""), &declared, "echo-provider")).await.unwrap();
    host_with(&pack(&call("echo", "", ""), &declared, "echo-provider")).await.unwrap();
}

#[tokio::test]
async fn a_typed_world_of_old_is_refused_by_name() {
    let declared = DECLARED.replace("component: echo", "component: echo, world: 'provider:common@0.0.2'");
    let error = host_with(&pack(&call("echo", "", ""), &declared, "echo-provider")).await.unwrap_err();
    assert_eq!(error.code(), Code::LegacyProviderWorld);
    assert!(error.message().contains("provider:common@0.0.2") && error.message().contains("mouth"), "{error}");
}

#[tokio::test]
async fn a_provider_whose_component_has_no_schema_core_is_a_finding() {
    for fixture in ["echo-node", "empty"] {
        let pack = pack(&call("echo", "", ""), DECLARED, fixture)
            .file("b.ygtc", "{ id: b, type: job, nodes: { a: { emit.response: { text: runs } } } }");
        let host = host_with(&pack).await.unwrap();
        let note = notes(&host).into_iter().find(|note| note.code() == Code::ExportMissing);
        let note = note.unwrap_or_else(|| panic!("{:?}", notes(&host)));
        assert!(note.message().contains("echo"), "{note}");
        let error = run(&host, json!({})).await.unwrap_err();
        assert_eq!(error.code(), Code::FlowDisabled);
        assert!(find(&error, Code::ExportMissing).is_some(), "{error}");
    }
}

#[tokio::test]
async fn a_provider_whose_component_is_not_there_is_a_finding() {
    let declared = DECLARED.replace("component: echo", "component: ehco");
    let error = host_with(&pack(&call("echo", "", ""), &declared, "echo-provider")).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("ehco") && text.contains("mouth"), "{text}");
}
