//! Accepting, claiming and ending events.

use super::*;

fn assert_lost<T: std::fmt::Debug>(result: Result<T>) {
    assert_eq!(result.unwrap_err().code(), Code::ClaimLost);
}

pub(super) async fn accepts_50_copies_once(store: Any) {
    let copies = (0..50).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.accept(NewEvent { dedupe: vec!["t:p:1".into()], ..event("a", "x") }).await })
    });
    let results = futures::future::join_all(copies).await;
    let accepted: Vec<_> = results.into_iter().map(|result| result.unwrap().unwrap()).collect();
    let new: Vec<_> =
        accepted.iter().filter_map(|a| if let Accepted::New(id) = a { Some(*id) } else { None }).collect();
    let [id] = new[..] else { panic!("{new:?}") };
    assert_eq!(accepted.iter().filter(|a| **a == repeats(id, true)).count(), 49);
    assert_eq!(store.counts().await.unwrap(), Counts { events: 1, dedupe: 1, ..Counts::default() });
}

pub(super) async fn remembers_dedupe_keys_for_their_time(store: Any) {
    let copy = |after| NewEvent {
        dedupe: vec!["key".into()],
        dedupe_ttl: HOUR,
        accepted_at: T0.plus(after),
        ..event("a", "x")
    };
    let Accepted::New(first) = store.accept(copy(Duration::ZERO)).await.unwrap() else { panic!() };
    let claimed = claim(&store, "a").await;
    store.complete(&claimed.token, finished(None)).await.unwrap();
    let almost = store.accept(copy(HOUR - Duration::from_millis(1))).await.unwrap();
    assert_eq!(almost, repeats(first, false), "a finished event is still remembered, and not for longer");
    let Accepted::New(second) = store.accept(copy(HOUR)).await.unwrap() else { panic!("the key's time was over") };
    assert!(second > first);
    assert_eq!(store.sweep(T0.plus(HOUR), DAY).await.unwrap(), 0, "the renewed key has an hour left");
    assert_eq!(store.counts().await.unwrap().dedupe, 1);
}

pub(super) async fn one_key_in_common_makes_a_duplicate(store: Any) {
    let with = |keys: &[&str]| NewEvent { dedupe: keys.iter().map(|&key| key.into()).collect(), ..event("a", "x") };
    let Accepted::New(first) = store.accept(with(&["id 1", "text 1"])).await.unwrap() else { panic!() };
    for keys in [&["id 1"][..], &["id 2", "text 1"], &["text 1", "id 3"], &["id 1", "text 1"]] {
        assert_eq!(store.accept(with(keys)).await.unwrap(), repeats(first, true), "{keys:?}");
    }
    assert_eq!(store.counts().await.unwrap(), Counts { events: 1, dedupe: 2, ..Counts::default() });
    // What was refused as a duplicate has left nothing.
    assert!(matches!(store.accept(with(&["id 2"])).await.unwrap(), Accepted::New(_)));
}

pub(super) async fn hands_out_a_lane_in_order_and_once(store: Any) {
    for text in ["1", "2", "3"] {
        accept(&store, "a", text).await;
    }
    for (text, more) in [("1", true), ("2", true), ("3", false)] {
        let claimed = claim(&store, "a").await;
        assert_eq!(claimed.payload, text);
        assert_eq!((claimed.attempts, &*claimed.tenant, claimed.deadline), (1, "acme", T0.plus(LEASE)));
        assert!(store.claim(&lane("a"), T0, LEASE).await.unwrap().is_none(), "one worker per lane");
        let done = match text {
            "2" => store.fail(&claimed.token, failure(T0), None, Vec::new()).await,
            _ => store.complete(&claimed.token, finished(None)).await,
        };
        assert_eq!(done.unwrap(), more);
    }
    assert!(store.claim(&lane("a"), T0, LEASE).await.unwrap().is_none());
    assert!(store.claim(&lane("never seen"), T0, LEASE).await.unwrap().is_none());
}

pub(super) async fn claims_lanes_independently(store: Any) {
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

pub(super) async fn takes_over_old_claims_and_fences_off_their_workers(store: Any) {
    accept(&store, "a", "1").await;
    let first = claim(&store, "a").await;
    let almost = T0.plus(LEASE - Duration::from_millis(1));
    assert!(store.claim(&lane("a"), almost, LEASE).await.unwrap().is_none());
    assert!(store.idle_lanes(almost, LEASE, 9, &|_| true).await.unwrap().is_empty());
    store.checkpoint(&first.token, progress(run_id(1), "h1", &[])).await.unwrap();

    let late = T0.plus(LEASE);
    assert_eq!(store.idle_lanes(late, LEASE, 9, &|_| true).await.unwrap(), [lane("a")]);
    let second = store.claim(&lane("a"), late, LEASE).await.unwrap().unwrap();
    assert_eq!(second.attempts, 2);
    assert!(second.token.fence > first.token.fence);
    assert_lost(store.checkpoint(&first.token, progress(run_id(1), "late", &["late"])).await);
    assert_lost(store.complete(&first.token, finished(None)).await);
    assert_lost(store.fail(&first.token, failure(late), None, Vec::new()).await);
    let run = StoredRun { id: run_id(1), head: Bytes::from_static(b"h1"), journal: vec![] };
    assert_eq!(second.run, Some(run), "nothing of the late worker is stored");
    store.complete(&second.token, finished(None)).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts::default());
}

pub(super) async fn refuses_stale_claims_everywhere(store: Any) {
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
        assert_lost(store.fail(&stale, failure(T0), None, Vec::new()).await);
    }
    assert_eq!(store.counts().await.unwrap(), before);
}

pub(super) async fn lists_dead_letters_newest_first(store: Any) {
    for (tenant, text) in [("acme", "1"), ("other", "2"), ("acme", "3")] {
        store.accept(NewEvent { tenant: Id::from(tenant), ..event("a", text) }).await.unwrap();
        let token = claim(&store, "a").await.token;
        store.fail(&token, failure(T0), None, Vec::new()).await.unwrap();
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

pub(super) async fn lists_idle_lanes_oldest_first(store: Any) {
    for on in ["c", "a", "b", "c", "d"] {
        accept(&store, on, "x").await;
    }
    claim(&store, "a").await;
    let idle = store.idle_lanes(T0, LEASE, 9, &|_| true).await.unwrap();
    assert_eq!(idle, [lane("c"), lane("b"), lane("d")]);
    assert_eq!(store.idle_lanes(T0, LEASE, 2, &|_| true).await.unwrap(), [lane("c"), lane("b")]);
    let token = claim(&store, "c").await.token;
    assert!(store.complete(&token, finished(None)).await.unwrap());
    let idle = store.idle_lanes(T0, LEASE, 9, &|_| true).await.unwrap();
    assert_eq!(idle, [lane("b"), lane("c"), lane("d")], "by the oldest event that is left");
}

pub(super) async fn lists_only_wanted_lanes(store: Any) {
    for on in ["a", "b", "c"] {
        accept(&store, on, "1").await;
    }
    let wanted = |of: &Lane| *of != lane("a");
    assert_eq!(store.idle_lanes(T0, LEASE, 1, &wanted).await.unwrap(), [lane("b")]);
    assert_eq!(store.idle_lanes(T0, LEASE, 9, &wanted).await.unwrap(), [lane("b"), lane("c")]);
}
