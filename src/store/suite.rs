//! What every store promises, run against each of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;

mod model;

pub(super) const T0: Timestamp = Timestamp(1_000_000);
pub(super) const LEASE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

macro_rules! suite {
    ($($test:ident;)+) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(std::sync::Arc::new(super::MemoryStore::default())).await;
            })+
        }

        mod redb {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let dir = tempfile::tempdir().unwrap();
                super::$test(super::RedbStore::open(dir.path()).unwrap()).await;
            })+
        }
    };
}

suite! {
    accepts_50_copies_once;
    remembers_dedupe_keys_for_their_time;
    hands_out_a_lane_in_order_and_once;
    claims_lanes_independently;
    takes_over_old_claims_and_fences_off_their_workers;
    refuses_stale_claims_everywhere;
    stores_a_checkpoint_as_a_whole;
    gives_a_reclaimed_event_its_run;
    keeps_a_wait_until_the_resumed_run_is_checkpointed;
    ends_a_wait_without_a_checkpoint_in_between;
    waits_again_in_place_of_the_old_wait;
    lists_waits_oldest_first_without_expired_ones;
    keeps_a_wait_when_its_event_fails_before_a_checkpoint;
    keeps_the_run_of_a_dead_letter;
    leaves_nothing_of_a_finished_run;
    lists_dead_letters_newest_first;
    refuses_a_run_of_another_event;
    numbers_replies_per_route;
    never_uses_a_place_of_a_route_twice;
    never_mixes_state_scopes;
    deletes_and_overwrites_state;
    lists_idle_lanes_oldest_first;
    sweeps_what_is_past_its_time;
    sweeps_a_bounded_number_of_things;
    spares_a_wait_that_is_being_resumed;
    forgets_a_wait_of_a_lane_that_nobody_works_on;
}

pub(super) type Any = Arc<dyn Store>;

pub(super) fn lane(name: &str) -> Lane {
    Lane(Id::from(name))
}

pub(super) fn run_id(number: u128) -> RunId {
    RunId(uuid::Uuid::from_u128(number))
}

pub(super) fn route(name: &str) -> ReplyRoute {
    ReplyRoute(Id::from(name))
}

pub(super) fn event(on: &str, payload: &str) -> NewEvent {
    NewEvent {
        tenant: Id::from("acme"),
        lane: lane(on),
        dedupe: None,
        dedupe_ttl: DAY,
        payload: Bytes::from(payload.to_owned()),
        accepted_at: T0,
        deadline: T0.plus(LEASE),
    }
}

pub(super) fn session(tenant: &str, pack: &str, on: &str) -> StateScope {
    StateScope::Session { tenant: Id::from(tenant), pack: Id::from(pack), lane: lane(on) }
}

pub(super) fn set(key: &str, value: &str) -> StateWrite {
    StateWrite { scope: session("acme", "bot", "a"), key: key.to_owned(), value: Some(Bytes::from(value.to_owned())) }
}

pub(super) fn reply(to: &str, text: &str, at: Timestamp) -> NewReply {
    NewReply { route: route(to), payload: Bytes::from(text.to_owned()), at }
}

pub(super) fn progress(run: RunId, head: &str, journal: &[&str]) -> Checkpoint {
    Checkpoint {
        run,
        head: Bytes::from(head.to_owned()),
        journal: journal.iter().map(|entry| Bytes::from((*entry).to_owned())).collect(),
        state: Vec::new(),
        replies: Vec::new(),
    }
}

pub(super) fn finished(run: Option<RunId>) -> Completion {
    Completion { state: Vec::new(), replies: Vec::new(), end: End::Finished { run } }
}

pub(super) fn waiting(run: RunId, head: &str, expires_at: Option<Timestamp>) -> Completion {
    let end = End::Waiting {
        run,
        head: Bytes::from(head.to_owned()),
        journal: vec![Bytes::from_static(b"waits")],
        flow: Id::from("chat"),
        expires_at,
    };
    Completion { state: Vec::new(), replies: Vec::new(), end }
}

pub(super) fn failure(at: Timestamp) -> Failure {
    Failure { code: "GRH-0503".into(), message: "a guest trapped".into(), at }
}

pub(super) async fn accept(store: &Any, on: &str, payload: &str) -> EventId {
    match store.accept(event(on, payload)).await.unwrap() {
        Accepted::New(id) => id,
        Accepted::Duplicate(id) => panic!("{id:?} was no duplicate"),
    }
}

