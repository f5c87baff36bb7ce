//! Replies to platforms: their sending is a part of the trace in which they were made.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use greentic_runner_host::Result;
use greentic_runner_host::clock::SystemClock;
use greentic_runner_host::egress::{Auth, Call, Courier, Outlet, Rate, Sender};
use greentic_runner_host::id::Id;
use greentic_runner_host::run::watch::ReplyWatch;
use greentic_runner_host::session::{SessionKey, reply_route};
use greentic_runner_host::store::{Completion, End, MemoryStore, NewEvent, NewReply, Store as _};
use greentic_runner_host::telemetry::{Protocol, Telemetry, TelemetryConfig, TraceContext};
use serde_json::Value;
use tracing_subscriber::prelude::*;

use crate::collector::Collector;
use crate::program::Upstream;
use crate::{CALLER, TRACE, traceparent};

/// Makes one request of a reply.
struct ToUpstream(String);

impl Sender for ToUpstream {
    fn render(&self, _: &str, reply: &Value) -> Result<Vec<Call>> {
        Ok(vec![Call::post("say", self.0.clone(), Auth::None, reply.clone())])
    }
}

/// A store with one reply, made in the caller's span.
async fn store_with_reply() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::default());
    let lane = SessionKey::canonical("t", "chat", "c", "u").lane("p");
    let headers = [("traceparent".parse().unwrap(), traceparent(TRACE).parse().unwrap())].into_iter().collect();
    let at = greentic_runner_host::clock::Timestamp(1000);
    let event = NewEvent {
        tenant: Id::from("t"),
        lane: lane.clone(),
        dedupe: Vec::new(),
        dedupe_ttl: Duration::ZERO,
        once: None,
        payload: Bytes::new(),
        accepted_at: at,
        deadline: at,
    };
    store.accept(event).await.unwrap();
    let claim = store.claim(&lane, at, Duration::MAX).await.unwrap().unwrap();
    let reply = NewReply {
        route: reply_route("t", "chat", "c"),
        payload: Bytes::from_static(b"\"canary\""),
        at,
        trace: TraceContext::of_headers(&headers),
    };
    let end = End::Finished { run: None };
    let completion = Completion { state: Vec::new(), replies: vec![reply], end, result: None };
    store.complete(&claim.token, completion).await.unwrap();
    store
}

#[tokio::test]
async fn a_reply_is_sent_in_the_trace_in_which_it_was_made() {
    let (collector, upstream) = (Collector::start().await, Upstream::start().await);
    let config = TelemetryConfig::to(&format!("http://{}", collector.address), Protocol::Http);
    let telemetry = Telemetry::start(&config).unwrap();
    // All of this test runs on one thread.
    let _collecting = tracing_subscriber::registry().with(telemetry.layer()).set_default();
    let store = store_with_reply().await;
    let sender = Arc::new(ToUpstream(format!("http://{}/rows?token=canary", upstream.address)));
    let rate = Rate { every: Duration::from_millis(1), burst: 10 };
    let outlet = Outlet { tenant: Id::from("t"), provider: "chat", sender, rate };
    let watch = Arc::<ReplyWatch>::default();
    let courier = Courier::new(Arc::clone(&store) as _, watch, vec![outlet], Arc::new(SystemClock)).unwrap();
    let sent = async {
        while store.counts().await.unwrap().replies > 0 {
            tokio::task::yield_now().await;
        }
    };
    courier.run(sent, Duration::from_secs(5)).await;
    assert!(telemetry.stop(Duration::from_secs(30)));
    let collected = collector.collected();
    let spans = collected.spans_of(TRACE);
    let [span] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((&*span.name, hex::encode(&span.parent_span_id)), ("send chat", CALLER.to_owned()));
    assert_eq!(upstream.traceparents(), [format!("00-{TRACE}-{}-01", hex::encode(&span.span_id))]);
    assert!(!collected.hold("canary"));
}
