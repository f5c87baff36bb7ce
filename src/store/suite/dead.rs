//! Dead letters that become events again.

use super::*;

const LATER: Timestamp = Timestamp(T0.0 + 9_000_000);

/// Makes the oldest event of lane `on` a dead letter.
async fn fail(store: &Any, on: &str, ends: Option<RunId>) -> EventId {
    let token = claim(store, on).await.token;
    store.fail(&token, failure(T0), ends, Vec::new()).await.unwrap();
    token.event
}

async fn replay(store: &Any, event: EventId) -> EventId {
    let replayed = store.replay(event, LATER).await.unwrap().expect("a dead letter");
    assert_eq!(replayed.lane, lane("a"));
    replayed.event
}

pub(super) async fn replays_a_dead_letter_behind_what_is_there(store: Any) {
    accept(&store, "a", "dies").await;
    accept(&store, "a", "2").await;
    let dead = fail(&store, "a", None).await;
    accept(&store, "a", "3").await;
    let replayed = replay(&store, dead).await;
    accept(&store, "a", "4").await;
    assert_eq!(store.counts().await.unwrap(), Counts { events: 4, ..Counts::default() });
    assert_eq!(store.dead_letter(dead).await.unwrap(), None);
    for text in ["2", "3", "dies", "4"] {
        let claimed = claim(&store, "a").await;
        assert_eq!(claimed.payload, text);
        if text == "dies" {
            assert_eq!((claimed.token.event, claimed.origin), (replayed, dead));
            assert_eq!((claimed.accepted_at, claimed.deadline, claimed.attempts), (T0, LATER, 1));
            assert_eq!((claimed.run, claimed.resumes, &*claimed.tenant), (None, false, "acme"));
        } else {
            assert_eq!(claimed.token.event, claimed.origin);
        }
        store.complete(&claimed.token, finished(None)).await.unwrap();
    }
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    assert_eq!(store.sweep(T0.plus(DAY), DAY).await.unwrap(), 0, "of the dead letter nothing is left");
}

pub(super) async fn replays_a_dead_letter_once(store: Any) {
    accept(&store, "a", "x").await;
    let dead = fail(&store, "a", None).await;
    let racing = (0..10).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.replay(dead, LATER).await })
    });
    let results = futures::future::join_all(racing).await;
    let replayed: Vec<_> = results.into_iter().filter_map(|result| result.unwrap().unwrap()).collect();
    assert_eq!(replayed.len(), 1);
    assert_eq!(store.idle_lanes(T0, LEASE, 9, &|_| true).await.unwrap(), [lane("a")], "to be taken up at start-up");
    assert_eq!(store.replay(EventId(99), LATER).await.unwrap(), None);
    assert_eq!(store.replay(replayed[0].event, LATER).await.unwrap(), None, "it is no dead letter");
    assert_eq!(store.counts().await.unwrap(), Counts { events: 1, ..Counts::default() });
}

pub(super) async fn replays_a_dead_letter_from_its_checkpoint(store: Any) {
    accept(&store, "a", "x").await;
    let token = claim(&store, "a").await.token;
    store.checkpoint(&token, progress(run_id(1), "h1", &["j1"])).await.unwrap();
    let dead = fail_claimed(&store, &token).await;
    replay(&store, dead).await;
    let first = claim(&store, "a").await;
    assert_eq!((first.attempts, first.resumes), (1, false));
    let run = first.run.unwrap();
    assert_eq!((run.id, &*run.head, run.journal.len()), (run_id(1), &b"h1"[..], 1));
    // A crash before and after a further checkpoint.
    let second = store.claim(&lane("a"), T0.plus(LEASE), LEASE).await.unwrap().unwrap();
    assert_eq!((second.attempts, &*second.run.unwrap().head, second.origin), (2, &b"h1"[..], dead));
    store.checkpoint(&second.token, progress(run_id(1), "h2", &["j2"])).await.unwrap();
    let third = store.claim(&lane("a"), T0.plus(LEASE * 2), LEASE).await.unwrap().unwrap();
    assert_eq!((&*third.run.unwrap().head, third.origin), (&b"h2"[..], dead));
    store.complete(&third.token, finished(Some(run_id(1)))).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts::default());
}

async fn fail_claimed(store: &Any, token: &ClaimToken) -> EventId {
    store.fail(token, failure(T0), None, Vec::new()).await.unwrap();
    token.event
}

