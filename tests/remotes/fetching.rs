//! Fetching as the host does, and what holds for every kind of place.

use std::time::Duration;

use greentic_runner_host::error::{Code, Error};
use greentic_runner_host::ingest::locator::{Base, Scheme};
use greentic_runner_host::ingest::{Cache, Environment, FetchOptions, Fetched, Fetcher, Locator, Origin, Outcome};
use greentic_runner_host::pack::model::Digest;
use tempfile::TempDir;

use crate::relay::Relay;

/// A fetcher with a cache of its own.
pub(crate) struct Fetching {
    fetcher: Fetcher,
    _dir: TempDir,
}

impl Fetching {
    /// One that reads these settings and no others.
    pub(crate) fn with<'s>(settings: impl IntoIterator<Item = (&'s str, String)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = FetchOptions {
            environment: Environment::from_iter(settings),
            pause: Duration::from_millis(1),
            ..FetchOptions::default()
        };
        let fetcher = Fetcher::new(Cache::open(dir.path(), 1 << 30).unwrap(), options).unwrap();
        Self { fetcher, _dir: dir }
    }

    pub(crate) async fn fetch(&self, locator: &str) -> Result<Fetched, Error> {
        self.fetch_as(locator, None, Origin::Local).await
    }

    pub(crate) async fn fetch_as(&self, locator: &str, want: Option<Digest>, by: Origin) -> Result<Fetched, Error> {
        let locator = Locator::parse(locator, &Base::here().unwrap(), Scheme::Fs).unwrap();
        self.fetcher.fetch(&locator, want, by).await
    }

    /// Why `locator` cannot be fetched. No secret is part of it.
    pub(crate) async fn refused(&self, locator: &str) -> (Code, String) {
        let error = self.fetch(locator).await.unwrap_err();
        let text = format!("{error}\n{error:?}");
        assert!(!text.contains("secret"), "{text}");
        (error.code(), text)
    }
}

/// A pack that circulates: the demo's.
pub(crate) fn pack() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/demo.gtpack")).unwrap()
}

/// Bytes that take some time, and are not the same everywhere.
pub(crate) fn large(seed: u32) -> Vec<u8> {
    (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 ^ seed as u8).collect()
}

/// What was fetched, its bytes compared with `bytes`.
pub(crate) fn assert_is(fetched: &Fetched, bytes: &[u8], outcome: Outcome) {
    assert_eq!(fetched.digest, Digest::of(bytes));
    assert_eq!((fetched.size, fetched.outcome), (bytes.len() as u64, outcome));
    assert!(std::fs::read(&fetched.path).unwrap() == bytes, "the file holds other bytes");
}

/// What holds for every place: a pack is fetched once, again when it changes and not before, and a broken connection
/// is taken up where it broke. `publish` puts bytes at `locator`, which is reached by `relay`.
pub(crate) async fn lives<F: Future<Output = ()>>(
    fetching: &Fetching,
    relay: &Relay,
    locator: &str,
    publish: impl Fn(Vec<u8>) -> F,
) {
    publish(pack()).await;
    assert_is(&fetching.fetch(locator).await.unwrap(), &pack(), Outcome::Downloaded);
    relay.asked();

    // Unchanged: it is asked whether it is, and not read.
    assert_is(&fetching.fetch(locator).await.unwrap(), &pack(), Outcome::Cached);
    let asked = relay.asked();
    assert!(asked.iter().any(|line| line.starts_with("HEAD ")), "{asked:?}");
    assert!(!asked.iter().any(|line| line.starts_with("GET ")), "{asked:?}");

    // Changed, and broken off on the way.
    publish(large(1)).await;
    relay.cut(1_000_000);
    assert_is(&fetching.fetch(locator).await.unwrap(), &large(1), Outcome::Downloaded);
    let asked = relay.asked();
    let resumed: Vec<u64> = asked
        .iter()
        .filter_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok())
        .collect();
    assert!(matches!(resumed[..], [from] if (1..1_000_000).contains(&from)), "{resumed:?} of {asked:?}");

    // What was there before and is there again need not be read as a whole to be known, but is what counts.
    publish(pack()).await;
    let back = fetching.fetch(locator).await.unwrap();
    assert_eq!(back.digest, Digest::of(&pack()));

    // A digest that is wanted is held to.
    let other = fetching.fetch_as(locator, Some(Digest::of(b"another")), Origin::Local).await.unwrap_err();
    assert_eq!(other.code(), Code::DigestMismatch);
}
