//! Hosts and their packs through the public API: what one broken flow, one hostile guest or one tenant does to the
//! others, what a tenant's packs see of each other, and how what would go on for ever ends.

#[cfg(test)]
mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Sources, event, host_of, host_with, say, texts};
use greentic_runner_host::pack;
use greentic_runner_host::run::event::{Event, FlowChoice};
use greentic_runner_host::session::SessionKey;
use greentic_runner_host::store::{MemoryStore, Store};
use greentic_runner_host::{Code, HostBuilder, HostConfig, RunnerHost};
use serde_json::json;

/// The flow that runs, and three that cannot.
fn mixed() -> Sources {
    Sources::of_flow("{ id: good, type: messaging, nodes: { a: { emit.response: { text: 'hi {{in.text}}' } } } }")
        .file("b.ygtc", "{ id: nothing, type: job, nodes: {} }")
        .file("c.ygtc", "{ id: hollow, type: job, nodes: { a: { shell: {}, operation: run } } }")
        .file("d.ygtc", "{ id: lost, type: job, nodes: { a: { emit.log: x, routing: [{ to: b }] } } }")
        .file("e.ygtc", "{ id: unknown, type: job, nodes: { a: { no.such.thing: {} } } }")
        .component("shell", "empty")
}

const BROKEN: [(&str, Code); 4] = [
    ("nothing", Code::FlowEmpty),
    ("hollow", Code::ExportMissing),
    ("lost", Code::NodeUnknown),
    ("unknown", Code::ComponentUnknown),
];

fn named(flow: &str) -> Event {
    Event { flow: FlowChoice::Id(flow.into()), ..event("s", json!({ "text": "Ada" })) }
}

#[tokio::test]
async fn flows_that_cannot_run_answer_at_once_and_leave_the_others_alone() {
    let host = host_with(&mixed()).await.unwrap();
    for (flow, code) in BROKEN {
        let begun = Instant::now();
        let error = host.submit(named(flow)).await.unwrap().outcome().await.unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(10), "{flow}: {:?}", begun.elapsed());
        assert_eq!(error.code(), Code::FlowDisabled, "{flow}: {error}");
        assert!(error.details().iter().any(|detail| detail.code() == code), "{flow}: {error}");
        assert!(error.hint_text().is_some());
    }
    assert_eq!(texts(&say(&host, "s", "Ada").await.unwrap()), ["hi Ada"]);
    let notes = host.tenant("t").unwrap().notes().to_vec();
    for (flow, code) in BROKEN {
        assert!(notes.iter().any(|note| note.code() == code), "{flow}: {notes:?}");
    }
}

#[tokio::test]
async fn strict_loading_refuses_a_pack_with_all_that_is_wrong() {
    let strict = "{ tenant: t, packs: { strict: true } }";
    let error = host_of(strict, &mixed(), |b| b.with_memory_store()).await.unwrap_err();
    assert_eq!(error.code(), Code::Nonconforming);
    for (flow, code) in BROKEN {
        assert!(error.details().iter().any(|detail| detail.code() == code), "{flow}: {error}");
    }
    let fine = Sources::of_flow("{ id: good, type: messaging, nodes: { a: { emit.response: { text: hi } } } }");
    let host = host_of(strict, &fine, |b| b.with_memory_store()).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "x").await.unwrap()), ["hi"]);
}

