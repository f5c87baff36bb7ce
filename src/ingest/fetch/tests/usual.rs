//! What happens when all is well.

use std::sync::Arc;

use parking_lot::Mutex;

use super::*;

#[tokio::test]
async fn what_was_fetched_is_read_again_only_if_its_version_is_another() {
    let version = Arc::new(Mutex::new("1".to_owned()));
    let server = Server::start({
        let version = Arc::clone(&version);
        move |request, _| {
            let version = version.lock();
            Reply::file(request, format!("version {version}").as_bytes(), &version)
        }
    })
    .await;
    let (place, locator) = (Place::new(), server.locator("/p"));
    let fetcher = place.fetcher();
    let (first, bytes) = fetch(&fetcher, &locator).await.unwrap();
    assert_eq!((first.outcome, &*bytes), (Outcome::Downloaded, &b"version 1"[..]));
    assert_eq!((first.digest, first.size), (Digest::of(b"version 1"), 9));
    assert_eq!(fs::read(&first.path).unwrap(), b"version 1");
    // Another process, as far as the cache can tell.
    assert_eq!(fetch(&place.fetcher(), &locator).await.unwrap().0.outcome, Outcome::Cached);
    assert_eq!(server.asked(), ["HEAD /p", "GET /p", "HEAD /p"]);
    *version.lock() = "2".to_owned();
    let (second, bytes) = fetch(&fetcher, &locator).await.unwrap();
    assert_eq!((second.outcome, &*bytes), (Outcome::Downloaded, &b"version 2"[..]));
    assert_eq!(place.blobs().len(), 2);
}

#[tokio::test]
async fn what_is_pinned_and_there_is_not_asked_for() {
    let server = Server::of_file(BYTES).await;
    let (place, want) = (Place::new(), Some(Digest::of(BYTES)));
    let fetcher = place.fetcher();
    let first = fetcher.fetch(&server.locator("/p"), want, Origin::Local).await.unwrap();
    assert_eq!(first.outcome, Outcome::Downloaded);
    let asked = server.asked().len();
    // By another name, too: it is the content that is named.
    for path in ["/p", "/q"] {
        let again = fetcher.fetch(&server.locator(path), want, Origin::Local).await.unwrap();
        assert_eq!((again.outcome, again.digest), (Outcome::Cached, first.digest));
    }
    assert_eq!(server.asked().len(), asked);
}

#[tokio::test]
async fn another_digest_is_refused_and_leaves_nothing_behind() {
    let server = Server::of_file(BYTES).await;
    let (place, want) = (Place::new(), Digest::of(b"something else"));
    let error = place.fetcher().fetch(&server.locator("/p"), Some(want), Origin::Local).await.unwrap_err();
    assert_eq!(error.code(), Code::DigestMismatch);
    assert!(error.message().contains(&want.to_string()) && error.message().contains(&Digest::of(BYTES).to_string()));
    place.assert_empty();
    assert!(place.cache().recall(&server.locator("/p").key()).await.is_none());
}

#[tokio::test]
async fn without_a_version_it_is_read_anew_each_time() {
    let server = Server::start(|request, _| Reply::file(request, BYTES, "").without("etag")).await;
    let (place, locator) = (Place::new(), server.locator("/p"));
    for _ in 0..2 {
        assert_eq!(fetch(&place.fetcher(), &locator).await.unwrap().0.outcome, Outcome::Downloaded);
    }
    assert_eq!(place.blobs().len(), 1);
}

#[tokio::test]
async fn a_version_that_only_the_reading_shows_does_no_harm() {
    let server = Server::start(|request, _| {
        let reply = Reply::file(request, BYTES, "1");
        if request.method == "HEAD" { reply.without("etag") } else { reply }
    })
    .await;
    assert_eq!(fetch(&Place::new().fetcher(), &server.locator("/p")).await.unwrap().1, BYTES);
}

