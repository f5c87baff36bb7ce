//! What is repeated when the store fails under a run: at most one call, under the same idempotency key, and nothing in
//! the store twice.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[path = "common/store.rs"]
mod store;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::{Sources, event, host_of, say, texts, waits};
use greentic_runner_host::id::Id;
use greentic_runner_host::run::event::{Event, ReplyTo};
use greentic_runner_host::run::lanes::{Load, Repeats};
use greentic_runner_host::run::trace::{Observer, TraceEvent, What};
use greentic_runner_host::session::reply_route;
use greentic_runner_host::store::memory::MemoryStore;
use greentic_runner_host::store::{Counts, Lane, Once, ReplyRoute};
use greentic_runner_host::{Code, Error, Result};
use serde_json::json;
use store::{Hand, Handled};

/// Lets transactions fail, as on a disk that is full for a moment.
struct Flaky {
    /// Is asked with the transaction and how many of its kind came before.
    fails: fn(&str, u32) -> bool,
    seen: AtomicU32,
    looked: AtomicU32,
}

impl Flaky {
    fn store(fails: fn(&str, u32) -> bool) -> Arc<Handled<Self>> {
        let hand = Self { fails, seen: AtomicU32::new(0), looked: AtomicU32::new(0) };
        Handled::new(Arc::new(MemoryStore::default()), hand)
    }
}

#[async_trait]
impl Hand for Flaky {
    async fn before(&self, transaction: &str, _: Option<&Lane>) -> Result<()> {
        let counter = match transaction {
            "checkpoint" | "complete" => &self.seen,
            "idle_lanes" => &self.looked,
            _ => return Ok(()),
        };
        let before = counter.fetch_add(1, Ordering::SeqCst);
        match (self.fails)(transaction, before) {
            true => Err(Error::new(Code::StoreFull, "no space left for a moment")),
            false => Ok(()),
        }
    }
}

/// The errors of the node `key`: each names the idempotency key that the component saw.
#[derive(Default)]
struct Keys(Mutex<Vec<String>>);

impl Observer for Keys {
    fn observe(&self, event: &TraceEvent) {
        if let What::Node { node, error: Some(error), .. } = &event.what
            && **node == *"key"
        {
            self.0.lock().unwrap().push(error.clone());
        }
    }
}

fn pack(flow: &str) -> Sources {
    Sources::of_flow(flow).component("counter", "stateful-counter").component("echo", "echo-node")
}

const COUNT: &str = "
id: count
type: messaging
nodes:
  first:
    counter: { operation: bump }
    routing: [{ to: key }]
  key:
    echo: { operation: fail-with-key }
    retry: { max_attempts: 1 }
    err_map: { mapped: true }
    routing: [{ to: second }]
  second:
    counter: { operation: bump }
    routing: [{ to: tell }]
  tell:
    emit.response: { text: 'visits {{node.second.count}}' }
";

#[tokio::test]
async fn a_call_that_is_repeated_after_a_failed_checkpoint_has_its_old_key() {
    let store = Flaky::store(|transaction, before| transaction == "checkpoint" && before == 1);
    let keys = Arc::new(Keys::default());
    let pack = pack(COUNT);
    let host = host_of("tenant: t", &pack, |b| b.with_store(store).with_observer(Arc::clone(&keys) as _));
    let host = host.await.unwrap();
    assert_eq!(texts(&say(&host, "s", "go").await.unwrap()), ["visits 2"], "nothing stored happens twice");
    let keys = keys.0.lock().unwrap().clone();
    assert_eq!(keys.len(), 2, "the call was repeated");
    assert_eq!(keys[0], keys[1]);
    let counts = host.counts().await.unwrap();
    assert_eq!((counts.events, counts.runs, counts.dead), (0, 0, 0));
}

#[tokio::test]
async fn an_end_that_the_store_refuses_for_a_moment_is_stored_a_moment_later() {
    let store = Flaky::store(|transaction, before| transaction == "complete" && before < 4);
    let host = host_of("tenant: t", &pack(COUNT), |b| b.with_store(store)).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "go").await.unwrap()), ["visits 2"]);
    assert_eq!(texts(&say(&host, "s", "again").await.unwrap()), ["visits 4"]);
}

const TALK: &str = "
id: talk
type: messaging
nodes:
  a: { counter: { operation: bump }, routing: [{ to: one }] }
  one: { emit.response: { text: one }, routing: [{ to: b }] }
  b: { counter: { operation: bump }, routing: [{ to: c }] }
  c: { counter: { operation: bump }, routing: [{ to: two }] }
  two:
    emit.response: { text: two }
