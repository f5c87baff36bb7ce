//! Channels through real HTTP, with a host behind them: what platforms send becomes runs, once, and is answered.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "channels/chats.rs"]
mod chats;
mod common;
#[path = "channels/courier.rs"]
mod courier;
#[path = "../examples/custom_adapter/main.rs"]
#[allow(dead_code, unreachable_pub, reason = "a program of its own, of which only a part is used here")]
mod custom_adapter;
#[path = "channels/directline.rs"]
mod directline;
#[path = "common/expected.rs"]
mod expected;
#[path = "channels/failed.rs"]
mod failed;
#[path = "channels/gate.rs"]
mod gate;
#[path = "channels/platform.rs"]
mod platform;
#[path = "channels/platforms.rs"]
mod platforms;
#[path = "channels/recorded.rs"]
mod recorded;
#[path = "channels/replies.rs"]
mod replies;
#[path = "common/store.rs"]
mod store;
#[path = "channels/teams.rs"]
mod teams;
#[path = "channels/webhook.rs"]
mod webhook;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::Sources;
use courier::Courier;
use gate::Gate;
use greentic_runner_host::abi::Registry;
use greentic_runner_host::id::Id;
use greentic_runner_host::run::trace::TraceFeed;
use greentic_runner_host::secrets::EnvSecrets;
use greentic_runner_host::server::{HostBackend, Server, ServerOptions};
use greentic_runner_host::session::reply_route;
use greentic_runner_host::{HostBuilder, HostConfig, Result, RunnerHost, Store};
use platform::Platform;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const FLOW: &str = "
id: echo
type: messaging
nodes:
  choose:
    emit.log: { text: '{{in.text}}' }
    routing:
      - { condition: 'entry.text == \"card\"', to: card }
      - { to: say }
  card:
    emit.response: { card: true }
  say:
    emit.response: { text: 'echo: {{in.text}}', ip: '{{in.metadata.ip}}' }
";

const BOUND: &str = "flow_type_bindings: { messaging: { adapter: courier } }";

/// A host behind its server.
struct Running {
    host: Arc<RunnerHost>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    client: Client,
}

/// How a host is set up.
struct Setup {
    tenants: Vec<(&'static str, String)>,
    vars: Vec<(&'static str, &'static str)>,
    store: Option<Arc<dyn Store>>,
    options: ServerOptions,
    pack: Sources,
    registry: Option<Arc<Registry>>,
    /// Further flows, each with the name of its file.
    flows: &'static [(&'static str, &'static str)],
    /// The components that they call, each with its id and the guest fixture.
    components: &'static [(&'static str, &'static str)],
}

impl Setup {
    /// One tenant `t` with these bindings, and the secret `s`.
    fn of(bindings: &str) -> Self {
        let options = ServerOptions {
            listen: ([127, 0, 0, 1], 0).into(),
            default_tenant: Some("t".into()),
            adapters: vec![Arc::new(Courier)],
            ..ServerOptions::default()
        };
        let vars = vec![("COURIER_SECRET", "s"), ("COURIER_TOKEN", "bot-token")];
        let pack = Sources::of_flow(FLOW).file("pack.yaml", "pack_id: bot\nversion: 1.0.0\n");
        let tenants = vec![("t", bindings.to_owned())];
        Self { tenants, vars, store: None, options, pack, registry: None, flows: &[], components: &[] }
    }

    async fn start(self) -> Result<Running> {
        let feed = TraceFeed::new(16);
        let ids: Vec<Id> = self.tenants.iter().map(|(tenant, _)| Id::from(*tenant)).collect();
        let vars = self.vars;
        let secrets = EnvSecrets::with_vars(&ids, move |name| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })?;
        let mut builder =
            HostBuilder::new().with_observer(Arc::new(feed.clone())).with_secrets_manager(Arc::new(secrets));
        for (tenant, bindings) in &self.tenants {
            builder = builder.with_config(HostConfig::from_yaml(&format!("tenant: {tenant}\n{bindings}"), "b.yaml")?);
        }
        builder = match self.store {
            Some(store) => builder.with_store(store),
            None => builder.with_memory_store(),
        };
        if let Some(registry) = self.registry {
            builder = builder.with_registry(registry);
        }
        let host = Arc::new(builder.build()?);
        let server = Server::bind(self.options, Arc::new(HostBackend::new(Arc::clone(&host), feed))).await?;
        let pack = self.flows.iter().fold(self.pack, |pack, (name, text)| pack.file(name, text));
        let pack = self.components.iter().fold(pack, |pack, (id, fixture)| pack.component(id, fixture));
        host.start().await?;
        for (tenant, _) in &self.tenants {
            host.load_pack(tenant, &pack.path()).await?;
        }
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server.run(async { drop(stopped.await) }));
        let client = Client::builder().no_proxy().build().unwrap();
        Ok(Running { host, address, stop: Some(stop), server, client })
    }
}

