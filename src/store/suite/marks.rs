//! What is kept under a name, and which events are not done.

use super::*;

fn mark(key: &str, value: &str, replaces: bool) -> Mark {
    Mark { key: key.to_owned(), value: Bytes::from(value.to_owned()), replaces }
}

pub(super) async fn keeps_the_first_mark_unless_another_replaces_it(store: Any) {
    assert_eq!(store.mark(mark("a", "1", false)).await.unwrap(), None);
    assert_eq!(store.mark(mark("a", "2", false)).await.unwrap().unwrap(), "1");
    assert_eq!(store.mark(mark("a", "3", true)).await.unwrap().unwrap(), "1", "the second was not kept");
    assert_eq!(store.mark(mark("a", "4", true)).await.unwrap().unwrap(), "3");
    assert_eq!(store.mark(mark("b", "", true)).await.unwrap(), None, "keys are apart");
    assert_eq!(store.mark(mark("", "x", false)).await.unwrap(), None);
    assert_eq!(store.mark(mark("b", "x", false)).await.unwrap().unwrap(), "", "nothing is something");
}

pub(super) async fn marks_of_many_at_once_give_one_first(store: Any) {
    let marks = (0..20).map(|n| store.mark(mark("a", &n.to_string(), false)));
    let before = futures::future::join_all(marks).await.into_iter().map(Result::unwrap);
    let (first, later): (Vec<_>, Vec<_>) = before.partition(Option::is_none);
    assert_eq!(first.len(), 1);
    assert!(later.windows(2).all(|pair| pair[0] == pair[1]), "all others hear of the same");
}

pub(super) async fn marks_are_not_swept(store: Any) {
    store.mark(mark("a", "1", false)).await.unwrap();
    store.sweep(T0.plus(DAY * 10_000), HOUR).await.unwrap();
    assert_eq!(store.mark(mark("a", "2", false)).await.unwrap().unwrap(), "1");
}

pub(super) async fn an_event_is_pending_until_it_is_done(store: Any) {
    let (done, fails) = (accept(&store, "a", "1").await, accept(&store, "b", "2").await);
    assert!(!store.is_pending(EventId(u64::MAX)).await.unwrap());
    for event in [done, fails] {
        assert!(store.is_pending(event).await.unwrap());
    }
    let (first, second) = (claim(&store, "a").await.token, claim(&store, "b").await.token);
    assert!(store.is_pending(done).await.unwrap(), "while it is worked on");
    store.complete(&first, finished(None)).await.unwrap();
    store.fail(&second, failure(T0), None, Vec::new()).await.unwrap();
    for event in [done, fails] {
        assert!(!store.is_pending(event).await.unwrap());
    }
}
