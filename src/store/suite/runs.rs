//! Checkpoints, waits and what becomes of runs.

use super::*;

pub(super) async fn stores_a_checkpoint_as_a_whole(store: Any) {
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

pub(super) async fn gives_a_reclaimed_event_its_run(store: Any) {
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
    assert!(!store.complete(&again.token, waiting(run_id(1), "h3", None)).await.unwrap());
    assert_eq!(store.counts().await.unwrap(), Counts { runs: 1, waits: 1, journal: 3, ..Counts::default() });
}

pub(super) async fn keeps_a_wait_until_the_resumed_run_is_checkpointed(store: Any) {
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

pub(super) async fn ends_a_wait_without_a_checkpoint_in_between(store: Any) {
    make_wait(&store, "a", run_id(1), Some(T0.plus(HOUR))).await;
    accept(&store, "a", "next").await;
    let token = claim(&store, "a").await.token;
    store.complete(&token, finished(Some(run_id(1)))).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    assert_eq!(store.sweep(T0.plus(DAY), DAY).await.unwrap(), 0);
}

pub(super) async fn waits_again_in_place_of_the_old_wait(store: Any) {
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

pub(super) async fn lists_waits_oldest_first_without_expired_ones(store: Any) {
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

pub(super) async fn keeps_a_wait_when_its_event_fails_before_a_checkpoint(store: Any) {
    make_wait(&store, "a", run_id(1), None).await;
    accept(&store, "a", "bad").await;
    let token = claim(&store, "a").await.token;
    store.load_wait(&token, run_id(1)).await.unwrap().unwrap();
    store.fail(&token, failure(T0), None, Vec::new()).await.unwrap();
    let expected = Counts { runs: 1, waits: 1, journal: 1, dead: 1, ..Counts::default() };
    assert_eq!(store.counts().await.unwrap(), expected);
    accept(&store, "a", "good").await;
    let good = claim(&store, "a").await;
    assert_eq!(good.waits.len(), 1);
    assert!(store.load_wait(&good.token, run_id(1)).await.unwrap().is_some());
}

pub(super) async fn keeps_the_run_of_a_dead_letter(store: Any) {
    make_wait(&store, "a", run_id(1), None).await;
    accept(&store, "a", "bad").await;
    let token = claim(&store, "a").await.token;
    store.checkpoint(&token, progress(run_id(1), "on", &["j"])).await.unwrap();
    store.fail(&token, failure(T0), None, Vec::new()).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts { runs: 1, journal: 2, dead: 1, ..Counts::default() });
    assert_eq!(store.sweep(T0.plus(DAY), DAY).await.unwrap(), 1);
    assert_eq!(store.counts().await.unwrap(), Counts::default(), "the run goes with its dead letter");
}

pub(super) async fn leaves_nothing_of_a_finished_run(store: Any) {
    accept(&store, "a", "1").await;
    let token = claim(&store, "a").await.token;
    store.checkpoint(&token, progress(run_id(1), "h", &["j", "k"])).await.unwrap();
    // The event's run goes even where the completion does not name it.
    assert!(!store.complete(&token, finished(None)).await.unwrap());
    assert_eq!(store.counts().await.unwrap(), Counts::default());
}

pub(super) async fn refuses_a_run_of_another_event(store: Any) {
    make_wait(&store, "other lane", run_id(1), None).await;
    accept(&store, "a", "dies").await;
    let dies = claim(&store, "a").await.token;
    store.checkpoint(&dies, progress(run_id(2), "h", &[])).await.unwrap();
    store.fail(&dies, failure(T0), None, Vec::new()).await.unwrap();
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

pub(super) async fn ends_a_wait_with_the_event_that_fails(store: Any) {
    make_wait(&store, "a", run_id(1), Some(T0.plus(HOUR))).await;
    accept(&store, "a", "bad").await;
    let token = claim(&store, "a").await.token;
    store.fail(&token, failure(T0), Some(run_id(1)), vec![reply("r", "it is over", T0)]).await.unwrap();
    assert_eq!(store.replies(&route("r"), 0, 9).await.unwrap()[0].payload, "it is over");
    let expected = Counts { runs: 1, journal: 1, dead: 1, replies: 1, ..Counts::default() };
    assert_eq!(store.counts().await.unwrap(), expected);
    accept(&store, "a", "next").await;
    let next = claim(&store, "a").await;
    assert_eq!(next.waits, []);
    store.complete(&next.token, finished(None)).await.unwrap();
    assert_eq!(store.sweep(T0.plus(DAY), DAY).await.unwrap(), 2);
    assert_eq!(store.counts().await.unwrap(), Counts::default(), "the run goes with its dead letter");
}

pub(super) async fn replaces_the_journal_of_a_run_that_waits_again(store: Any) {
    make_wait(&store, "a", run_id(1), None).await;
    accept(&store, "a", "again").await;
    let token = claim(&store, "a").await.token;
    store.checkpoint(&token, progress(run_id(1), "on", &["x", "y"])).await.unwrap();
    let mut end = waiting(run_id(1), "compact", None);
    if let End::Waiting { replaces, journal, .. } = &mut end.end {
        *replaces = true;
        *journal = vec![Bytes::from_static(b"all")];
    }
    store.complete(&token, end).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts { runs: 1, waits: 1, journal: 1, ..Counts::default() });
    accept(&store, "a", "next").await;
    let token = claim(&store, "a").await.token;
    let run = store.load_wait(&token, run_id(1)).await.unwrap().unwrap();
    assert_eq!((run.head, run.journal), (Bytes::from_static(b"compact"), vec![Bytes::from_static(b"all")]));
}

pub(super) async fn gives_a_claim_back(store: Any) {
    accept(&store, "a", "1").await;
    let first = claim(&store, "a").await;
    store.checkpoint(&first.token, progress(run_id(1), "h", &["j"])).await.unwrap();
    store.release(&first.token).await.unwrap();
    let second = claim(&store, "a").await;
    assert!(second.token.fence > first.token.fence);
    assert_eq!(second.run.unwrap().head, "h", "what was checkpointed stays");
    let refused = store.complete(&first.token, finished(None)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ClaimLost);
    store.complete(&second.token, finished(None)).await.unwrap();
}
