//! Fetching from servers that behave, and from those that do not. The pauses are short; the timeouts are long but where
//! running into one is what the test is about.

mod broken;
mod files;
mod hosts;
mod offline;
mod server;
mod shared;
mod usual;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use server::{Reply, Server};

/// What most tests fetch.
const BYTES: &[u8] = b"0123456789abcdef";

/// A cache in a directory of its own.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn cache(&self) -> Cache {
        Cache::open(self.dir.path(), Cache::DEFAULT_MAX_BYTES).unwrap()
    }

    fn fetcher(&self) -> Fetcher {
        self.fetcher_with(|_| {})
    }

    fn fetcher_with(&self, change: impl FnOnce(&mut FetchOptions)) -> Fetcher {
        let mut options = FetchOptions { pause: Duration::from_millis(1), ..FetchOptions::default() };
        change(&mut options);
        Fetcher::new(self.cache(), options).unwrap()
    }

    /// The files with content, finished or not.
    fn blobs(&self) -> Vec<PathBuf> {
        let dir = self.dir.path().join("blobs/sha256");
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Nothing was kept, whole or half.
    fn assert_empty(&self) {
        assert_eq!(self.blobs(), [""; 0].map(PathBuf::from));
    }
}

async fn fetch(fetcher: &Fetcher, locator: &Locator) -> Result<(Fetched, Bytes)> {
    fetcher.fetch_bytes(locator, None, Origin::Local).await
}

/// The code of a fetch that has to fail.
async fn code(fetcher: &Fetcher, locator: &Locator, origin: Origin) -> Code {
    let error = fetcher.fetch(locator, None, origin).await.unwrap_err();
    assert!(error.hint_text().is_some(), "{error}");
    error.code()
}