/// A started host in memory of these bindings, each with its pack.
#[cfg(test)]
async fn host_of_tenants(tenants: &[(&str, &Sources)]) -> RunnerHost {
    let configs: Vec<_> =
        tenants.iter().map(|(text, _)| HostConfig::from_yaml(text, "bindings.yaml").unwrap()).collect();
    let builder = configs.iter().fold(HostBuilder::new().with_memory_store(), |b, c| b.with_config(c.clone()));
    let host = builder.build().unwrap();
    host.start().await.unwrap();
    for (config, (_, pack)) in configs.iter().zip(tenants) {
        host.load_pack(config.tenant(), &pack.path()).await.unwrap();
    }
    host
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_looping_guest_ends_within_its_tenants_limits_while_the_others_go_on() {
    let spin = Sources::of_flow("{ id: spin, type: messaging, nodes: { a: { spinner: {}, operation: spin-call } } }")
        .component("spinner", "spinning");
    let echo = Sources::of_flow("{ id: echo, type: messaging, nodes: { a: { echo: '{{in}}', operation: echo } } }")
        .component("echo", "echo-node");
    let host = host_of_tenants(&[("{ tenant: evil, limits: { timeout: 2s } }", &spin), ("tenant: t", &echo)]).await;
    let attack = Event {
        tenant: Arc::from("evil"),
        session: SessionKey::of(["evil", "test", "s"]),
        ..event("s", json!({ "text": "go" }))
    };
    let attack = host.submit(attack).await.unwrap();
    let mut attack = tokio::spawn(attack.outcome());
    assert_eq!(texts(&say(&host, "s", "first").await.unwrap()), ["first"]);
    assert!(!attack.is_finished(), "the neighbour is answered while the guest loops");
    for n in 0..20 {
        let text = format!("n{n}");
        assert_eq!(texts(&say(&host, "s", &text).await.unwrap()), [text]);
    }
    let ended = tokio::time::timeout(Duration::from_secs(10), &mut attack).await.unwrap().unwrap();
    assert_eq!(ended.unwrap_err().code(), Code::GuestTimeout);
    let counts = host.counts().await.unwrap();
    assert_eq!((counts.events, counts.dead), (0, 1));
    assert_eq!(texts(&say(&host, "s", "after").await.unwrap()), ["after"]);
}

#[tokio::test]
async fn every_kind_of_hostile_guest_ends_as_a_dead_letter_and_the_tenant_goes_on() {
    let flow = "
id: f
type: messaging
nodes:
  pick:
    emit.log: picking
    routing:
      - { condition: 'in.text == \"eat\"', to: eat }
      - { condition: 'in.text == \"deep\"', to: deep }
      - { condition: 'in.text == \"trap\"', to: trap }
      - { condition: 'in.text == \"giant\"', to: giant }
      - { condition: 'in.text == \"chatty\"', to: chatty }
      - { to: fine }
  eat: { eater: {}, operation: eat }
  deep: { deeper: {}, operation: recurse }
  trap: { trapper: {}, operation: trap }
  giant: { giants: { bytes: 200000 }, operation: giant }
  chatty: { chatter: { calls: 500 }, operation: many }
  fine: { emit.response: { text: fine } }
";
    let pack = Sources::of_flow(flow)
        .component("eater", "memory-eating")
        .component("deeper", "deep-recursing")
        .component("trapper", "trapping")
        .component("giants", "giant-results")
        .component("chatter", "chatty");
    let bindings = "{ tenant: t, limits: { memory: 8MiB, output: 64KiB, host_calls: 200, timeout: 5s } }";
    let host = host_of(bindings, &pack, |b| b.with_memory_store()).await.unwrap();
    let hostile = [
        ("eat", Code::GuestMemory),
        ("deep", Code::GuestStack),
        ("trap", Code::GuestTrap),
        ("giant", Code::GuestOutput),
        ("chatty", Code::GuestHostCalls),
    ];
    for (dead, (text, code)) in (1..).zip(hostile) {
        assert_eq!(say(&host, "s", text).await.unwrap_err().code(), code, "{text}");
        assert_eq!(texts(&say(&host, "s", "x").await.unwrap()), ["fine"]);
        let counts = host.counts().await.unwrap();
        assert_eq!((counts.events, counts.dead), (0, dead), "{text}");
    }
}

#[tokio::test]
async fn what_a_failed_node_wrote_is_gone_for_the_nodes_after_it() {
    let flow = "
id: f
type: messaging
nodes:
  one: { counter: {}, operation: bump, routing: [{ to: two }] }
  two: { counter: {}, operation: '{{op}}', routing: [{ status: error, to: three }] }
  three: { counter: {}, operation: read }
";
    for op in ["bump-then-fail", "bump-then-trap"] {
        let pack = Sources::of_flow(&flow.replace("{{op}}", op)).component("counter", "stateful-counter");
        let host = host_with(&pack).await.unwrap();
        for count in 1..3 {
            assert_eq!(say(&host, "s", "x").await.unwrap().replies, [json!({ "count": count })], "{op}");
        }
    }
}

#[tokio::test]
async fn a_pack_does_not_see_the_state_of_another_and_finds_its_own_again() {
    let counting = |pack: &str| {
        Sources::of_flow("{ id: count, type: messaging, nodes: { a: { counter: {}, operation: bump } } }")
            .file("pack.yaml", &format!("pack_id: {pack}"))
            .component("counter", "stateful-counter")
    };
    let (a, b) = (counting("a"), counting("b"));
    let host = host_with(&a).await.unwrap();
    let mut counts = Vec::new();
    for pack in [&a, &a, &b, &a, &b] {
        host.load_pack("t", &pack.path()).await.unwrap();
        counts.extend(say(&host, "s", "x").await.unwrap().replies);
    }
    let expected = [1, 2, 1, 3, 2].map(|count| json!({ "count": count }));
    assert_eq!(counts, expected);
}

#[test]
fn a_host_needs_tenants_and_each_only_once() {
    let config = |tenant: &str| HostConfig::from_yaml(&format!("tenant: {tenant}"), "bindings.yaml").unwrap();
    let error = HostBuilder::new().with_memory_store().build().unwrap_err();
    assert_eq!(error.code(), Code::NoTenants);
    let twice = HostBuilder::new().with_memory_store().with_config(config("a")).with_config(config("a"));
    let error = twice.build().unwrap_err();
    assert_eq!(error.code(), Code::DuplicateTenant);
    assert!(error.message().contains("tenant a"), "{error}");
    let two = HostBuilder::new().with_memory_store().with_config(config("b")).with_config(config("a")).build().unwrap();
    let tenants: Vec<_> = two.tenant_configs().iter().map(|config| config.tenant().to_string()).collect();
    assert_eq!(tenants, ["a", "b"]);
}

#[tokio::test]
async fn flows_call_each_other_only_so_deep() {
    let calling = |id: &str, other: &str, kind: &str| {
        format!(
            "
id: {id}
type: {kind}
nodes:
  a:
    emit.log: '{{{{in}}}}'
    routing: [{{ condition: 'in.text == \"stop\"', to: end }}, {{ to: b }}]
  b:
    flow.call: {{ flow_id: {other}, input: '{{{{entry}}}}' }}
  end:
    emit.response: {{ text: stopped }}
"
        )
    };
    let pack = Sources::of_flow(&calling("one", "two", "messaging")).file("two.ygtc", &calling("two", "one", "job"));
    let bindings = "{ tenant: t, limits: { call_depth: 4 } }";
    let host = host_of(bindings, &pack, |b| b.with_memory_store()).await.unwrap();
    let error = say(&host, "s", "x").await.unwrap_err();
    assert_eq!(error.code(), Code::CallDepth);
    assert!(error.to_string().contains("limits.call_depth"), "{error}");
    let counts = host.counts().await.unwrap();
    assert_eq!((counts.events, counts.dead), (0, 1));
    assert_eq!(texts(&say(&host, "s", "stop").await.unwrap()), ["stopped"]);
}

#[tokio::test]
async fn a_run_holds_only_so_much() {
    let flow = "
id: f
type: messaging
nodes:
  a:
    emit.log: { text: '{{in.text}}' }
    routing: [{ to: b }]
  b:
    emit.log: { text: '{{node.a.text}}' }
    routing: [{ to: c }]
  c:
    emit.response: { text: small enough }
";
    let bindings = "{ tenant: t, limits: { run_bytes: 2KiB } }";
    let host = host_of(bindings, &Sources::of_flow(flow), |b| b.with_memory_store()).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "hi").await.unwrap()), ["small enough"]);
    let error = say(&host, "s", &"x".repeat(1500)).await.unwrap_err();
    assert_eq!(error.code(), Code::RunTooLarge);
    assert!(error.to_string().contains("limits.run_bytes"), "{error}");
    assert_eq!(host.counts().await.unwrap().dead, 1);
}

