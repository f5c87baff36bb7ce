//! When a source is down.

use super::*;

/// A fetcher whose cache has what a server gave that is gone now.
async fn after_a_fetch(place: &Place) -> Locator {
    let server = Server::of_file(BYTES).await;
    let locator = server.locator("/p?sig=canary");
    fetch(&place.fetcher(), &locator).await.unwrap();
    locator
}

#[tokio::test]
async fn what_was_fetched_before_is_used_and_that_is_said() {
    let place = Place::new();
    let locator = after_a_fetch(&place).await;
    let fetcher = place.fetcher_with(|options| options.attempts = 2);
    let (fetched, bytes) = fetch(&fetcher, &locator).await.unwrap();
    assert_eq!((fetched.outcome, &*bytes), (Outcome::Offline, BYTES));
    let note = fetched.note.unwrap();
    assert_eq!((note.code(), note.details()[0].code()), (Code::SourceOffline, Code::FetchFailed));
    assert!(!note.to_string().contains("canary"), "{note}");
    let document = fetcher.read(&locator, 100, Origin::Local).await.unwrap();
    assert_eq!((document.outcome, &*document.bytes, document.note.is_some()), (Outcome::Offline, BYTES, true));
}

#[tokio::test]
async fn what_is_pinned_to_something_else_is_not_replaced_by_what_was_fetched_before() {
    let place = Place::new();
    let locator = after_a_fetch(&place).await;
    let fetcher = place.fetcher_with(|options| options.attempts = 1);
    let error = fetcher.fetch(&locator, Some(Digest::of(b"new")), Origin::Local).await.unwrap_err();
    assert_eq!(error.code(), Code::FetchFailed);
    let pinned = fetcher.fetch(&locator, Some(Digest::of(BYTES)), Origin::Local).await.unwrap();
    assert_eq!(pinned.outcome, Outcome::Cached);
}

#[tokio::test]
async fn what_is_gone_for_good_is_not_replaced_either() {
    let server = Server::start(|request, count| match count {
        0 | 1 => Reply::file(request, BYTES, "1"),
        2 => Reply::status(404),
        _ => Reply::status(401),
    })
    .await;
    let (place, locator) = (Place::new(), server.locator("/p"));
    fetch(&place.fetcher(), &locator).await.unwrap();
    assert_eq!(code(&place.fetcher(), &locator, Origin::Local).await, Code::NotFound);
    assert_eq!(code(&place.fetcher(), &locator, Origin::Local).await, Code::AccessRefused);
}

#[tokio::test]
async fn who_wants_to_be_offline_asks_nobody() {
    let server = Server::of_file(BYTES).await;
    let (place, locator) = (Place::new(), server.locator("/p"));
    let offline = place.fetcher_with(|options| options.offline = true);
    let error = offline.fetch(&locator, None, Origin::Local).await.unwrap_err();
    assert!(error.code() == Code::FetchFailed && error.hint_text().is_some_and(|hint| hint.contains("cache warm")));
    assert_eq!(server.asked(), [""; 0]);
    fetch(&place.fetcher(), &locator).await.unwrap();
    let asked = server.asked().len();
    assert_eq!(fetch(&offline, &locator).await.unwrap().0.outcome, Outcome::Offline);
    assert_eq!(server.asked().len(), asked);
    // A locator that may not be used is no more allowed than before.
    assert_eq!(code(&offline, &Locator::Fs("/etc/passwd".into()), Origin::RemoteIndex).await, Code::LocatorDenied);
}

#[tokio::test]
async fn a_limit_holds_for_what_was_fetched_before() {
    let place = Place::new();
    let locator = after_a_fetch(&place).await;
    let fetcher = place.fetcher_with(|options| {
        options.offline = true;
        options.max_bytes = 10;
    });
    assert_eq!(code(&fetcher, &locator, Origin::Local).await, Code::FetchFailed);
}
