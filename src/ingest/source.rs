//! The kinds of places that bytes come from. One file per kind.
//!
//! A source says what lies at a locator now, and gives its bytes as a stream that begins at any offset, so that
//! whoever reads can go on where a connection broke. It keeps nothing and retries nothing.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::error::Result;
use crate::ingest::locator::Locator;

/// What lies at a locator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    /// What changes when the content does: an entity tag, a generation, a manifest's digest, size and time of a file.
    pub(super) version: Option<String>,
    /// How many bytes it has, if that is known.
    pub(super) size: Option<u64>,
}

/// Bytes as they come. An error with a code of kind `Unavailable` may pass: reading goes on from where it broke.
pub(super) type Body = BoxStream<'static, Result<Bytes>>;

/// A kind of place that bytes come from.
#[async_trait]
pub(super) trait Source: Send + Sync {
    /// What lies at `locator` now.
    async fn stat(&self, locator: &Locator) -> Result<Stat>;

    /// The bytes at `locator` from `offset` on. Fails if it is not the version of `stat` any more.
    async fn open(&self, locator: &Locator, stat: &Stat, offset: u64) -> Result<Body>;
}
