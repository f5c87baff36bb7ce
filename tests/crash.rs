//! Kills the runner before and after each transaction of its store, while a flow with state and a provider runs, and
//! looks at what is left: nothing accepted is lost, nothing stored happens twice.
//!
//! The test starts itself as a child process (`CRASH_CHILD`); the child wraps the real store in one that aborts the
//! process at the n-th transaction. The host itself knows nothing of this.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;
#[path = "common/store.rs"]
mod store;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::{Sources, event};
use greentic_runner_host::engine::EngineOptions;
use greentic_runner_host::run::event::{Event, ReplyTo};
use greentic_runner_host::session::reply_route;
use greentic_runner_host::store::redb::RedbStore;
use greentic_runner_host::store::{Lane, ReplyRoute, Store as _};
use greentic_runner_host::{HostBuilder, HostConfig, Result, RunnerHost};
use serde_json::{Value, json};
use store::{Hand, Handled};

const FLOW: &str = "
id: count
type: messaging
nodes:
  first:
    counter: { operation: bump }
    routing: [{ to: echo }]
  echo:
    provider.invoke: { provider_id: test.echo, op: echo, input: { text: '{{in.text}}' } }
    routing: [{ to: second }]
  second:
    counter: { operation: bump }
    routing: [{ to: tell }]
  tell:
    emit.response: { text: 'visits', count: '{{node.second.count}}' }
    routing: [{ to: turn }]
  turn:
    jumper:
      greentic_control: { v: 1, action: jump, flow: later, node: wait, payload: { from: '{{in.text}}' } }
    operation: echo
";

const LATER: &str = "
id: later
type: job
nodes:
  never:
    emit.response: { text: 'never' }
  wait:
    session.wait: {}
    routing: [{ to: third }]
  third:
    counter: { operation: bump }
    routing: [{ to: done }]
  done:
    emit.response: { text: 'done', count: '{{node.third.count}}', from: '{{entry.from}}' }
";

const PACK: &str = "
pack_id: crash
version: 1.0.0
providers:
  - { provider_type: test.echo, component: echo, ops: [echo] }
";

fn sources() -> Sources {
    Sources::of_flow(FLOW)
        .file("later.ygtc", LATER)
        .file("pack.yaml", PACK)
        .component("counter", "stateful-counter")
        .component("echo", "echo-provider")
        .component("jumper", "echo-node")
}

#[test]
fn nothing_is_lost_and_nothing_stored_twice_wherever_the_process_dies() {
    if let Ok(data) = std::env::var("CRASH_CHILD") {
        return child(Path::new(&data));
    }
    let pack = sources();
    // Transactions of one whole conversation, found by a run that survives.
    let whole = tempfile::tempdir().unwrap();
    assert!(spawn(whole.path(), &pack.path(), u32::MAX), "the undisturbed run fails");
    let transactions = count_of(whole.path());
    check(whole.path(), &pack);
    assert!(transactions >= 8, "{transactions} transactions are too few to mean anything");
    let mut killed = 0;
    for at in 0..transactions {
        let data = tempfile::tempdir().unwrap();
        if !spawn(data.path(), &pack.path(), at) {
            killed += 1;
        }
        // Restart until it comes through, as a supervisor would.
        assert!(spawn(data.path(), &pack.path(), u32::MAX), "the restart after a crash at {at} fails");
        check(data.path(), &pack);
    }
    assert_eq!(killed, transactions, "every crash point must have been reached");
}

fn spawn(data: &Path, pack: &Path, at: u32) -> bool {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_is_lost_and_nothing_stored_twice_wherever_the_process_dies", "--nocapture"])
        .env("CRASH_CHILD", data)
        .env("CRASH_PACK", pack)
        .env("CRASH_AT", at.to_string())
        .output()
        .unwrap()
        .status
        .success()
}

fn count_of(data: &Path) -> u32 {
    std::fs::read_to_string(data.join("transactions")).unwrap().trim().parse().unwrap()
}

