//! What failed, over the admin API: listed, worked on again, answered once.

use std::sync::Arc;

use greentic_runner_host::clock::Timestamp;
use greentic_runner_host::session::reply_route;
use greentic_runner_host::store::{Counts, Failure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::common::Sources;
use crate::gate::Gate;
use crate::platform::Platform;
use crate::{BOUND, FLOW, Running, Setup, announced, code, fetching, message};

impl Running {
    async fn ask(&self, method: Method, path: &str) -> (u16, Value) {
        let response = self.client.request(method, self.url(path)).send().await.unwrap();
        let status = response.status().as_u16();
        match response.text().await.unwrap() {
            empty if empty.is_empty() => (status, Value::Null),
            body => (status, serde_json::from_str(&body).unwrap()),
        }
    }

    async fn refused(&self, method: Method, path: &str) -> (u16, String) {
        let response = self.client.request(method, self.url(path)).send().await.unwrap();
        (response.status().as_u16(), code(response).await)
    }

    /// The dead letters: event and code.
    async fn dead(&self) -> Vec<(u64, String)> {
        let (status, list) = self.ask(Method::GET, "/admin/dead-letters?tenant=t").await;
        assert_eq!(status, 200);
        let letters = list["dead_letters"].as_array().unwrap().iter();
        letters.map(|letter| (letter["event"].as_u64().unwrap(), letter["code"].as_str().unwrap().to_owned())).collect()
    }

    async fn load(&self, pack: &str, flow: &str) {
        let pack = Sources::of_flow(flow).file("pack.yaml", &format!("pack_id: {pack}\nversion: 1.0.0\n"));
        self.host.load_pack("t", &pack.path()).await.unwrap();
    }

    async fn load_broken(&self) {
        self.load("bot", &FLOW.replace("text: 'echo: {{in.text}}'", "text: '{{in.nothing}}'")).await;
    }
}

fn replay(event: u64) -> String {
    format!("/admin/dead-letters/{event}/replay")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_replayed_and_answered_once() {
    let running = Setup::of(BOUND).start().await.unwrap();
    running.load_broken().await;
    let hello = message("1", "p", &["hello"]);
    assert_eq!(running.send(&hello).await.status(), 200);
    running.idle().await;
    let dead = running.dead().await;
    let [(event, failure)] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!(failure, "GRH-0605");
    assert!(running.said("t", "p", 0).await.is_empty());

    // As long as nothing is better it fails again, as another event.
    let (status, answer) = running.ask(Method::POST, &replay(*event)).await;
    assert_eq!((status, &answer["status"]), (202, &json!("replay requested")));
    running.idle().await;
    let (_, list) = running.ask(Method::GET, "/admin/dead-letters").await;
    let letter = &list["dead_letters"][0];
    assert_eq!((&letter["event"], &letter["origin"]), (&answer["event"], &json!(event)));
    let event = answer["event"].as_u64().unwrap();

    // A session is one pack's.
    running.load("other", FLOW).await;
    assert_eq!(running.refused(Method::POST, &replay(event)).await, (409, "GRH-0853".to_owned()));
    assert_eq!(running.dead().await.len(), 1);

    running.load("bot", FLOW).await;
    let (status, answer) = running.ask(Method::POST, &replay(event)).await;
    assert_eq!(status, 202);
    assert!(answer["event"].as_u64().unwrap() > event);
    assert_eq!(running.said("t", "p", 1).await, ["echo: hello"]);
    running.idle().await;
    assert!(running.dead().await.is_empty());
    assert_eq!(running.refused(Method::POST, &replay(event)).await, (404, "GRH-0852".to_owned()));

    // The platform comes again with what it sent.
    assert_eq!(running.send(&hello).await.status(), 200);
    running.idle().await;
    assert_eq!(running.said("t", "p", 1).await.len(), 1);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_nobody_needs_is_purged() {
    let running = Setup::of(BOUND).start().await.unwrap();
    running.load_broken().await;
    assert_eq!(running.send(&message("1", "p", &["hello"])).await.status(), 200);
    running.idle().await;
    let event = running.dead().await[0].0;
    let path = format!("/admin/dead-letters/{event}");
    assert_eq!(running.ask(Method::DELETE, &path).await, (204, Value::Null));
    assert_eq!(running.refused(Method::DELETE, &path).await, (404, "GRH-0852".to_owned()));
    assert_eq!(running.refused(Method::POST, &replay(event)).await, (404, "GRH-0852".to_owned()));
    assert_eq!(running.host.counts().await.unwrap(), Counts { dedupe: 1, ..Counts::default() });
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_needs_a_place_in_the_queue_and_loses_nothing_without_one() {
    let gate = Gate::closed();
    let mut setup = Setup::of(&format!("{BOUND}\nlimits: {{ queue: 1 }}"));
    setup.store = Some(Arc::clone(&gate) as _);
    let running = setup.start().await.unwrap();
    running.load_broken().await;
    assert_eq!(running.send(&message("1", "p", &["hello"])).await.status(), 200);
    running.idle().await;
    let event = running.dead().await[0].0;
    running.load("bot", FLOW).await;
    assert_eq!(running.send(&message("2", "held", &["slow"])).await.status(), 200);
    assert_eq!(running.refused(Method::POST, &replay(event)).await, (503, "GRH-0611".to_owned()));
    assert_eq!(running.dead().await[0].0, event);
    gate.open();
    running.idle().await;
    assert_eq!(running.ask(Method::POST, &replay(event)).await.0, 202);
    assert_eq!(running.said("t", "p", 1).await, ["echo: hello"]);
    running.idle().await;
    assert_eq!(running.host.under_way().events, 0, "the place is given back");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_that_could_not_be_had_is_asked_for_again() {
    let platform = Platform::start().await;
    let running = Setup::of(&fetching(&platform)).start().await.unwrap();
    platform.answers.lock().await.push_back(401);
    assert_eq!(running.send(&announced("a-1")).await.status(), 200);
    running.idle().await;
    let dead = running.dead().await;
    assert_eq!(dead[0].1, "GRH-0847");
    assert_eq!(running.ask(Method::POST, &replay(dead[0].0)).await.0, 202);
    assert_eq!(running.said("t", "a", 1).await, ["echo: text of a-1"]);
    assert_eq!(running.send(&announced("a-1")).await.status(), 200);
    running.idle().await;
    assert_eq!(running.said("t", "a", 1).await.len(), 1);
    assert_eq!(platform.asked(), 2);
    assert!(running.dead().await.is_empty());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_was_not_delivered_is_listed_and_sent_again() {
    let running = Setup::of(BOUND).start().await.unwrap();
    for (id, text) in [("1", "one"), ("2", "two")] {
        assert_eq!(running.send(&message(id, "p", &[text])).await.status(), 200);
    }
    assert_eq!(running.said("t", "p", 2).await.len(), 2);
    let route = reply_route("t", "courier", "p");
    let store = running.host.store();
    let failure = |message: &str| Failure { code: "GRH-0847".into(), message: message.into(), at: Timestamp(1_000) };
    for text in ["canary one", "canary two"] {
        let next = store.next_reply(&route).await.unwrap().unwrap();
        store.undelivered(&route, next.seq, failure(text)).await.unwrap();
    }
    let (_, list) = running.ask(Method::GET, "/admin/undelivered").await;
    assert!(!list.to_string().contains("canary") && !list.to_string().contains("one"), "{list}");
    let ids: Vec<_> =
        list["undelivered"].as_array().unwrap().iter().map(|reply| reply["id"].as_u64().unwrap()).collect();
    let [two, one] = ids[..] else { panic!("{ids:?}") };
    assert_eq!(
        (&list["undelivered"][1]["provider"], &list["undelivered"][1]["failed"]),
        (&json!("courier"), &json!("1970-01-01T00:00:01Z"))
    );

    let mut watch = running.host.watch(&route);
    let resend = format!("/admin/undelivered/{one}/resend");
    assert_eq!(running.ask(Method::POST, &resend).await, (202, json!({"status": "resend requested"})));
    watch.changed().await;
    assert_eq!(running.said("t", "p", 1).await, ["echo: one"]);
    assert_eq!(running.refused(Method::POST, &resend).await, (404, "GRH-0851".to_owned()));
    let path = format!("/admin/undelivered/{two}");
    assert_eq!(running.ask(Method::DELETE, &path).await, (204, Value::Null));
    assert_eq!(running.refused(Method::DELETE, &path).await, (404, "GRH-0851".to_owned()));
    let counts = running.host.counts().await.unwrap();
    assert_eq!((counts.replies, counts.undelivered), (1, 0));
    running.end().await;
}