pub(super) async fn claim(store: &Any, on: &str) -> Claim {
    store.claim(&lane(on), T0, LEASE).await.unwrap().expect("an event to claim")
}

/// Makes `run` wait in lane `on`.
pub(super) async fn make_wait(store: &Any, on: &str, run: RunId, expires_at: Option<Timestamp>) {
    accept(store, on, "begin").await;
    let claimed = claim(store, on).await;
    store.complete(&claimed.token, waiting(run, "head", expires_at)).await.unwrap();
}

fn assert_lost<T: std::fmt::Debug>(result: Result<T>) {
    assert_eq!(result.unwrap_err().code(), Code::ClaimLost);
}

async fn accepts_50_copies_once(store: Any) {
    let copies = (0..50).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.accept(NewEvent { dedupe: Some("t:p:1".into()), ..event("a", "x") }).await })
    });
    let results = futures::future::join_all(copies).await;
    let accepted: Vec<_> = results.into_iter().map(|result| result.unwrap().unwrap()).collect();
    let new: Vec<_> =
        accepted.iter().filter_map(|a| if let Accepted::New(id) = a { Some(*id) } else { None }).collect();
    let [id] = new[..] else { panic!("{new:?}") };
    assert_eq!(accepted.iter().filter(|a| **a == Accepted::Duplicate(id)).count(), 49);
    assert_eq!(store.counts().await.unwrap(), Counts { events: 1, dedupe: 1, ..Counts::default() });
}

async fn remembers_dedupe_keys_for_their_time(store: Any) {
    let copy = |after| NewEvent {
        dedupe: Some("key".into()),
        dedupe_ttl: HOUR,
        accepted_at: T0.plus(after),
        ..event("a", "x")
    };
    let Accepted::New(first) = store.accept(copy(Duration::ZERO)).await.unwrap() else { panic!() };
    let claimed = claim(&store, "a").await;
    store.complete(&claimed.token, finished(None)).await.unwrap();
    let almost = store.accept(copy(HOUR - Duration::from_millis(1))).await.unwrap();
    assert_eq!(almost, Accepted::Duplicate(first), "a finished event is still remembered, and not for longer");
    let Accepted::New(second) = store.accept(copy(HOUR)).await.unwrap() else { panic!("the key's time was over") };
    assert!(second > first);
    assert_eq!(store.sweep(T0.plus(HOUR), DAY).await.unwrap(), 0, "the renewed key has an hour left");
    assert_eq!(store.counts().await.unwrap().dedupe, 1);
}

async fn hands_out_a_lane_in_order_and_once(store: Any) {
    for text in ["1", "2", "3"] {
        accept(&store, "a", text).await;
    }
    for (text, more) in [("1", true), ("2", true), ("3", false)] {
        let claimed = claim(&store, "a").await;
        assert_eq!(claimed.payload, text);
        assert_eq!((claimed.attempts, &*claimed.tenant, claimed.deadline), (1, "acme", T0.plus(LEASE)));
        assert!(store.claim(&lane("a"), T0, LEASE).await.unwrap().is_none(), "one worker per lane");
        let done = match text {
            "2" => store.fail(&claimed.token, failure(T0)).await,
            _ => store.complete(&claimed.token, finished(None)).await,
        };
        assert_eq!(done.unwrap(), more);
    }
    assert!(store.claim(&lane("a"), T0, LEASE).await.unwrap().is_none());
    assert!(store.claim(&lane("never seen"), T0, LEASE).await.unwrap().is_none());
}

async fn claims_lanes_independently(store: Any) {
    accept(&store, "a", "a1").await;
    accept(&store, "b", "b1").await;
    let racing = (0..20).map(|n| {
        let store = store.clone();
        let on = if n % 2 == 0 { "a" } else { "b" };
        tokio::spawn(async move { store.claim(&lane(on), T0, LEASE).await })
    });
    let claims = futures::future::join_all(racing).await;
    let mut won: Vec<_> = claims.into_iter().filter_map(|c| c.unwrap().unwrap()).map(|c| c.token.lane).collect();
    won.sort();
    assert_eq!(won, [lane("a"), lane("b")]);
}