pub(super) async fn replays_a_dead_letter_with_the_wait_that_it_took_along(store: Any) {
    make_wait(&store, "a", run_id(1), Some(T0.plus(HOUR))).await;
    accept(&store, "a", "answer").await;
    let dead = fail(&store, "a", Some(run_id(1))).await;
    accept(&store, "a", "begins anew").await;
    let replayed = replay(&store, dead).await;

    let other = claim(&store, "a").await;
    assert_eq!((other.waits.len(), &other.run), (0, &None), "the wait is not another event's");
    let refused = store.checkpoint(&other.token, progress(run_id(1), "h", &[])).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
    store.complete(&other.token, finished(None)).await.unwrap();

    for at in [T0.plus(HOUR), T0.plus(HOUR * 2)] {
        let claimed = store.claim(&lane("a"), at, LEASE).await.unwrap().unwrap();
        assert_eq!((claimed.token.event, claimed.resumes), (replayed, true), "until there is a checkpoint");
        assert_eq!(claimed.run.unwrap().head, "head");
        assert_eq!(store.load_wait(&claimed.token, run_id(1)).await.unwrap(), None);
    }
    let claimed = store.claim(&lane("a"), T0.plus(HOUR * 3), LEASE).await.unwrap().unwrap();
    store.checkpoint(&claimed.token, progress(run_id(1), "on", &["j"])).await.unwrap();
    let claimed = store.claim(&lane("a"), T0.plus(HOUR * 4), LEASE).await.unwrap().unwrap();
    assert_eq!((claimed.resumes, &*claimed.run.unwrap().head), (false, &b"on"[..]));
    store.complete(&claimed.token, waiting(run_id(1), "again", None)).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts { runs: 1, waits: 1, journal: 3, ..Counts::default() });
}

pub(super) async fn a_replayed_event_that_fails_again_keeps_its_origin_and_run(store: Any) {
    make_wait(&store, "a", run_id(1), None).await;
    let origin = accept(&store, "a", "answer").await;
    let mut dead = fail(&store, "a", Some(run_id(1))).await;
    for _ in 0..2 {
        let event = replay(&store, dead).await;
        dead = fail(&store, "a", None).await;
        assert_eq!(dead, event);
        let letter = store.dead_letter(dead).await.unwrap().unwrap();
        assert_eq!((letter.event, letter.origin, letter.accepted_at), (event, origin, T0));
        assert_eq!(store.dead_letters(None, 9).await.unwrap(), [letter]);
    }
    assert_eq!(store.counts().await.unwrap(), Counts { runs: 1, journal: 1, dead: 1, ..Counts::default() });
    replay(&store, dead).await;
    let claimed = claim(&store, "a").await;
    assert!(claimed.resumes && claimed.run.is_some());
    store.checkpoint(&claimed.token, progress(run_id(1), "on", &[])).await.unwrap();
    let dead = fail_claimed(&store, &claimed.token).await;
    replay(&store, dead).await;
    let claimed = claim(&store, "a").await;
    assert_eq!((claimed.resumes, &*claimed.run.unwrap().head, claimed.origin), (false, &b"on"[..], origin));
}

pub(super) async fn a_replayed_event_is_no_duplicate_and_its_repetitions_are(store: Any) {
    let copy = || NewEvent { dedupe: vec!["key".into()], ..event("a", "x") };
    let Accepted::New(first) = store.accept(copy()).await.unwrap() else { panic!("it is new") };
    let dead = fail(&store, "a", None).await;
    replay(&store, dead).await;
    assert_eq!(store.accept(copy()).await.unwrap(), repeats(first, false), "while it is under way");
    let token = claim(&store, "a").await.token;
    store.complete(&token, finished(None)).await.unwrap();
    assert_eq!(store.accept(copy()).await.unwrap(), repeats(first, false), "and afterwards");
    assert_eq!(store.counts().await.unwrap(), Counts { dedupe: 1, ..Counts::default() });
}

pub(super) async fn purges_a_dead_letter_with_its_run(store: Any) {
    accept(&store, "a", "x").await;
    let token = claim(&store, "a").await.token;
    store.checkpoint(&token, progress(run_id(1), "h", &["j"])).await.unwrap();
    let dead = fail_claimed(&store, &token).await;
    assert!(store.dead_letter(dead).await.unwrap().is_some());
    assert!(store.purge_dead(dead).await.unwrap());
    assert!(!store.purge_dead(dead).await.unwrap());
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    assert_eq!(store.replay(dead, LATER).await.unwrap(), None);
    assert_eq!(store.sweep(T0.plus(DAY), DAY).await.unwrap(), 0);
}
