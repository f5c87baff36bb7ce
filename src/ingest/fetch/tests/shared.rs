//! Several who want the same.

use super::*;

#[tokio::test]
async fn who_wants_the_same_at_the_same_time_shares_a_download() {
    let server = Server::of_file(BYTES).await;
    let (place, locator) = (Place::new(), server.locator("/p"));
    let fetcher = place.fetcher();
    let all = futures::future::join_all((0..20).map(|_| fetch(&fetcher, &locator))).await;
    assert!(all.into_iter().all(|one| one.unwrap().1 == BYTES));
    assert_eq!(server.asked(), ["HEAD /p", "GET /p"]);
}

#[tokio::test]
async fn a_download_goes_on_when_who_began_it_gives_up() {
    let server = Server::of_file(BYTES).await;
    let (place, locator) = (Place::new(), server.locator("/p"));
    let fetcher = place.fetcher();
    let mut first = Box::pin(fetcher.fetch(&locator, None, Origin::Local));
    assert!(futures::poll!(&mut first).is_pending());
    let mut second = Box::pin(fetcher.fetch(&locator, None, Origin::Local));
    assert!(futures::poll!(&mut second).is_pending());
    drop(first);
    assert_eq!(second.await.unwrap().size, 16);
    assert_eq!(server.asked(), ["HEAD /p", "GET /p"]);
}

#[tokio::test]
async fn who_wants_another_digest_does_not_get_what_others_want() {
    let server = Server::of_file(BYTES).await;
    let (place, locator) = (Place::new(), server.locator("/p"));
    let fetcher = place.fetcher();
    let other = Some(Digest::of(b"other"));
    let (good, bad) = futures::future::join(
        fetcher.fetch(&locator, None, Origin::Local),
        fetcher.fetch(&locator, other, Origin::Local),
    )
    .await;
    assert!(good.is_ok());
    assert_eq!(bad.unwrap_err().code(), Code::DigestMismatch);
    assert_eq!(place.blobs().len(), 1);
}

#[tokio::test]
async fn two_processes_do_not_disturb_each_other() {
    let server = Server::of_file(BYTES).await;
    let (place, locator) = (Place::new(), server.locator("/p"));
    // Each has a cache of its own over the same directory; the bound makes each delete what it can.
    let tight = || Fetcher::new(Cache::open(place.dir.path(), 16).unwrap(), FetchOptions::default()).unwrap();
    let (one, two) = (tight(), tight());
    for _ in 0..5 {
        let (a, b) = futures::future::join(fetch(&one, &locator), fetch(&two, &locator)).await;
        assert_eq!((a.unwrap().1, b.unwrap().1), (Bytes::from_static(BYTES), Bytes::from_static(BYTES)));
        one.cache().prune(0, false).await.unwrap();
    }
}