";

#[tokio::test]
async fn what_is_kept_of_an_event_holds_what_it_said_before_the_store_failed() {
    let store = Flaky::store(|transaction, before| transaction == "checkpoint" && before == 1);
    let host = host_of("tenant: t", &pack(TALK), |b| b.with_store(store)).await.unwrap();
    let submit = || {
        let route = ReplyRoute(Id::from("t:test:s"));
        let event =
            Event { dedupe: vec!["k".into()], reply_to: ReplyTo::Route(route), ..common::event("s", json!({})) };
        host.submit_once(event, Once { fingerprint: [1; 32], supersedes: None })
    };
    let first = submit().await.unwrap();
    assert_eq!((first.duplicate, first.repeats), (false, None));
    let first = first.outcome().await.unwrap();
    assert_eq!(texts(&first), ["one", "two"], "the first was said before the event was taken up again");
    let again = submit().await.unwrap();
    assert_eq!(again.repeats, Some(Repeats { same: true, ended: true }));
    assert_eq!(again.outcome().await.unwrap(), first);
}

#[tokio::test]
async fn two_events_that_resume_the_same_wait_have_keys_of_their_own() {
    let flow = "
id: f
type: messaging
nodes:
  wait:
    session.wait: {}
    routing: [{ to: key }]
  key:
    echo: { operation: fail-with-key }
    retry: { max_attempts: 1 }
";
    let keys = Arc::new(Keys::default());
    let pack = pack(flow);
    let host = host_of("tenant: t", &pack, |b| b.with_memory_store().with_observer(Arc::clone(&keys) as _));
    let host = host.await.unwrap();
    assert!(waits(&say(&host, "s", "hi").await.unwrap()));
    for _ in 0..2 {
        assert_eq!(say(&host, "s", "answer").await.unwrap_err().code(), Code::ComponentFailed);
        assert_eq!(host.counts().await.unwrap().waits, 1, "what may pass by itself may be tried again");
    }
    let keys = keys.0.lock().unwrap().clone();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_pack_is_in_place_although_what_waits_for_it_could_not_be_looked_up() {
    // The first look is that of the start; the next ones are that of the load, and of housekeeping.
    let store = Flaky::store(|transaction, before| transaction == "idle_lanes" && before > 0);
    let looked = Arc::clone(&store);
    let host = host_of("tenant: t", &pack(COUNT), |b| b.with_store(store)).await.unwrap();
    assert!(looked.hand.looked.load(Ordering::SeqCst) > 1, "it was looked for");
    let health = host.health_state();
    assert_eq!((health.active_packs, health.last_error), (1, None));
    assert_eq!(texts(&say(&host, "s", "go").await.unwrap()), ["visits 2"]);
}

#[tokio::test]
async fn a_replay_goes_on_at_the_checkpoint_with_the_same_keys() {
    let fails = COUNT.replace("    err_map: { mapped: true }\n", "");
    let pack = |flow: &str| pack(flow).file("pack.yaml", "pack_id: p");
    let keys = Arc::new(Keys::default());
    let failing = pack(&fails);
    let host = host_of("tenant: t", &failing, |b| b.with_memory_store().with_observer(Arc::clone(&keys) as _));
    let host = host.await.unwrap();
    let route = reply_route("t", "test", "s");
    let event = Event { reply_to: ReplyTo::Route(route.clone()), ..event("s", json!({ "text": "go" })) };
    assert_eq!(host.submit(event).await.unwrap().outcome().await.unwrap_err().code(), Code::ComponentFailed);
    let replay = async || {
        let letter = host.store().dead_letters(None, 1).await.unwrap().remove(0);
        host.replay(letter.event).await.unwrap();
        while host.under_way() != Load::default() {
            tokio::task::yield_now().await;
        }
    };
    replay().await;
    replay().await;
    let seen = keys.0.lock().unwrap().clone();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|key| *key == seen[0]), "{seen:?}");
    host.load_pack("t", &pack(COUNT).path()).await.unwrap();
    replay().await;
    let replies = host.replies(&route, 0, 9).await.unwrap();
    assert_eq!(replies.len(), 1);
    let said = String::from_utf8_lossy(&replies[0].payload);
    assert!(said.contains("visits 2"), "the first call was not made again: {said}");
    assert_eq!(host.counts().await.unwrap(), Counts { replies: 1, state: 1, ..Counts::default() });
}
