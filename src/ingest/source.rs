//! The kinds of places that bytes come from. One file per kind.
//!
//! A source says what lies at a locator now, and gives its bytes as a stream that begins at any offset, so that
//! whoever reads can go on where a connection broke. It keeps nothing and retries nothing, and it asks its [`Reach`]
//! before it connects.

mod fs;
mod http;
#[cfg(feature = "object-store")]
mod object;
#[cfg(feature = "oci")]
mod oci;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::environment::Environment;
use crate::error::{Code, Error, Kind, Result};
use crate::ingest::locator::{Locator, Scheme};
use crate::net::Reach;
use crate::pack::model::Digest;

/// What lies at a locator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    /// What changes when the content does: an entity tag, a generation, a manifest's digest, size and time of a file.
    pub(super) version: Option<String>,
    /// How many bytes it has, if that is known.
    pub(super) size: Option<u64>,
    /// The digest of its bytes, if the source states it.
    pub(super) digest: Option<Digest>,
}

/// Why a source did not give what it was asked for, and when to ask again if that may help.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// What is wrong.
    pub(super) error: Error,
    /// How long the source asks to be left alone.
    pub(super) after: Option<Duration>,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, after: None }
    }
}

impl Fault {
    /// Whether it may pass: reading then goes on from where it broke. A disk that is full is no fault of the source's,
    /// and what was written before it was may not be whole.
    pub(super) fn may_pass(&self) -> bool {
        let code = self.error.code();
        code.kind() == Kind::Unavailable && code != Code::CacheFull
    }

    /// Whether what lies there is another version now, so that reading has to begin again.
    pub(super) fn is_change(&self) -> bool {
        self.error.code() == Code::SourceChanged
    }
}

/// Bytes as they come. An error with a code of kind `Unavailable` may pass: reading goes on from where it broke.
pub(super) type Body = BoxStream<'static, Result<Bytes, Fault>>;

/// A kind of place that bytes come from.
#[async_trait]
pub(super) trait Source: Send + Sync {
    /// What lies at `locator` now.
    async fn stat(&self, locator: &Locator) -> Result<Stat, Fault>;

    /// The bytes at `locator` from `offset` on. Fails with [`changed`] if it is not the version of `stat` any more.
    async fn open(&self, locator: &Locator, stat: &Stat, offset: u64) -> Result<Body, Fault>;
}

/// What sources are made with.
#[derive(Clone, Debug)]
pub(super) struct SourceOptions {
    /// Which hosts may be connected to.
    pub(super) reach: Reach,
    /// Which hosts a server of the public internet may redirect to.
    pub(super) redirects: Reach,
    /// Whether `http` may be used with other hosts than this machine.
    pub(super) allow_http: bool,
    /// How long a connection may take to come about.
    pub(super) connect: Duration,
    /// Names and passwords for HTTP servers.
    pub(super) netrc: Option<PathBuf>,
    /// Credentials and endpoints for registries and object stores.
    #[cfg_attr(
        not(any(feature = "oci", feature = "object-store")),
        expect(dead_code, reason = "nobody is left to ask")
    )]
    pub(super) environment: Environment,
}

/// Every kind of source that this host was built with.
pub(super) struct Sources {
    fs: fs::FsSource,
    http: http::HttpSource,
    oci: Option<Arc<dyn Source>>,
    object: Option<Arc<dyn Source>>,
}

impl Sources {
    pub(super) fn new(options: &SourceOptions) -> Result<Self> {
        Ok(Self { fs: fs::FsSource, http: http::HttpSource::new(options), oci: oci(options), object: object(options) })
    }

    /// The source that gives what lies at `locator`.
    pub(super) fn of(&self, locator: &Locator) -> Result<&dyn Source> {
        match locator.scheme() {
            Scheme::Fs => Ok(&self.fs),
            Scheme::Http => Ok(&self.http),
            Scheme::Oci => self.oci.as_deref().ok_or_else(|| not_built(locator, "oci")),
            Scheme::S3 | Scheme::Gcs | Scheme::AzBlob => {
                self.object.as_deref().ok_or_else(|| not_built(locator, "object-store"))
            }
        }
    }
}

#[cfg(feature = "oci")]
fn oci(options: &SourceOptions) -> Option<Arc<dyn Source>> {
    Some(Arc::new(oci::OciSource::new(options)))
}

#[cfg(not(feature = "oci"))]
fn oci(_: &SourceOptions) -> Option<Arc<dyn Source>> {
    None
}

#[cfg(feature = "object-store")]
fn object(options: &SourceOptions) -> Option<Arc<dyn Source>> {
    Some(Arc::new(object::ObjectSource::new(options)))
}

#[cfg(not(feature = "object-store"))]
fn object(_: &SourceOptions) -> Option<Arc<dyn Source>> {
    None
}

fn not_built(locator: &Locator, feature: &str) -> Error {
    let message = format!("{locator} cannot be fetched: this host was built without the feature {feature}");
    Error::new(Code::SourceMissing, message)
        .hint(format!("build it with --features {feature}, or give the pack by https:// or as a file"))
}

/// What lies at `locator` is not what it was when it was looked at.
pub(super) fn changed(locator: &Locator) -> Fault {
    Error::new(Code::SourceChanged, format!("{locator} changed while it was read"))
        .hint("publish packs under names that do not change, or replace them as a whole")
        .into()
}

/// Nothing lies at `locator`.
pub(super) fn not_found(locator: &Locator) -> Fault {
    Error::new(Code::NotFound, format!("nothing lies at {locator}"))
        .hint("check the locator, and that what it names was published")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_source_may_mend_is_tried_again() {
        for (code, may_pass, is_change) in [
            (Code::FetchFailed, true, false),
            (Code::SourceChanged, true, true),
            (Code::CacheFull, false, false),
            (Code::CacheDirectory, false, false),
            (Code::NotFound, false, false),
            (Code::DigestMismatch, false, false),
        ] {
            let fault = Fault::from(Error::new(code, "x"));
            assert_eq!((fault.may_pass(), fault.is_change()), (may_pass, is_change), "{code}");
        }
    }
}
