//! What outlives an event: state, replies, and the sweeping of it.

use super::*;

pub(super) async fn numbers_replies_per_route(store: Any) {
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

pub(super) async fn never_uses_a_place_of_a_route_twice(store: Any) {
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

pub(super) async fn never_mixes_state_scopes(store: Any) {
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

pub(super) async fn deletes_and_overwrites_state(store: Any) {
    let del = |key: &str| StateWrite { value: None, ..set(key, "") };
    let huge_key = "k".repeat(1 << 20);
    type Step<'a> = (Vec<StateWrite>, &'a [(&'a str, Option<&'a str>)], u64);
    let steps: [Step<'_>; 4] = [
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

pub(super) async fn sweeps_what_is_past_its_time(store: Any) {
    make_wait(&store, "a", run_id(1), Some(T0.plus(HOUR))).await;
    make_wait(&store, "b", run_id(2), None).await;
    store.accept(NewEvent { dedupe: vec!["k".into()], dedupe_ttl: HOUR * 2, ..event("c", "x") }).await.unwrap();
    let token = claim(&store, "c").await.token;
    store.complete(&token, Completion { replies: vec![reply("r", "x", T0)], ..finished(None) }).await.unwrap();
    accept(&store, "d", "x").await;
    let token = claim(&store, "d").await.token;
    store.fail(&token, failure(T0.plus(HOUR)), None, Vec::new()).await.unwrap();

    let keep = HOUR * 3;
    let mut left = Counts { runs: 2, waits: 2, journal: 2, replies: 1, dedupe: 1, dead: 1, ..Counts::default() };
    type Forgotten = fn(&mut Counts);
    let steps: [(u32, Forgotten); 5] = [
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

pub(super) async fn sweeps_a_bounded_number_of_things(store: Any) {
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

pub(super) async fn spares_a_wait_that_is_being_resumed(store: Any) {
    make_wait(&store, "a", run_id(1), Some(T0.plus(HOUR))).await;
    accept(&store, "a", "just in time").await;
    let token = claim(&store, "a").await.token;
    store.load_wait(&token, run_id(1)).await.unwrap().unwrap();
    assert_eq!(store.sweep(T0.plus(HOUR), DAY).await.unwrap(), 0);
    store.checkpoint(&token, progress(run_id(1), "on", &[])).await.unwrap();
    let again = store.claim(&lane("a"), T0.plus(HOUR), LEASE).await.unwrap().unwrap();
    assert_eq!(again.run.unwrap().journal, ["waits"]);
}

pub(super) async fn forgets_a_wait_of_a_lane_that_nobody_works_on(store: Any) {
    make_wait(&store, "a", run_id(1), Some(T0.plus(HOUR))).await;
    accept(&store, "a", "not claimed in time").await;
    assert_eq!(store.sweep(T0.plus(HOUR), DAY).await.unwrap(), 1);
    let late = store.claim(&lane("a"), T0.plus(HOUR), LEASE).await.unwrap().unwrap();
    assert!(late.waits.is_empty());
    assert_eq!(store.load_wait(&late.token, run_id(1)).await.unwrap(), None);
}