async fn takes_over_old_claims_and_fences_off_their_workers(store: Any) {
    accept(&store, "a", "1").await;
    let first = claim(&store, "a").await;
    let almost = T0.plus(LEASE - Duration::from_millis(1));
    assert!(store.claim(&lane("a"), almost, LEASE).await.unwrap().is_none());
    assert!(store.idle_lanes(almost, LEASE, 9).await.unwrap().is_empty());
    store.checkpoint(&first.token, progress(run_id(1), "h1", &[])).await.unwrap();

    let late = T0.plus(LEASE);
    assert_eq!(store.idle_lanes(late, LEASE, 9).await.unwrap(), [lane("a")]);
    let second = store.claim(&lane("a"), late, LEASE).await.unwrap().unwrap();
    assert_eq!(second.attempts, 2);
    assert!(second.token.fence > first.token.fence);
    assert_lost(store.checkpoint(&first.token, progress(run_id(1), "late", &["late"])).await);
    assert_lost(store.complete(&first.token, finished(None)).await);
    assert_lost(store.fail(&first.token, failure(late)).await);
    let run = StoredRun { id: run_id(1), head: Bytes::from_static(b"h1"), journal: vec![] };
    assert_eq!(second.run, Some(run), "nothing of the late worker is stored");
    store.complete(&second.token, finished(None)).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts::default());
}

async fn refuses_stale_claims_everywhere(store: Any) {
    accept(&store, "a", "1").await;
    accept(&store, "a", "2").await;
    let token = claim(&store, "a").await.token;
    let unclaimed = ClaimToken { event: EventId(token.event.0 + 1), fence: 0, ..token.clone() };
    let elsewhere = ClaimToken { lane: lane("b"), ..token.clone() };
    let future = ClaimToken { fence: 2, ..token.clone() };
    store.complete(&token, finished(None)).await.unwrap();
    let before = store.counts().await.unwrap();
    for stale in [token, unclaimed, elsewhere, future] {
        let state = vec![set("k", "v")];
        assert_lost(store.load_wait(&stale, run_id(1)).await);
        assert_lost(store.checkpoint(&stale, Checkpoint { state, ..progress(run_id(1), "h", &["j"]) }).await);
        assert_lost(store.complete(&stale, waiting(run_id(1), "h", None)).await);
        assert_lost(store.fail(&stale, failure(T0)).await);
    }
    assert_eq!(store.counts().await.unwrap(), before);
}

async fn stores_a_checkpoint_as_a_whole(store: Any) {
    accept(&store, "a", "1").await;
    let token = claim(&store, "a").await.token;
    let first = Checkpoint {
        state: vec![set("k", "1")],
        replies: vec![reply("r", "hello", T0)],
        ..progress(run_id(1), "h1", &["j1"])
    };
    store.checkpoint(&token, first).await.unwrap();
    store.checkpoint(&token, progress(run_id(1), "h2", &["j2", "j3"])).await.unwrap();
    let expected = Counts { events: 1, runs: 1, journal: 3, state: 1, replies: 1, ..Counts::default() };
    assert_eq!(store.counts().await.unwrap(), expected);
    assert_eq!(store.state_get(&session("acme", "bot", "a"), "k").await.unwrap().unwrap(), "1");

    let end = Completion {
        state: vec![set("k", "2"), set("l", "1")],
        replies: vec![reply("r", "bye", T0)],
        ..finished(Some(run_id(1)))
    };
    store.complete(&token, end).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts { state: 2, replies: 2, ..Counts::default() });
    assert_eq!(store.state_get(&session("acme", "bot", "a"), "k").await.unwrap().unwrap(), "2");
}

async fn gives_a_reclaimed_event_its_run(store: Any) {
    accept(&store, "a", "1").await;
    let first = claim(&store, "a").await;
    assert_eq!(first.run, None);
    for (head, entry) in [("h1", "j1"), ("h2", "j2")] {
        store.checkpoint(&first.token, progress(run_id(1), head, &[entry])).await.unwrap();
    }
    let again = store.claim(&lane("a"), T0.plus(LEASE), LEASE).await.unwrap().unwrap();
    let run = again.run.unwrap();
    assert_eq!((run.id, run.head), (run_id(1), Bytes::from_static(b"h2")));
    assert_eq!(run.journal, ["j1", "j2"]);
    assert_eq!(store.complete(&again.token, waiting(run_id(1), "h3", None)).await.unwrap(), false);
    assert_eq!(store.counts().await.unwrap(), Counts { runs: 1, waits: 1, journal: 3, ..Counts::default() });
}