#[tokio::test]
async fn the_time_of_change_is_a_version_too() {
    let server = Server::start(|request, _| {
        Reply::file(request, BYTES, "").without("etag").header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
    })
    .await;
    let (place, locator) = (Place::new(), server.locator("/p"));
    fetch(&place.fetcher(), &locator).await.unwrap();
    assert_eq!(fetch(&place.fetcher(), &locator).await.unwrap().0.outcome, Outcome::Cached);
}

#[tokio::test]
async fn a_url_that_is_signed_for_get_alone_is_read() {
    for status in [400, 403, 405, 501] {
        let server = Server::start(move |request, _| match request.method.as_str() {
            "HEAD" => Reply::status(status),
            _ => Reply::file(request, BYTES, "1"),
        })
        .await;
        let place = Place::new();
        let (_, bytes) = fetch(&place.fetcher(), &server.locator("/p?sig=canary")).await.unwrap();
        assert_eq!(bytes, BYTES, "{status}");
    }
}

#[tokio::test]
async fn a_document_is_given_only_if_it_is_another() {
    let server = Server::start(|request, count| Reply::file(request, BYTES, if count < 4 { "1" } else { "2" })).await;
    let (place, locator) = (Place::new(), server.locator("/index.json"));
    let fetcher = place.fetcher();
    let read = fetcher.read(&locator, 100, Origin::Local).await.unwrap();
    assert_eq!((&*read.bytes, read.digest, read.outcome), (BYTES, Digest::of(BYTES), Outcome::Downloaded));
    assert!(fetcher.read_if_changed(&locator, 100, Origin::Local, &read.digest).await.unwrap().is_none());
    assert_eq!(server.asked().len(), 3, "its version is the same");
    let other = Digest::of(b"other");
    let read = fetcher.read_if_changed(&locator, 100, Origin::Local, &other).await.unwrap().unwrap();
    assert_eq!(&*read.bytes, BYTES);
    // A new version of the same content is no change.
    assert!(fetcher.read_if_changed(&locator, 100, Origin::Local, &read.digest).await.unwrap().is_none());
    let error = fetcher.read(&locator, 10, Origin::Local).await.unwrap_err();
    assert_eq!(error.code(), Code::FetchTooLarge);
}

#[tokio::test]
async fn how_far_it_is_is_told_until_it_ends() {
    #[derive(Default)]
    struct Kept(Mutex<Vec<(String, Transfer)>>);
    impl Progress for Kept {
        fn tell(&self, locator: &Locator, transfer: Transfer) {
            self.0.lock().push((locator.to_string(), transfer));
        }
    }
    let server = Server::of_file(BYTES).await;
    let (place, kept) = (Place::new(), Arc::new(Kept::default()));
    let fetcher = Fetcher::with_progress(place.cache(), FetchOptions::default(), Arc::clone(&kept) as _).unwrap();
    fetch(&fetcher, &server.locator("/p")).await.unwrap();
    let told = kept.0.lock();
    assert!(told.iter().all(|(locator, transfer)| *locator == server.url("/p") && transfer.total == Some(16)));
    assert!(told.is_sorted_by_key(|(_, transfer)| transfer.received));
    assert_eq!(told.last().map(|(_, transfer)| (transfer.received, transfer.ended)), Some((16, true)));
    assert_eq!(told.iter().filter(|(_, transfer)| transfer.ended).count(), 1);
}

#[tokio::test]
async fn a_damaged_file_is_fetched_again() {
    let server = Server::of_file(BYTES).await;
    let (place, locator) = (Place::new(), server.locator("/p"));
    let fetcher = place.fetcher();
    let (fetched, _) = fetch(&fetcher, &locator).await.unwrap();
    fs::write(&fetched.path, b"damaged").unwrap();
    let (again, bytes) = fetch(&fetcher, &locator).await.unwrap();
    assert_eq!((again.outcome, &*bytes), (Outcome::Downloaded, BYTES));
}
