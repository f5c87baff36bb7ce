//! What is kept until it is taken, or until its time.

use super::*;

fn entry(key: &str, value: &str, expires_at: Option<Timestamp>) -> VaultEntry {
    VaultEntry { key: key.to_owned(), value: Bytes::from(value.to_owned()), expires_at }
}

pub(super) async fn keeps_what_was_put_last(store: Any) {
    assert_eq!(store.vault_get("a", T0).await.unwrap(), None);
    store.vault_put(entry("a", "1", None)).await.unwrap();
    store.vault_put(entry("b", "", None)).await.unwrap();
    store.vault_put(entry("a", "2", Some(T0.plus(HOUR)))).await.unwrap();
    assert_eq!(store.vault_get("a", T0).await.unwrap().unwrap(), "2");
    assert_eq!(store.vault_get("b", T0.plus(DAY * 10_000)).await.unwrap().unwrap(), "", "nothing is something");
    assert_eq!(store.mark(Mark { key: "a".into(), value: Bytes::new(), replaces: false }).await.unwrap(), None);
}

pub(super) async fn gives_to_one_taker_alone(store: Any) {
    store.vault_put(entry("a", "1", None)).await.unwrap();
    let taken = futures::future::join_all((0..20).map(|_| store.vault_take("a", T0))).await;
    assert_eq!(taken.into_iter().filter_map(Result::unwrap).collect::<Vec<_>>(), ["1"]);
    assert_eq!(store.vault_get("a", T0).await.unwrap(), None);
    store.vault_put(entry("a", "2", None)).await.unwrap();
    assert_eq!(store.vault_take("a", T0).await.unwrap().unwrap(), "2");
}

pub(super) async fn forgets_entries_at_their_time(store: Any) {
    let (soon, late) = (T0.plus(HOUR), T0.plus(DAY));
    for (key, at) in [("soon", Some(soon)), ("taken", Some(soon)), ("late", Some(late)), ("ever", None)] {
        store.vault_put(entry(key, key, at)).await.unwrap();
    }
    assert!(store.vault_get("soon", T0).await.unwrap().is_some());
    assert_eq!(store.vault_get("soon", soon).await.unwrap(), None, "before it is swept");
    assert_eq!(store.vault_take("taken", soon).await.unwrap(), None);
    store.vault_put(entry("again", "1", Some(soon))).await.unwrap();
    store.vault_put(entry("again", "2", Some(late))).await.unwrap();
    assert_eq!(store.sweep(soon, DAY).await.unwrap(), 1);
    assert_eq!(store.vault_get("again", soon).await.unwrap().unwrap(), "2", "its time was moved");
    assert_eq!(store.sweep(late, DAY).await.unwrap(), 2);
    assert_eq!(store.vault_get("soon", T0).await.unwrap(), None);
    assert_eq!(store.vault_get("ever", late).await.unwrap().unwrap(), "ever");
}

pub(super) async fn forgets_a_bounded_number_of_entries(store: Any) {
    for n in 0..SWEEP_BATCH + 3 {
        store.vault_put(entry(&n.to_string(), "x", Some(T0))).await.unwrap();
    }
    assert_eq!(store.sweep(T0, DAY).await.unwrap(), SWEEP_BATCH as u64);
    assert_eq!((store.sweep(T0, DAY).await.unwrap(), store.sweep(T0, DAY).await.unwrap()), (3, 0));
}