async fn keeps_a_wait_until_the_resumed_run_is_checkpointed(store: Any) {
    make_wait(&store, "a", run_id(1), None).await;
    accept(&store, "a", "next").await;
    let claimed = claim(&store, "a").await;
    assert_eq!(claimed.waits, [Wait { run: run_id(1), flow: Id::from("chat"), expires_at: None }]);
    assert_eq!(claimed.run, None);
    let run = store.load_wait(&claimed.token, run_id(1)).await.unwrap().unwrap();
    assert_eq!((run.head, run.journal), (Bytes::from_static(b"head"), vec![Bytes::from_static(b"waits")]));
    assert_eq!(store.load_wait(&claimed.token, run_id(2)).await.unwrap(), None);

    // A crash here, and the next worker finds the wait as it was.
    let again = store.claim(&lane("a"), T0.plus(LEASE), LEASE).await.unwrap().unwrap();
    assert_eq!(again.waits.len(), 1);
    store.checkpoint(&again.token, progress(run_id(1), "on", &["resumed"])).await.unwrap();
    assert_eq!(store.load_wait(&again.token, run_id(1)).await.unwrap(), None);

    // A crash here, and the next worker goes on with the run.
    let last = store.claim(&lane("a"), T0.plus(LEASE * 2), LEASE).await.unwrap().unwrap();
    assert!(last.waits.is_empty());
    assert_eq!(last.run.unwrap().journal, ["waits", "resumed"]);
    store.complete(&last.token, finished(Some(run_id(1)))).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts::default());
}

async fn ends_a_wait_without_a_checkpoint_in_between(store: Any) {
    make_wait(&store, "a", run_id(1), Some(T0.plus(HOUR))).await;
    accept(&store, "a", "next").await;
    let token = claim(&store, "a").await.token;
    store.complete(&token, finished(Some(run_id(1)))).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    assert_eq!(store.sweep(T0.plus(DAY), DAY).await.unwrap(), 0);
}

async fn waits_again_in_place_of_the_old_wait(store: Any) {
    make_wait(&store, "a", run_id(1), Some(T0.plus(HOUR))).await;
    accept(&store, "a", "next").await;
    let token = claim(&store, "a").await.token;
    store.complete(&token, waiting(run_id(1), "second", Some(T0.plus(DAY)))).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts { runs: 1, waits: 1, journal: 2, ..Counts::default() });
    assert_eq!(store.sweep(T0.plus(HOUR), DAY).await.unwrap(), 0, "the first wait's expiry is void");
    accept(&store, "a", "third").await;
    let third = claim(&store, "a").await;
    assert_eq!(third.waits[0].expires_at, Some(T0.plus(DAY)));
    assert_eq!(store.load_wait(&third.token, run_id(1)).await.unwrap().unwrap().head, "second");
}

async fn lists_waits_oldest_first_without_expired_ones(store: Any) {
    make_wait(&store, "a", run_id(30), None).await;
    make_wait(&store, "a", run_id(20), Some(T0)).await;
    make_wait(&store, "a", run_id(10), Some(T0.plus(HOUR))).await;
    make_wait(&store, "b", run_id(40), None).await;
    accept(&store, "a", "next").await;
    let claimed = claim(&store, "a").await;
    assert_eq!(claimed.waits.iter().map(|wait| wait.run).collect::<Vec<_>>(), [run_id(30), run_id(10)]);
    for (run, there) in [(10, true), (20, false), (30, true), (40, false)] {
        assert_eq!(store.load_wait(&claimed.token, run_id(run)).await.unwrap().is_some(), there, "run {run}");
    }
}

async fn keeps_a_wait_when_its_event_fails_before_a_checkpoint(store: Any) {
    make_wait(&store, "a", run_id(1), None).await;
    accept(&store, "a", "bad").await;
    let token = claim(&store, "a").await.token;
    store.load_wait(&token, run_id(1)).await.unwrap().unwrap();
    store.fail(&token, failure(T0)).await.unwrap();
    let expected = Counts { runs: 1, waits: 1, journal: 1, dead: 1, ..Counts::default() };
    assert_eq!(store.counts().await.unwrap(), expected);
    accept(&store, "a", "good").await;
    let good = claim(&store, "a").await;
    assert_eq!(good.waits.len(), 1);
    assert!(store.load_wait(&good.token, run_id(1)).await.unwrap().is_some());
}