#[tokio::test]
async fn a_repeated_event_whose_outcome_is_no_longer_known_is_said_to_be_one() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let mut one = event("s", json!({ "text": "hi" }));
    one.dedupe = vec!["t/test/1".to_owned()];
    let waiting = "
id: ask
type: messaging
nodes:
  wait: { session.wait: {}, routing: [{ to: end }] }
  end: { emit.response: { text: '{{in.text}}' } }
";
    let pack = Sources::of_flow(waiting);
    let first = host_of("tenant: t", &pack, |b| b.with_store(Arc::clone(&store))).await.unwrap();
    let accepted = first.submit(one.clone()).await.unwrap();
    let event = accepted.event;
    accepted.outcome().await.unwrap();
    first.stop().await.unwrap();

    let second = host_of("tenant: t", &pack, |b| b.with_store(store)).await.unwrap();
    let again = second.submit(one).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(again.event, event);
    assert_eq!(again.outcome().await.unwrap_err().code(), Code::DuplicateEvent);
    assert_eq!(second.counts().await.unwrap().waits, 1, "it did not run again");
}

#[tokio::test]
async fn a_pack_that_only_claims_to_be_the_one_that_is_loaded_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let built = |text: &str, version: &str| {
        let flow = format!("{{ id: main, type: messaging, nodes: {{ a: {{ emit.response: {{ text: {text} }} }} }} }}");
        let pack_yaml = format!("pack_id: acme.demo\nversion: {version}\n");
        let out = dir.path().join(format!("{text}-{version}.gtpack"));
        pack::build(&Sources::of_flow(&flow).file("pack.yaml", &pack_yaml).path(), &out).unwrap();
        out
    };
    let (one, two, later) = (built("one", "1.0.0"), built("two", "1.0.0"), built("two", "1.0.1"));
    let config = |tenant: &str| HostConfig::from_yaml(&format!("tenant: {tenant}"), "bindings.yaml").unwrap();
    let host =
        HostBuilder::new().with_config(config("t")).with_config(config("u")).with_memory_store().build().unwrap();
    host.start().await.unwrap();
    for (tenant, pack, claims) in [
        ("t", &one, None),
        ("u", &one, None),
        ("t", &later, None),
        ("t", &two, Some("tenant u")),
        ("u", &two, Some("tenant u")),
        ("u", &two, None),
        ("u", &later, None),
    ] {
        host.load_pack(tenant, pack).await.unwrap();
        let notes = host.tenant(tenant).unwrap().notes().to_vec();
        assert_eq!(notes.len(), usize::from(claims.is_some()), "{notes:?}");
        let said = |part: &str| notes[0].code() == Code::PackIdTaken && notes[0].message().contains(part);
        assert!(claims.is_none_or(said), "{notes:?}");
    }
    assert_eq!(texts(&say(&host, "s", "hi").await.unwrap()), ["two"]);
}
