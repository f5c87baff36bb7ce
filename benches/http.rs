//! A signed event of Slack end to end over loopback: read, verified, stored in a file, acknowledged; and a webhook that waits
//! for its flow. Criterion measures one caller at a time; what many callers at once get is printed: requests per second,
//! and the time that 99 of 100 stay below.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking, and prints"
)]

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use greentic_runner_host::clock::Timestamp;
use greentic_runner_host::id::Id;
use greentic_runner_host::ingress::slack;
use greentic_runner_host::run::trace::TraceFeed;
use greentic_runner_host::secret::Secret;
use greentic_runner_host::secrets::EnvSecrets;
use greentic_runner_host::server::{HostBackend, Server, ServerOptions};
use greentic_runner_host::{HostBuilder, HostConfig};
use reqwest::{Client, Response};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

const BINDINGS: &str = "
tenant: t
flow_type_bindings:
  messaging: { adapter: slack }
  webhook: { adapter: generic }
limits: { queue: 100000 }
";

const CHAT: &str = "
id: chat
type: messaging
nodes:
  say: { emit.response: { text: 'echo: {{in.text}}' } }
";

const HOOK: &str = "
id: hook
type: http
nodes:
  say: { emit.response: { text: 'got {{in.raw.body.n}}' } }
";

/// A server with a host behind it, whose store is a file.
struct Serving {
    client: Client,
    url: String,
    sent: AtomicU64,
    _dir: TempDir,
}

impl Serving {
    async fn start() -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        let pack = dir.path().join("pack");
        std::fs::create_dir(&pack).unwrap();
        for (name, text) in
            [("chat.ygtc", CHAT), ("hook.ygtc", HOOK), ("pack.yaml", "pack_id: bench\nversion: 1.0.0\n")]
        {
            std::fs::write(pack.join(name), text).unwrap();
        }
        let secrets = EnvSecrets::with_vars([&Id::from("t")], |name| {
            (name == "SLACK_SIGNING_SECRET").then(|| OsString::from(SECRET))
        });
        let feed = TraceFeed::new(16);
        let host = HostBuilder::new()
            .with_config(HostConfig::from_yaml(BINDINGS, "bench.yaml").unwrap())
            .with_secrets_manager(Arc::new(secrets.unwrap()))
            .with_observer(Arc::new(feed.clone()))
            .with_data_dir(dir.path().join("data"));
        let host = Arc::new(host.build().unwrap());
        let options = ServerOptions { listen: ([127, 0, 0, 1], 0).into(), ..ServerOptions::default() };
        let server = Server::bind(options, Arc::new(HostBackend::new(Arc::clone(&host), feed))).await.unwrap();
        host.start().await.unwrap();
        host.load_pack("t", &pack).await.unwrap();
        let url = format!("http://{}", server.address());
        tokio::spawn(server.run(std::future::pending()));
        let client = Client::builder().no_proxy().build().unwrap();
        Arc::new(Self { client, url, sent: AtomicU64::new(0), _dir: dir })
    }

    /// An event that was never sent before, of one of a hundred channels.
    async fn slack(&self) -> Response {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let event = json!({"type": "message", "user": "U1", "channel": format!("C{}", number % 100),
            "ts": format!("1.{number}"), "text": "Where is my order?"});
        let body =
            json!({"type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event_id": format!("Ev{number}"),
            "event": event})
            .to_string();
        let now = Timestamp(jiff::Timestamp::now().as_millisecond());
        let request = self.client.post(format!("{}{}", self.url, slack::EVENTS));
        let signed = slack::sign(&Secret::new(SECRET), now, body.as_bytes()).into_iter();
        let request = signed.fold(request, |request, (name, value)| request.header(name, value));
        request.body(body).send().await.unwrap().error_for_status().unwrap()
    }

    async fn webhook(&self) -> Response {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let request = self.client.post(format!("{}/webhook/hook", self.url)).json(&json!({ "n": number }));
        request.send().await.unwrap().error_for_status().unwrap()
    }
}

/// Sends `count` requests from `callers` at once; prints what they got.
async fn many<F>(name: &str, callers: usize, count: usize, send: impl Fn() -> F)
where
    F: Future<Output = Response> + Send + 'static,
{
    let began = Instant::now();
    let callers = (0..callers).map(|_| {
        let requests: Vec<F> = (0..count / callers).map(|_| send()).collect();
        tokio::spawn(async move {
            let mut times = Vec::with_capacity(requests.len());
            for request in requests {
                let began = Instant::now();
                drop(request.await);
                times.push(began.elapsed());
            }
            times
        })
    });
    let mut times: Vec<Duration> =
        futures::future::join_all(callers).await.into_iter().flat_map(|times| times.unwrap()).collect();
    let took = began.elapsed();
    times.sort_unstable();
    let below = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!(
        "{name}: {} requests, {:.0} per second, p50 {:?}, p99 {:?}",
        times.len(),
        times.len() as f64 / took.as_secs_f64(),
        below(50),
        below(99)
    );
}

fn http(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    greentic_runner_host::net::tls::install();
    let serving = runtime.block_on(Serving::start());
    // Without `--bench` everything is only tried.
    let count = if std::env::args().any(|argument| argument == "--bench") { 20_000 } else { 128 };
    let server = Arc::clone(&serving);
    let slack = move || {
        let server = Arc::clone(&server);
        async move { server.slack().await }
    };
    let server = Arc::clone(&serving);
    let webhook = move || {
        let server = Arc::clone(&server);
        async move { server.webhook().await }
    };
    for callers in [1, 16, 64] {
        let count = if callers == 1 { count / 16 } else { count };
        runtime.block_on(many(&format!("http/slack-event, {callers} callers"), callers, count, &slack));
    }
    runtime.block_on(many("http/webhook, 64 callers", 64, count, &webhook));

    let mut group = criterion.benchmark_group("http");
    group.bench_function("slack-event", |bencher| bencher.to_async(&runtime).iter(&slack));
    group.bench_function("webhook", |bencher| bencher.to_async(&runtime).iter(&webhook));
    group.finish();
}

criterion_group!(benches, http);
criterion_main!(benches);