async fn keeps_the_run_of_a_dead_letter(store: Any) {
    make_wait(&store, "a", run_id(1), None).await;
    accept(&store, "a", "bad").await;
    let token = claim(&store, "a").await.token;
    store.checkpoint(&token, progress(run_id(1), "on", &["j"])).await.unwrap();
    store.fail(&token, failure(T0)).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts { runs: 1, journal: 2, dead: 1, ..Counts::default() });
    assert_eq!(store.sweep(T0.plus(DAY), DAY).await.unwrap(), 1);
    assert_eq!(store.counts().await.unwrap(), Counts::default(), "the run goes with its dead letter");
}

async fn leaves_nothing_of_a_finished_run(store: Any) {
    accept(&store, "a", "1").await;
    let token = claim(&store, "a").await.token;
    store.checkpoint(&token, progress(run_id(1), "h", &["j", "k"])).await.unwrap();
    // The event's run goes even where the completion does not name it.
    assert!(!store.complete(&token, finished(None)).await.unwrap());
    assert_eq!(store.counts().await.unwrap(), Counts::default());
}

async fn lists_dead_letters_newest_first(store: Any) {
    for (tenant, text) in [("acme", "1"), ("other", "2"), ("acme", "3")] {
        store.accept(NewEvent { tenant: Id::from(tenant), ..event("a", text) }).await.unwrap();
        let token = claim(&store, "a").await.token;
        store.fail(&token, failure(T0)).await.unwrap();
    }
    let texts = |letters: Vec<DeadLetter>| letters.into_iter().map(|l| l.payload).collect::<Vec<_>>();
    assert_eq!(texts(store.dead_letters(None, 9).await.unwrap()), ["3", "2", "1"]);
    assert_eq!(texts(store.dead_letters(None, 2).await.unwrap()), ["3", "2"]);
    let acme = store.dead_letters(Some(&Id::from("acme")), 9).await.unwrap();
    assert_eq!(acme[0].failure, failure(T0));
    assert_eq!((&*acme[0].tenant, &acme[0].lane, acme[0].accepted_at), ("acme", &lane("a"), T0));
    assert_eq!(texts(acme), ["3", "1"]);
    assert!(store.dead_letters(None, 0).await.unwrap().is_empty());
}

async fn refuses_a_run_of_another_event(store: Any) {
    make_wait(&store, "other lane", run_id(1), None).await;
    accept(&store, "a", "dies").await;
    let dies = claim(&store, "a").await.token;
    store.checkpoint(&dies, progress(run_id(2), "h", &[])).await.unwrap();
    store.fail(&dies, failure(T0)).await.unwrap();
    accept(&store, "a", "2").await;
    let token = claim(&store, "a").await.token;
    store.checkpoint(&token, progress(run_id(3), "h", &[])).await.unwrap();
    let before = store.counts().await.unwrap();
    // A run that waits in another lane, one of a dead letter, and a second one beside the event's own.
    for foreign in [1, 2, 4] {
        let refused = store.checkpoint(&token, progress(run_id(foreign), "h", &["j"])).await.unwrap_err();
        assert_eq!(refused.code(), Code::Internal, "{refused}");
        assert!(store.complete(&token, finished(Some(run_id(foreign)))).await.is_err());
        assert!(store.complete(&token, waiting(run_id(foreign), "h", None)).await.is_err());
    }
    assert_eq!(store.counts().await.unwrap(), before);
    store.complete(&token, finished(Some(run_id(3)))).await.unwrap();
}

async fn numbers_replies_per_route(store: Any) {
    accept(&store, "a", "1").await;
    let token = claim(&store, "a").await.token;
    let replies = ["x1", "x2", "y1", "x3"].map(|text| reply(&text[..1], text, T0));
    let (first, second) = replies.split_at(2);
    let checkpoint = Checkpoint { replies: first.to_vec(), ..progress(run_id(1), "h", &[]) };
    store.checkpoint(&token, checkpoint).await.unwrap();
    store.complete(&token, Completion { replies: second.to_vec(), ..finished(None) }).await.unwrap();

    let all = store.replies(&route("x"), 0, 9).await.unwrap();
    assert_eq!(
        all.iter().map(|r| (r.seq, &*r.payload)).collect::<Vec<_>>(),
        [(1, &b"x1"[..]), (2, &b"x2"[..]), (3, &b"x3"[..])]
    );
    assert_eq!(all[0].at, T0);
    assert_eq!(store.replies(&route("x"), 1, 1).await.unwrap(), all[1..2]);
    assert_eq!(store.replies(&route("x"), 3, 9).await.unwrap(), []);
    assert_eq!(store.replies(&route("x"), u64::MAX, 9).await.unwrap(), []);
    assert_eq!(store.replies(&route("y"), 0, 9).await.unwrap()[0].seq, 1);
    assert_eq!(store.replies(&route("z"), 0, 9).await.unwrap(), []);
}

