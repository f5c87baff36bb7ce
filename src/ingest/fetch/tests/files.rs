//! Files of this machine.

use std::time::SystemTime;

use super::*;

/// A file that nobody touched for a while.
fn settled(path: &std::path::Path, bytes: &[u8], seconds: u64) -> Locator {
    fs::write(path, bytes).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    Locator::Fs(path.to_owned())
}

#[tokio::test]
async fn a_file_is_copied_so_that_it_cannot_change_between_digest_and_use() {
    let place = Place::new();
    let path = place.dir.path().join("p");
    let locator = settled(&path, BYTES, 100);
    let fetcher = place.fetcher();
    let fetched = fetcher.fetch(&locator, None, Origin::Local).await.unwrap();
    fs::write(&path, b"changed").unwrap();
    assert_eq!(fetcher.cache().bytes(&fetched.digest).await.unwrap().as_deref(), Some(BYTES));
    let (again, bytes) = fetch(&fetcher, &locator).await.unwrap();
    assert_eq!((again.outcome, &*bytes), (Outcome::Downloaded, &b"changed"[..]));
}

#[tokio::test]
async fn a_file_is_read_again_only_if_it_is_another() {
    let place = Place::new();
    let path = place.dir.path().join("p");
    let (locator, fetcher) = (settled(&path, BYTES, 100), place.fetcher());
    assert_eq!(fetch(&fetcher, &locator).await.unwrap().0.outcome, Outcome::Downloaded);
    assert_eq!(fetch(&fetcher, &locator).await.unwrap().0.outcome, Outcome::Cached);
    // The same size and the same time, put in its place.
    let new = place.dir.path().join("new");
    settled(&new, b"fedcba9876543210", 100);
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::File::options().write(true).open(&new).unwrap().set_modified(time).unwrap();
    fs::rename(&new, &path).unwrap();
    assert_eq!(fetch(&fetcher, &locator).await.unwrap().1, &b"fedcba9876543210"[..]);
}

#[tokio::test]
async fn a_file_that_was_just_written_is_not_known_by_its_time() {
    let place = Place::new();
    let path = place.dir.path().join("p");
    fs::write(&path, BYTES).unwrap();
    // However long the test takes.
    let just_now = SystemTime::now() + Duration::from_secs(3600);
    fs::File::options().write(true).open(&path).unwrap().set_modified(just_now).unwrap();
    let locator = Locator::Fs(path);
    for _ in 0..2 {
        assert_eq!(fetch(&place.fetcher(), &locator).await.unwrap().0.outcome, Outcome::Downloaded);
    }
}

#[tokio::test]
async fn what_is_no_file_is_said() {
    let place = Place::new();
    let fetcher = place.fetcher();
    let at = |name: &str| Locator::Fs(place.dir.path().join(name));
    fs::write(place.dir.path().join("file"), b"").unwrap();
    for (locator, code) in [
        (at("missing"), Code::NotFound),
        (at("file/below"), Code::NotFound),
        (at("blobs"), Code::LocatorInvalid),
        (Locator::Fs("/dev/null".into()), Code::LocatorInvalid),
    ] {
        assert_eq!(super::code(&fetcher, &locator, Origin::Local).await, code, "{locator}");
    }
    assert_eq!(fetch(&fetcher, &at("file")).await.unwrap().0.size, 0, "nothing is something, too");
}

#[tokio::test]
async fn a_file_that_is_too_large_is_not_copied() {
    let place = Place::new();
    let locator = settled(&place.dir.path().join("p"), BYTES, 100);
    let fetcher = place.fetcher_with(|options| options.max_bytes = 10);
    assert_eq!(code(&fetcher, &locator, Origin::Local).await, Code::FetchTooLarge);
    place.assert_empty();
}

#[tokio::test]
async fn files_are_read_when_the_host_is_offline() {
    let place = Place::new();
    let locator = settled(&place.dir.path().join("p"), BYTES, 100);
    let fetcher = place.fetcher_with(|options| options.offline = true);
    assert_eq!(fetch(&fetcher, &locator).await.unwrap().0.outcome, Outcome::Downloaded);
}
