//! The generic webhook at its route: who gets in, and what acts once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use greentic_runner_host::ingress::verify;
use greentic_runner_host::store::RedbStore;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::gate::Gate;
use crate::{Running, Setup};

const FLOWS: &[(&str, &str)] = &[
    (
        "count.ygtc",
        "
id: count
type: http
nodes:
  first:
    counter: { operation: bump }
    routing: [{ to: say }]
  say:
    emit.response: { status: 201, headers: { x-made-by: count }, body: 'run {{node.first.count}}' }
",
    ),
    (
        "fails.ygtc",
        "
id: fails
type: http
nodes:
  first: { counter: { operation: bump-then-fail } }
",
    ),
    (
        "busy.ygtc",
        "
id: busy
type: http
nodes:
  first:
    counter: { operation: bump }
    routing:
      - { condition: 'node.first.count == 1', to: later }
      - { to: say }
  later:
    emit.response: { status: 503, body: 'try again' }
  say:
    emit.response: 'run {{node.first.count}}'
",
    ),
    (
        "flow-a.ygtc",
        "
id: flow-a
type: http
nodes:
  say:
    emit.response: { status: 200, body: '{{in}}' }
",
    ),
    (
        "flow-c.ygtc",
        "
id: flow-c
type: http
nodes:
  say:
    emit.response: { status: 200, body: '{{in}}' }
",
    ),
];

const OPEN: &str = "flow_type_bindings: { webhook: { adapter: generic } }";

fn setup(bindings: &str) -> Setup {
    Setup { flows: FLOWS, components: &[("counter", "stateful-counter")], ..Setup::of(bindings) }
}

async fn served(bindings: &str) -> Running {
    setup(bindings).start().await.unwrap()
}

fn post(host: &Running, flow: &str, key: &str, body: &str) -> RequestBuilder {
    host.client.post(host.url(&format!("/webhook/{flow}"))).header("Idempotency-Key", key).body(body.to_owned())
}

/// The status, and the body without the id of the request.
async fn answer(response: Response) -> (u16, String) {
    let (status, id) = (response.status().as_u16(), response.headers()["x-request-id"].to_str().unwrap().to_owned());
    (status, response.text().await.unwrap().replace(&id, "ID"))
}

async fn sent(request: RequestBuilder) -> (u16, String) {
    answer(request.send().await.unwrap()).await
}

fn code((status, body): &(u16, String)) -> (u16, String) {
    let body: Value = serde_json::from_str(body).unwrap();
    (*status, body["error"]["code"].as_str().unwrap().to_owned())
}

const SCHEMES: &str = "
flow_type_bindings:
  webhook:
    adapter: generic
    config:
      schemes:
        count: { scheme: bearer, secret: HOOK_TOKEN }
        flow-a: { scheme: hmac, secret: HOOK_SECRET, header: X-Hub-Signature-256, prefix: 'sha256=' }
        flow-c: { scheme: standard-webhooks, secret: HOOK_WHSEC }
        busy: { scheme: none }
        fails: { scheme: bearer, secret: NOT_THERE }