/// What a client of the bot sees in the end: both replies once, and the counter where three increments left it.
fn check(data: &Path, pack: &Sources) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = RedbStore::open(&data.join("store")).unwrap();
        let replies = store.replies(&route(), 0, 100).await.unwrap();
        let replies: Vec<Value> = replies.iter().map(|r| serde_json::from_slice(&r.payload).unwrap()).collect();
        let expected = json!([{ "text": "visits", "count": 2 }, { "text": "done", "count": 3, "from": "message 1" }]);
        assert_eq!(json!(replies), expected, "pack at {}", pack.path().display());
        let counts = store.counts().await.unwrap();
        assert_eq!((counts.events, counts.runs, counts.waits, counts.journal, counts.dead), (0, 0, 0, 0, 0));
    });
}

fn route() -> ReplyRoute {
    reply_route("t", "test", "c")
}

fn message(number: u32) -> Event {
    let mut event = event("s", json!({ "text": format!("message {number}") }));
    event.dedupe = vec![format!("t/test/{number}")];
    event.reply_to = ReplyTo::Route(route());
    event
}

/// Sends both messages of the conversation, as a platform does that repeats what was not acknowledged.
fn child(data: &Path) {
    let at: u32 = std::env::var("CRASH_AT").unwrap().parse().unwrap();
    let pack = PathBuf::from(std::env::var("CRASH_PACK").unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let real = RedbStore::open(&data.join("store")).unwrap();
        let store = Handled::new(real, Dying { at, seen: AtomicU32::new(0) });
        let config = HostConfig::from_yaml("tenant: t", "bindings.yaml").unwrap();
        let engine = EngineOptions { artifact_dir: Some(pack.join("compiled")), ..EngineOptions::default() };
        let host = HostBuilder::new()
            .with_config(config)
            .with_store(Arc::clone(&store) as _)
            .with_engine(engine)
            .build()
            .unwrap();
        host.start().await.unwrap();
        host.load_pack("t", &pack).await.unwrap();
        for number in 1..=2 {
            deliver(&host, number).await;
        }
        host.stop().await.unwrap();
        std::fs::write(data.join("transactions"), store.hand.seen.load(Ordering::SeqCst).to_string()).unwrap();
    });
}

async fn deliver(host: &RunnerHost, number: u32) {
    // A duplicate has no outcome to wait for in a new process: what it left is being worked on since the start.
    let submitted = host.submit(message(number)).await.unwrap();
    if !submitted.duplicate {
        submitted.outcome().await.unwrap();
    }
    let expected = u64::from(number) - 1;
    let mut watch = host.watch(&route());
    while host.replies(&route(), expected, 1).await.unwrap().is_empty() {
        // A reply may have come between the look and the watch; the timeout only covers that.
        let _ = tokio::time::timeout(Duration::from_millis(50), watch.changed()).await;
    }
}

/// Transactions that change nothing that the conversation is made of, or happen at times of their own.
const ASIDE: [&str; 7] = ["idle_lanes", "replies", "dead_letters", "mark", "is_pending", "sweep", "counts"];

/// Ends the process before or after its n-th transaction (even and odd n).
struct Dying {
    at: u32,
    seen: AtomicU32,
}

impl Dying {
    fn point(&self, transaction: &str) {
        if !ASIDE.contains(&transaction) && self.seen.fetch_add(1, Ordering::SeqCst) == self.at {
            // Not abort(): SIGKILL gives the process no chance to tidy up.
            let pid = std::process::id().to_string();
            Command::new("kill").args(["-9", &pid]).status().unwrap();
            std::thread::park();
        }
    }
}

#[async_trait]
impl Hand for Dying {
    async fn before(&self, transaction: &str, _: Option<&Lane>) -> Result<()> {
        self.point(transaction);
        Ok(())
    }

    fn after(&self, transaction: &str) {
        self.point(transaction);
    }
}