async fn never_uses_a_place_of_a_route_twice(store: Any) {
    let mut seen = 0;
    for round in 0..3 {
        accept(&store, "a", "1").await;
        let token = claim(&store, "a").await.token;
        let replies = vec![reply("x", "1", T0), reply("x", "2", T0)];
        store.complete(&token, Completion { replies, ..finished(None) }).await.unwrap();
        let fresh = store.replies(&route("x"), seen, 9).await.unwrap();
        assert_eq!(fresh.len(), 2, "round {round}: a client that saw {seen} sees what came after it was swept");
        seen = fresh[1].seq;
        assert_eq!(store.sweep(T0.plus(HOUR), HOUR).await.unwrap(), 2);
        assert_eq!(store.counts().await.unwrap(), Counts::default());
    }
}

async fn never_mixes_state_scopes(store: Any) {
    let id = |text: &str| Id::from(text);
    let scopes = [
        session("acme", "bot", "a"),
        session("acme", "bot", "b"),
        session("acme", "bo", "ta"),
        session("other", "bot", "a"),
        StateScope::Pack { tenant: id("acme"), pack: id("bot"), namespace: id("a") },
        StateScope::Pack { tenant: id("acme"), pack: id("bot"), namespace: id("b") },
        StateScope::Pack { tenant: id("other"), pack: id("bot"), namespace: id("a") },
    ];
    accept(&store, "a", "1").await;
    let token = claim(&store, "a").await.token;
    let state = scopes.iter().enumerate().map(|(n, scope)| StateWrite {
        scope: scope.clone(),
        key: "k".into(),
        value: Some(Bytes::from(n.to_string())),
    });
    store.complete(&token, Completion { state: state.collect(), ..finished(None) }).await.unwrap();
    for (n, scope) in scopes.iter().enumerate() {
        assert_eq!(store.state_get(scope, "k").await.unwrap().unwrap(), n.to_string(), "{scope:?}");
        assert_eq!(store.state_get(scope, "").await.unwrap(), None);
    }
    assert_eq!(store.counts().await.unwrap().state, 7);
}

async fn deletes_and_overwrites_state(store: Any) {
    let del = |key: &str| StateWrite { value: None, ..set(key, "") };
    let huge_key = "k".repeat(1 << 20);
    let steps: [(Vec<StateWrite>, &[(&str, Option<&str>)], u64); 4] = [
        (vec![set("k", "1"), set("k", "2"), set("", "empty"), set(&huge_key, "v")], &[("k", Some("2"))], 3),
        (vec![del("k"), set("l", "")], &[("k", None), ("l", Some("")), ("", Some("empty"))], 3),
        (vec![set("k", "3"), del("k"), del("never"), set("l", "4")], &[("k", None), ("l", Some("4"))], 3),
        (vec![del("l"), del(""), del(&huge_key)], &[("l", None)], 0),
    ];
    for (state, expected, count) in steps {
        accept(&store, "a", "1").await;
        let token = claim(&store, "a").await.token;
        store.complete(&token, Completion { state, ..finished(None) }).await.unwrap();
        for (key, value) in expected {
            let stored = store.state_get(&session("acme", "bot", "a"), key).await.unwrap();
            assert_eq!(stored.as_deref(), value.map(str::as_bytes), "{key}");
        }
        assert_eq!(store.counts().await.unwrap().state, count);
    }
}

async fn lists_idle_lanes_oldest_first(store: Any) {
    for on in ["c", "a", "b", "c", "d"] {
        accept(&store, on, "x").await;
    }
    claim(&store, "a").await;
    let idle = store.idle_lanes(T0, LEASE, 9).await.unwrap();
    assert_eq!(idle, [lane("c"), lane("b"), lane("d")]);
    assert_eq!(store.idle_lanes(T0, LEASE, 2).await.unwrap(), [lane("c"), lane("b")]);
    let token = claim(&store, "c").await.token;
    assert!(store.complete(&token, finished(None)).await.unwrap());
    let idle = store.idle_lanes(T0, LEASE, 9).await.unwrap();
    assert_eq!(idle, [lane("b"), lane("c"), lane("d")], "by the oldest event that is left");
}