impl Running {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn send_as(&self, path: &str, secret: &str, body: &Value) -> Response {
        let request = self.client.post(self.url(path)).header("x-courier-secret", secret);
        request.json(body).send().await.unwrap()
    }

    async fn send(&self, body: &Value) -> Response {
        self.send_as("/courier/events", "s", body).await
    }

    async fn status(&self, path: &str, secret: &str, body: &Value) -> u16 {
        self.send_as(path, secret, body).await.status().as_u16()
    }

    /// The texts at a place, once there are `count`.
    async fn said(&self, tenant: &str, place: &str, count: usize) -> Vec<String> {
        self.said_by(tenant, "courier", place, count).await
    }

    /// The same at a place of another provider.
    async fn said_by(&self, tenant: &str, provider: &str, place: &str, count: usize) -> Vec<String> {
        let route = reply_route(tenant, provider, place);
        let mut watch = self.host.watch(&route);
        let wait = async {
            loop {
                let stored = self.host.replies(&route, 0, 1000).await.unwrap();
                if stored.len() >= count {
                    let text = |bytes: &[u8]| {
                        let reply: Value = serde_json::from_slice(bytes).unwrap();
                        reply["text"].as_str().map_or_else(|| reply.to_string(), str::to_owned)
                    };
                    return stored.iter().map(|reply| text(&reply.payload)).collect();
                }
                watch.changed().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the replies do not come")
    }

    /// Waits until nothing is under way.
    async fn idle(&self) {
        let idle = async {
            while self.host.under_way() != Default::default() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), idle).await.expect("the work does not end");
    }

    async fn end(mut self) {
        drop(self.stop.take());
        self.server.await.unwrap();
        self.host.stop().await.unwrap();
    }
}

fn message(id: &str, place: &str, texts: &[&str]) -> Value {
    json!({"kind": "message", "id": id, "place": place, "texts": texts})
}

async fn code(response: Response) -> String {
    let body: Value = response.json().await.unwrap();
    body["error"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_proves_where_it_comes_from_gets_in() {
    let running = Setup::of(BOUND).start().await.unwrap();
    let hello = message("1", "p", &["hello"]);
    let without = running.client.post(running.url("/courier/events")).json(&hello).send().await.unwrap();
    assert_eq!(without.status(), 401);
    assert!(without.headers().contains_key("www-authenticate"));
    assert_eq!(code(without).await, "GRH-0840");
    for secret in ["", "S", "s2", "ss"] {
        assert_eq!(running.status("/courier/events", secret, &hello).await, 401, "{secret:?}");
    }
    // What is no JSON is refused before it is read.
    let garbage = running.client.post(running.url("/courier/events")).body(&b"\xff{"[..]).send().await.unwrap();
    assert_eq!(garbage.status(), 401);
    assert_eq!(running.host.counts().await.unwrap(), Default::default());
    assert_eq!(running.status("/courier/events", "s", &hello).await, 200);
    assert_eq!(running.said("t", "p", 1).await, ["echo: hello"]);
    assert_eq!(running.status("/courier/events", "s", &json!({"kind": "new"})).await, 200);
    let get = running.client.get(running.url("/courier/events")).send().await.unwrap();
    assert_eq!((get.status().as_u16(), get.headers()["allow"].to_str().unwrap()), (405, "POST"));
    let check = running.client.get(running.url("/courier/check")).header("x-courier-secret", "s").send().await.unwrap();
    assert_eq!(check.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(check.text().await.unwrap(), "checked by GET");
    let big = json!({"kind": "new", "pad": "x".repeat(2 << 20)});
    assert_eq!(running.status("/courier/events", "s", &big).await, 200, "the adapter takes larger bodies");
    let too_big = json!({"kind": "new", "pad": "x".repeat(3 << 20)});
    assert_eq!(running.status("/courier/events", "s", &too_big).await, 413);

    let status: Value = running.client.get(running.url("/admin/channels")).send().await.unwrap().json().await.unwrap();
    let routes = status["routes"].as_array().unwrap();
    assert!(routes.contains(&json!({"tenant": "t", "provider": "courier", "route": "POST /courier/events",
        "bound": true, "on": true, "verified": "verified: courier secret"})));
    assert!(routes.iter().any(|route| route["route"] == "GET|POST /courier/check"));
    assert_eq!(
        status["dropped"],
        json!([
            {"provider": "courier", "dropped": "ignored", "reason": "the kind is not known", "count": 2},
            {"provider": "courier", "dropped": "refused",
             "reason": "A request does not prove that it comes from its platform.", "count": 6},
        ])
    );
    let document: Value = running.client.get(running.url("/openapi.json")).send().await.unwrap().json().await.unwrap();
    assert!(document["paths"]["/t/{tenant}/courier/check"]["get"]["responses"]["401"].is_object());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_without_a_secret_is_off() {
    let mut setup = Setup::of(BOUND);
    setup.vars.clear();
    let running = setup.start().await.unwrap();
    let response = running.send(&message("1", "p", &["hello"])).await;
    assert_eq!((response.status().as_u16(), code(response).await), (403, "GRH-0805".to_owned()));
    running.end().await;
    let running = Setup::of("").start().await.unwrap();
    let response = running.send(&message("1", "p", &["hello"])).await;
    assert_eq!((response.status().as_u16(), code(response).await), (403, "GRH-0805".to_owned()));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_delivery_may_hold_several_messages_and_repetitions_add_none() {
    let running = Setup::of(BOUND).start().await.unwrap();
    let several = message("1", "p", &["a", "b", "c"]);
    for _ in 0..3 {
        let response = running.send(&several).await;
        assert_eq!((response.status().as_u16(), response.text().await.unwrap()), (200, "ok".to_owned()));
    }
    assert_eq!(running.said("t", "p", 3).await, ["echo: a", "echo: b", "echo: c"]);
    let one = message("2", "q", &["once"]);
    let all = futures::future::join_all((0..50).map(|_| running.send(&one))).await;
    assert!(all.iter().all(|response| response.status() == 200));
    running.idle().await;
    assert_eq!(running.said("t", "q", 1).await, ["echo: once"]);
    assert_eq!(running.said("t", "p", 3).await.len(), 3);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_acknowledgement_waits_for_no_flow_and_sessions_for_no_other() {
    let gate = Gate::closed();
    let mut setup = Setup::of(BOUND);
    setup.store = Some(Arc::clone(&gate) as _);
    let running = setup.start().await.unwrap();
    for (id, text) in [("1", "first"), ("2", "second"), ("3", "third")] {
        assert_eq!(running.send(&message(id, "held", &[text])).await.text().await.unwrap(), "ok");
    }
    assert_eq!(running.send(&message("4", "free", &["hello"])).await.status(), 200);
    assert_eq!(running.said("t", "free", 1).await, ["echo: hello"]);
    assert!(running.said("t", "held", 0).await.is_empty());
    gate.open();
    assert_eq!(running.said("t", "held", 3).await, ["echo: first", "echo: second", "echo: third"]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_waited_for_holds_the_replies_and_late_ones_go_to_the_route() {
    let gate = Gate::closed();
    let mut setup = Setup::of(BOUND);
    setup.store = Some(Arc::clone(&gate) as _);
    let running = setup.start().await.unwrap();
    let sync = |id: &str, place: &str, text: &str, millis: u64| json!({"kind": "message", "id": id, "place": place, "texts": [text], "sync": millis});
    let answer = running.send(&sync("1", "p", "hello", 30_000)).await;
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"to": "1", "said": ["echo: hello"]}));
    let again = running.send(&sync("1", "p", "hello", 30_000)).await;
    assert_eq!(again.json::<Value>().await.unwrap(), json!({"to": "1", "said": ["echo: hello"]}));
    // What cannot be in the answer goes to the route.
    assert_eq!(running.send(&sync("2", "p", "card", 30_000)).await.text().await.unwrap(), "later");
    assert_eq!(running.said("t", "p", 1).await, [r#"{"card":true}"#]);
    // A flow that takes longer.
    assert_eq!(running.send(&sync("3", "held", "slow", 20)).await.text().await.unwrap(), "later");
    assert!(running.said("t", "held", 0).await.is_empty());
    gate.open();
    assert_eq!(running.said("t", "held", 1).await, ["echo: slow"]);
    assert_eq!(running.send(&sync("3", "held", "slow", 30_000)).await.text().await.unwrap(), "later");
    running.idle().await;
    assert_eq!(running.said("t", "held", 1).await.len(), 1);
    assert_eq!(running.said("t", "p", 1).await.len(), 1);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_said_and_nothing_is_lost_or_doubled() {
    let gate = Gate::closed();
    let mut setup = Setup::of(&format!("{BOUND}\nlimits: {{ queue: 3 }}"));
    setup.store = Some(Arc::clone(&gate) as _);
    let running = setup.start().await.unwrap();
    let (two, more) = (message("1", "held", &["a", "b"]), message("2", "held", &["c", "d"]));
    assert_eq!(running.send(&two).await.status(), 200);
    let full = running.send(&more).await;
    assert_eq!((full.status().as_u16(), full.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    assert_eq!(running.send(&two).await.status(), 503, "a repetition needs a place as well");
    gate.open();
    running.idle().await;
    for again in [&two, &more, &more] {
        assert_eq!(running.send(again).await.status(), 200);
    }
    assert_eq!(running.said("t", "held", 4).await, ["echo: a", "echo: b", "echo: c", "echo: d"]);
    running.idle().await;
    assert_eq!(running.said("t", "held", 4).await.len(), 4);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_have_secrets_of_their_own() {
    let mut setup = Setup::of(BOUND);
    let shared = "flow_type_bindings: { messaging: { adapter: courier, config: { shared_secret: true } } }";
    setup.tenants.push(("acme.eu", BOUND.to_owned()));
    setup.tenants.push(("bare", BOUND.to_owned()));
    setup.tenants.push(("shares", shared.to_owned()));
    setup.vars = vec![
        ("COURIER_SECRET", "everybody"),
        ("T__COURIER_SECRET", "new"),
        ("T__COURIER_SECRET_PREVIOUS", "old"),
        ("ACME_EU__COURIER_SECRET", "acme"),
    ];
    let running = setup.start().await.unwrap();
    let hello = |n: usize| message(&n.to_string(), "p", &["hello"]);
    let cases = [
        ("/courier/events", "new", 200),
        ("/courier/events", "old", 200),
        ("/courier/events", "acme", 401),
        ("/courier/events", "everybody", 401),
        ("/t/t/courier/events", "new", 200),
        ("/t/acme.eu/courier/events", "acme", 200),
        ("/t/acme.eu/courier/events", "new", 401),
        ("/t/acme.eu/courier/events", "everybody", 401),
        ("/t/bare/courier/events", "everybody", 403),
        ("/t/shares/courier/events", "everybody", 200),
        ("/t/shares/courier/events", "acme", 401),
        ("/t/nobody/courier/events", "everybody", 404),
    ];
    for (n, (path, secret, status)) in cases.into_iter().enumerate() {
        assert_eq!(running.status(path, secret, &hello(n)).await, status, "{path} {secret}");
    }
    assert_eq!(running.said("acme.eu", "p", 1).await, ["echo: hello"]);
    assert_eq!(running.said("t", "p", 3).await.len(), 3);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_keys_are_looked_for_once() {
    let platform = Platform::start().await;
    let config = format!("config: {{ keys_url: '{}' }}", platform.url("/openid"));
    let bindings = format!("flow_type_bindings: {{ messaging: {{ adapter: courier, {config} }} }}");
    let running = Setup::of(&bindings).start().await.unwrap();
    assert_eq!(platform.asked(), 0, "nothing is fetched before it is needed");
    let send = async |key: String| {
        let request = running.client.post(running.url("/courier/events")).header("x-courier-key", key);
        request.json(&json!({"kind": "new"})).send().await.unwrap().status().as_u16()
    };
    let storm = futures::future::join_all((0..50).map(|n| send(format!("invented-{n}")))).await;
    assert!(storm.iter().all(|status| *status == 401), "{storm:?}");
    assert_eq!(send("key-1".into()).await, 200);
    platform.keys.lock().await.push("key-2");
    assert_eq!(send("key-2".into()).await, 401, "within the hour nothing is fetched again");
    assert_eq!(platform.asked(), 1);
    running.end().await;
}

/// Without keys nobody can be told apart: the platform is to come again.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_fetched_are_no_refusal() {
    let bindings =
        "flow_type_bindings: { messaging: { adapter: courier, config: { keys_url: 'http://127.0.0.1:9/openid' } } }";
    let running = Setup::of(bindings).start().await.unwrap();
    let request = running.client.post(running.url("/courier/events")).header("x-courier-key", "key-1");
    let response = request.json(&json!({"kind": "new"})).send().await.unwrap();
    assert_eq!((response.status().as_u16(), code(response).await), (503, "GRH-0841".to_owned()));
    running.end().await;
}

fn announced(id: &str) -> Value {
    json!({"kind": "announcement", "id": id, "place": id.split('-').next().unwrap()})
}

fn fetching(platform: &Platform) -> String {
    let config = format!("config: {{ base_url: '{}' }}", platform.url(""));
    format!("flow_type_bindings: {{ messaging: {{ adapter: courier, {config} }} }}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_announced_is_asked_for_after_the_acknowledgement() {
    let platform = Platform::start().await;
    let running = Setup::of(&fetching(&platform)).start().await.unwrap();
    platform.answers.lock().await.extend([404, 429, 503]);
    for id in ["a-1", "a-1", "a-2"] {
        assert_eq!(running.send(&announced(id)).await.status(), 200);
    }
    assert_eq!(running.said("t", "a", 2).await, ["echo: text of a-1", "echo: text of a-2"]);
    running.idle().await;
    assert_eq!(platform.asked(), 5, "three that failed and two that did not");
    // What cannot be had is kept for an operator.
    platform.answers.lock().await.push_back(401);
    assert_eq!(running.send(&announced("b-1")).await.status(), 200);
    running.idle().await;
    let dead = running.host.store().dead_letters(None, 10).await.unwrap();
    assert_eq!((dead.len(), &*dead[0].failure.code), (1, "GRH-0847"));
    assert!(!dead[0].failure.message.contains("bot-token"));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_outlives_the_process_and_acts_once() {
    let dir = tempfile::tempdir().unwrap();
    let platform = Platform::start().await;
    let setup = || {
        let mut setup = Setup::of(&fetching(&platform));
        setup.store = Some(greentic_runner_host::store::RedbStore::open(dir.path()).unwrap() as _);
        setup
    };
    let running = setup().start().await.unwrap();
    platform.answers.lock().await.extend([503; 1000]);
    assert_eq!(running.send(&announced("a-1")).await.status(), 200);
    while platform.asked() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = std::time::Instant::now();
    running.end().await;
    assert!(began.elapsed() < Duration::from_secs(15), "stopping does not wait for the platform");
    platform.answers.lock().await.clear();
    let running = setup().start().await.unwrap();
    assert_eq!(running.said("t", "a", 1).await, ["echo: text of a-1"]);
    assert_eq!(running.send(&announced("a-1")).await.status(), 200);
    running.idle().await;
    assert_eq!(running.said("t", "a", 1).await.len(), 1);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_proxy_says_where_a_request_comes_from_and_nobody_else() {
    for (proxies, expected) in [(vec![], "127.0.0.1"), (vec!["127.0.0.0/8".parse().unwrap()], "198.51.100.7")] {
        let mut setup = Setup::of(BOUND);
        setup.options.trusted_proxies = proxies;
        let running = setup.start().await.unwrap();
        let request = running.client.post(running.url("/courier/events")).header("x-courier-secret", "s");
        let request = request.header("x-forwarded-for", "203.0.113.1, 198.51.100.7");
        assert_eq!(request.json(&message("1", "p", &["hello"])).send().await.unwrap().status(), 200);
        running.said("t", "p", 1).await;
        let stored = running.host.replies(&reply_route("t", "courier", "p"), 0, 1).await.unwrap();
        let reply: Value = serde_json::from_slice(&stored[0].payload).unwrap();
        assert_eq!(reply["ip"], expected);
        running.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bindings_that_cannot_be_opened_keep_the_server_from_starting() {
    let setup = Setup::of("flow_type_bindings: { messaging: { adapter: courier }, event: { adapter: courier } }");
    let error = setup.start().await.err().unwrap();
    assert_eq!(error.code().to_string(), "GRH-0842");
    let mut setup = Setup::of(BOUND);
    setup.options.adapters.push(Arc::new(Courier));
    assert_eq!(setup.start().await.err().unwrap().code().to_string(), "GRH-0843");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_an_adapter_works() {
    let secrets = EnvSecrets::with_vars([&Id::from("customera")], |name| {
        (name == "SMS_SECRET").then(|| OsString::from("secret"))
    });
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/custom_adapter");
    let (host, server) =
        custom_adapter::serve(&dir, ([127, 0, 0, 1], 0).into(), Some(Arc::new(secrets.unwrap()))).await.unwrap();
    let url = format!("http://{}/sms/inbound", server.address());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server.run(async { drop(stopped.await) }));
    let client = Client::builder().no_proxy().build().unwrap();
    // Signed as the example's own comment does.
    let body = r#"{"id":"m-1","from":"+4930123","text":"hello"}"#;
    let signature = hex::encode(greentic_runner_host::ingress::verify::hmac_sha256(b"secret", &[body.as_bytes()]));
    let send = |signature: String| client.post(&url).header("x-sms-signature", signature).body(body).send();
    let answer: Value = send(signature.clone()).await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({"reply": "You said hello. What is your name?"}));
    assert_eq!(send(signature.replace(['a', '1'], "0")).await.unwrap().status(), 401);
    drop(stop);
    server.await.unwrap();
    host.stop().await.unwrap();
}
