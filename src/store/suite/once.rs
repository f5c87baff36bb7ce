//! What repetitions of events learn.

use super::*;

fn once(key: &str, print: u8) -> NewEvent {
    let once = Some(Once { fingerprint: [print; 32], supersedes: None });
    NewEvent { dedupe: vec![key.into()], dedupe_ttl: HOUR, once, ..event("a", "x") }
}

fn superseding(event: NewEvent, old: EventId) -> NewEvent {
    NewEvent { once: event.once.map(|once| Once { supersedes: Some(old), ..once }), ..event }
}

async fn first(store: &Any, event: NewEvent) -> EventId {
    match store.accept(event).await.unwrap() {
        Accepted::New(id) => id,
        Accepted::Duplicate(of) => panic!("it repeats {of:?}"),
    }
}

async fn repeated(store: &Any, event: NewEvent) -> Repeated {
    match store.accept(event).await.unwrap() {
        Accepted::New(id) => panic!("{id:?} was not recognised"),
        Accepted::Duplicate(of) => of,
    }
}

fn ending(result: impl Into<Bytes>) -> Completion {
    Completion { result: Some(result.into()), ..finished(None) }
}

pub(super) async fn tells_a_repetition_whether_it_is_the_same_and_how_it_ended(store: Any) {
    let event = first(&store, once("k", 1)).await;
    for (print, same) in [(1, true), (2, false)] {
        assert_eq!(repeated(&store, once("k", print)).await, Repeated { event, same, ended: None });
    }
    let token = claim(&store, "a").await.token;
    store.checkpoint(&token, progress(run_id(1), "h", &[])).await.unwrap();
    assert_eq!(repeated(&store, once("k", 1)).await.ended, None, "it is under way");
    store.complete(&token, ending("done")).await.unwrap();
    for (print, same) in [(1, true), (2, false)] {
        let ended = Some(Kept::Result(Bytes::from_static(b"done")));
        assert_eq!(repeated(&store, once("k", print)).await, Repeated { event, same, ended });
    }
    let plain = NewEvent { once: None, ..once("k", 1) };
    assert!(repeated(&store, plain).await.same, "without a fingerprint nothing speaks against it");

    let event = first(&store, once("fails", 1)).await;
    let token = claim(&store, "a").await.token;
    store.fail(&token, failure(T0), None, Vec::new()).await.unwrap();
    let ended = Some(Kept::Failure(failure(T0)));
    assert_eq!(repeated(&store, once("fails", 1)).await, Repeated { event, same: true, ended });
}

pub(super) async fn tells_that_an_event_ended_of_which_nothing_was_to_be_kept(store: Any) {
    first(&store, NewEvent { once: None, ..once("plain", 1) }).await;
    let token = claim(&store, "a").await.token;
    assert_eq!(repeated(&store, once("plain", 1)).await.ended, None);
    store.complete(&token, ending("unasked")).await.unwrap();
    let of = repeated(&store, once("plain", 1)).await;
    assert_eq!((of.same, of.ended), (true, Some(Kept::Nothing)));

    for (key, len, kept) in [("fits", MAX_RESULT, true), ("large", MAX_RESULT + 1, false)] {
        first(&store, once(key, 1)).await;
        let token = claim(&store, "a").await.token;
        store.complete(&token, ending(vec![0; len])).await.unwrap();
        let ended = repeated(&store, once(key, 1)).await.ended.unwrap();
        assert_eq!(matches!(ended, Kept::Result(result) if result.len() == len), kept, "{key}");
    }
    first(&store, NewEvent { dedupe: Vec::new(), ..once("", 1) }).await;
    assert_eq!(store.counts().await.unwrap().once, 2, "what no key finds is not kept");
}

pub(super) async fn tells_what_a_replayed_event_ended_with(store: Any) {
    let event = first(&store, once("k", 1)).await;
    for fails in [true, false] {
        let token = claim(&store, "a").await.token;
        let ended = if fails {
            store.fail(&token, failure(T0), None, Vec::new()).await.unwrap();
            store.replay(token.event, T0.plus(LEASE)).await.unwrap().unwrap();
            Kept::Failure(failure(T0))
        } else {
            store.complete(&token, ending("mended")).await.unwrap();
            Kept::Result(Bytes::from_static(b"mended"))
        };
        assert_eq!(repeated(&store, once("k", 1)).await, Repeated { event, same: true, ended: Some(ended) });
    }
    store.sweep(T0.plus(HOUR), DAY).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts::default());
}

pub(super) async fn keeps_an_end_as_long_as_its_dedupe_keys(store: Any) {
    let two_keys = NewEvent { dedupe: vec!["k".into(), "l".into()], ..once("", 1) };
    first(&store, two_keys.clone()).await;
    let token = claim(&store, "a").await.token;
    store.complete(&token, ending("done")).await.unwrap();
    let late = |after| NewEvent { accepted_at: T0.plus(after), ..two_keys.clone() };
    let almost = HOUR - Duration::from_millis(1);
    assert!(matches!(repeated(&store, late(almost)).await.ended, Some(Kept::Result(_))));
    assert_eq!(store.sweep(T0.plus(almost), DAY).await.unwrap(), 0);
    let renewed = first(&store, NewEvent { dedupe: vec!["k".into()], ..late(HOUR) }).await;
    assert_eq!(store.counts().await.unwrap().once, 1, "the end of the first went with its time");
    store.sweep(T0.plus(HOUR), DAY).await.unwrap();
    assert_eq!(repeated(&store, late(HOUR * 2 - Duration::from_millis(1))).await.event, renewed);
    store.sweep(T0.plus(HOUR * 2), DAY).await.unwrap();
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.once, counts.dedupe), (0, 0));
}

pub(super) async fn passes_keys_on_to_the_event_that_supersedes_their_owner(store: Any) {
    let old = first(&store, once("k", 1)).await;
    let anew = || superseding(once("k", 2), old);
    assert_eq!(repeated(&store, anew()).await.event, old, "it is under way");
    let token = claim(&store, "a").await.token;
    store.complete(&token, ending("busy")).await.unwrap();
    assert_eq!(repeated(&store, superseding(once("k", 2), EventId(old.0 + 7))).await.event, old, "another is named");

    let copies = (0..20).map(|_| store.accept(anew()));
    let accepted = futures::future::join_all(copies).await;
    let new: Vec<_> = accepted.iter().filter(|accepted| matches!(accepted, Ok(Accepted::New(_)))).collect();
    assert_eq!(new.len(), 1, "{accepted:?}");
    let of = repeated(&store, once("k", 2)).await;
    assert!(of.event > old && of.same && of.ended.is_none(), "{of:?}");
    assert_eq!(store.counts().await.unwrap().once, 1);
    assert_eq!(store.sweep(T0.plus(HOUR), DAY).await.unwrap(), 1);
}