async fn sweeps_what_is_past_its_time(store: Any) {
    make_wait(&store, "a", run_id(1), Some(T0.plus(HOUR))).await;
    make_wait(&store, "b", run_id(2), None).await;
    store.accept(NewEvent { dedupe: Some("k".into()), dedupe_ttl: HOUR * 2, ..event("c", "x") }).await.unwrap();
    let token = claim(&store, "c").await.token;
    store.complete(&token, Completion { replies: vec![reply("r", "x", T0)], ..finished(None) }).await.unwrap();
    accept(&store, "d", "x").await;
    let token = claim(&store, "d").await.token;
    store.fail(&token, failure(T0.plus(HOUR))).await.unwrap();

    let keep = HOUR * 3;
    let mut left = Counts { runs: 2, waits: 2, journal: 2, replies: 1, dedupe: 1, dead: 1, ..Counts::default() };
    let steps: [(u32, fn(&mut Counts)); 5] = [
        (0, |_| ()),
        (1, |left| (left.runs, left.waits, left.journal) = (1, 1, 1)),
        (2, |left| left.dedupe = 0),
        (3, |left| left.replies = 0),
        (4, |left| left.dead = 0),
    ];
    for (hours, forgotten) in steps {
        let before = left;
        forgotten(&mut left);
        let just_before = T0.plus(HOUR * hours);
        if hours > 0 {
            assert_eq!(store.sweep(Timestamp(just_before.0 - 1), keep).await.unwrap(), 0, "just before hour {hours}");
        }
        let swept = store.sweep(T0.plus(HOUR * hours), keep).await.unwrap();
        assert_eq!(swept, u64::from(before != left), "hour {hours}");
        assert_eq!(store.counts().await.unwrap(), left, "hour {hours}");
    }
    assert_eq!(store.sweep(Timestamp(i64::MAX - 1), Duration::MAX).await.unwrap(), 0, "kept for ever");
    assert!(store.dead_letters(None, 9).await.unwrap().is_empty());
}

async fn sweeps_a_bounded_number_of_things(store: Any) {
    accept(&store, "a", "x").await;
    let token = claim(&store, "a").await.token;
    let replies = (0..SWEEP_BATCH + 1).map(|n| reply("r", &n.to_string(), T0)).collect();
    store.complete(&token, Completion { replies, ..finished(None) }).await.unwrap();
    let late = T0.plus(DAY);
    assert_eq!(store.sweep(late, HOUR).await.unwrap(), SWEEP_BATCH as u64);
    assert_eq!(store.replies(&route("r"), 0, 9).await.unwrap()[0].seq, SWEEP_BATCH as u64 + 1);
    assert_eq!(store.sweep(late, HOUR).await.unwrap(), 1);
    assert_eq!(store.sweep(late, HOUR).await.unwrap(), 0);
}

async fn spares_a_wait_that_is_being_resumed(store: Any) {
    make_wait(&store, "a", run_id(1), Some(T0.plus(HOUR))).await;
    accept(&store, "a", "just in time").await;
    let token = claim(&store, "a").await.token;
    store.load_wait(&token, run_id(1)).await.unwrap().unwrap();
    assert_eq!(store.sweep(T0.plus(HOUR), DAY).await.unwrap(), 0);
    store.checkpoint(&token, progress(run_id(1), "on", &[])).await.unwrap();
    let again = store.claim(&lane("a"), T0.plus(HOUR), LEASE).await.unwrap().unwrap();
    assert_eq!(again.run.unwrap().journal, ["waits"]);
}

async fn forgets_a_wait_of_a_lane_that_nobody_works_on(store: Any) {
    make_wait(&store, "a", run_id(1), Some(T0.plus(HOUR))).await;
    accept(&store, "a", "not claimed in time").await;
    assert_eq!(store.sweep(T0.plus(HOUR), DAY).await.unwrap(), 1);
    let late = store.claim(&lane("a"), T0.plus(HOUR), LEASE).await.unwrap().unwrap();
    assert!(late.waits.is_empty());
    assert_eq!(store.load_wait(&late.token, run_id(1)).await.unwrap(), None);
}