";
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The headers of a delivery of Standard Webhooks that is sent now.
fn delivery(request: RequestBuilder, id: &str, body: &str) -> RequestBuilder {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
    let key = STANDARD.decode(WHSEC.trim_start_matches("whsec_")).unwrap();
    let digest = verify::hmac_sha256(&key, &[id.as_bytes(), b".", now.as_bytes(), b".", body.as_bytes()]);
    let request = request.header("webhook-id", id).header("webhook-timestamp", now);
    request.header("webhook-signature", format!("v1,{}", STANDARD.encode(digest))).body(body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_flow_is_verified_by_its_scheme_and_refusals_look_alike() {
    let mut setup = setup(SCHEMES);
    setup.vars.extend([
        ("HOOK_TOKEN", "new"),
        ("HOOK_TOKEN_PREVIOUS", "old"),
        ("HOOK_SECRET", "s"),
        ("HOOK_WHSEC", WHSEC),
    ]);
    let host = setup.start().await.unwrap();
    let at = |flow: &str| host.client.post(host.url(&format!("/webhook/{flow}")));
    let refusal = sent(at("count")).await;
    assert_eq!(code(&refusal), (401, "GRH-0840".into()));
    let hmac = format!("sha256={}", hex::encode(verify::hmac_sha256(b"s", &[b"{}"])));
    for refused in [
        at("count").bearer_auth("older"),
        at("flow-a").header("X-Hub-Signature-256", &hmac).body("{} "),
        at("flow-c").body("{}"),
        at("fails").bearer_auth("new"),
        at("echo").bearer_auth("new"),
        at("no-such-flow").bearer_auth("new"),
        at("a%2Fb").bearer_auth("new"),
        at("%20").bearer_auth("new"),
    ] {
        assert_eq!(sent(refused.header("Idempotency-Key", "k")).await, refusal);
    }
    assert_eq!(host.host.counts().await.unwrap(), Default::default(), "nothing is stored before it is verified");

    for token in ["new", "old"] {
        assert_eq!(sent(at("count").bearer_auth(token)).await, (201, "run 1".into()), "{token}");
    }
    let (status, body) = sent(at("flow-a").header("X-Hub-Signature-256", &hmac).body("{}")).await;
    assert_eq!((status, body.contains(&hmac)), (200, false), "{body}");
    let first = sent(delivery(at("flow-c"), "msg_1", "{}")).await;
    assert!(first.0 == 200 && first.1.contains("msg_1"), "{first:?}");
    assert_eq!(sent(delivery(at("flow-c"), "msg_1", "{}")).await, first, "its id makes a delivery act once");
    assert_eq!(code(&sent(delivery(at("flow-c"), "msg_1", "[]")).await), (422, "GRH-0866".into()));
    assert_eq!(sent(at("busy")).await, (503, "try again".into()));

    let routes: Value = host.client.get(host.url("/admin/channels")).send().await.unwrap().json().await.unwrap();
    let lines = routes["routes"].as_array().unwrap().iter().filter(|route| route["provider"] == "webhook");
    let lines: Vec<_> =
        lines.map(|r| format!("{} {} {}", r["route"], r["on"], r["verified"]).replace('"', "")).collect();
    assert_eq!(
        lines,
        [
            "ANY /webhook/busy true OPEN: by allow_paths and deny_paths only",
            "ANY /webhook/count true verified: bearer token",
            "ANY /webhook/fails false off: there is no secret NOT_THERE",
            "ANY /webhook/flow-a true verified: HMAC-SHA256",
            "ANY /webhook/flow-c true verified: Standard Webhooks",
            "ANY /webhook/{flow_id} false off",
        ]
    );
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_equal_requests_at_once_run_once() {
    let host = served(OPEN).await;
    let all = futures::future::join_all((0..50).map(|_| sent(post(&host, "count", "k", "x")))).await;
    let mut seen = BTreeMap::<_, usize>::new();
    for answer in &all {
        let shown = if answer.0 == 201 { answer.clone() } else { code(answer) };
        *seen.entry(shown).or_default() += 1;
    }
    assert!(seen.contains_key(&(201, "run 1".into())), "{seen:?}");
    seen.remove(&(201, "run 1".into()));
    seen.remove(&(409, "GRH-0867".into()));
    assert_eq!(seen, BTreeMap::new());
    assert_eq!(sent(post(&host, "count", "k", "x")).await, (201, "run 1".into()));
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_first_request_runs_its_repetitions_are_told_so() {
    let gate = Gate::closed();
    let host = Setup { store: Some(Arc::clone(&gate) as _), ..setup(OPEN) }.start().await.unwrap();
    let first = tokio::spawn(sent(post(&host, "count", "held", "x")));
    while host.host.counts().await.unwrap().events == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(code(&sent(post(&host, "count", "held", "x")).await), (409, "GRH-0867".into()));
    assert_eq!(code(&sent(post(&host, "count", "held", "y")).await), (422, "GRH-0866".into()));
    gate.open();
    assert_eq!(first.await.unwrap(), (201, "run 1".into()));
    assert_eq!(sent(post(&host, "count", "held", "x")).await, (201, "run 1".into()));
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_ended_with_outlives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let start = async || {
        let store = Some(RedbStore::open(dir.path()).unwrap() as _);
        Setup { store, ..setup(OPEN) }.start().await.unwrap()
    };
    let host = start().await;
    let done = sent(post(&host, "count", "done", "x")).await;
    assert_eq!(done, (201, "run 1".into()));
    let failed = sent(post(&host, "fails", "failed", "x")).await;
    assert_eq!(failed.0, 502);
    host.end().await;

    let host = start().await;
    for _ in 0..2 {
        let again = post(&host, "count", "done", "x").send().await.unwrap();
        assert_eq!(again.headers()["x-made-by"], "count");
        assert_eq!(answer(again).await, done);
        assert_eq!(sent(post(&host, "fails", "failed", "x")).await, failed);
    }
    assert_eq!(code(&sent(post(&host, "count", "done", "y")).await), (422, "GRH-0866".into()));
    assert_eq!(code(&sent(post(&host, "count", "done", "x").query(&[("a", "b")])).await), (422, "GRH-0866".into()));
    assert_eq!(host.host.store().dead_letters(None, 9).await.unwrap().len(), 1, "it failed once");
    assert_eq!(host.host.counts().await.unwrap().once, 2);
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_try_again_is_not_kept() {
    let host = served(OPEN).await;
    assert_eq!(sent(post(&host, "busy", "k", "x")).await, (503, "try again".into()));
    for _ in 0..2 {
        assert_eq!(
            sent(post(&host, "busy", "k", "x")).await,
            (200, "run 2".into()),
            "the state of its session is there"
        );
    }
    host.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_asked_for_where_it_is_required() {
    let bindings =
        "flow_type_bindings: { webhook: { adapter: generic, config: { require_idempotency_key: [count] } } }";
    let host = served(bindings).await;
    let without = host.client.post(host.url("/webhook/count")).send().await.unwrap();
    assert_eq!(without.headers()["content-type"], "application/problem+json");
    assert_eq!(code(&answer(without).await), (400, "GRH-0865".into()));
    assert_eq!(sent(post(&host, "count", "k", "x")).await.0, 201);
    assert_eq!(sent(host.client.get(host.url("/webhook/count"))).await.0, 201);
    assert_eq!(sent(host.client.post(host.url("/webhook/flow-a"))).await.0, 200);
    host.end().await;
}

/// Recorded requests, where they are at hand; they are not part of the project.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_requests_go_through_the_route() {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/payloads");
    let dir = std::env::var_os("INGRESS_CORPUS").map_or_else(beside, PathBuf::from).join("webhook");
    let Ok(files) = std::fs::read_dir(&dir) else {
        return eprintln!("skipped: no recorded requests in {}; set INGRESS_CORPUS", dir.display());
    };
    let host = Setup { tenants: vec![("demo", OPEN.into())], ..setup("") }.start().await.unwrap();
    let mut seen = 0;
    for path in files.map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
        let read = |path: PathBuf| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let expected = read(dir.join("expected").join(format!("{name}.expected.json")));
        let recorded = read(path);
        let method: Method = recorded["method"].as_str().unwrap().parse().unwrap();
        let url = host.url(&format!("/t/demo{}", recorded["path"].as_str().unwrap()));
        let headers = recorded["headers"].as_object().unwrap().iter();
        let request = headers.fold(host.client.request(method, url), |request, (name, value)| {
            request.header(name, value.as_str().unwrap())
        });
        let (status, body) = sent(request.body(recorded["body"].to_string())).await;
        assert_eq!(status, 200, "{name}: {body}");
        let envelope: Value = serde_json::from_str(&body).unwrap();
        let wanted = &expected["envelopes"][0];
        assert_eq!(envelope["provider"], wanted["provider"], "{name}");
        assert_eq!(envelope["raw"]["body"], recorded["body"], "{name}");
        for (id, value) in wanted["provider_ids"].as_object().unwrap() {
            assert_eq!(&envelope["provider_ids"][id], value, "{name}: {id}");
        }
        if !wanted["session"]["key"].is_null() {
            assert_eq!(envelope["session"]["key"], wanted["session"]["key"], "{name}");
        }
        seen += 1;
    }
    assert!(seen >= 3, "only {seen} requests were recorded");
    host.end().await;
}
