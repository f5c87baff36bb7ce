//! Fetching: from a locator to bytes in the cache.
//!
//! What is pinned by its digest and there already is not asked for at all; what is unchanged at its source is not read
//! again; what is read is counted and hashed on its way into the cache, files of this machine too, so that nothing can
//! change between its digest and its use. A connection that breaks is taken up where it broke, a bounded number of
//! times. Only when the digest is the one that is wanted does a file get its name. When a source is down, what it gave
//! before is used, and that is said. Whoever wants the same thing at the same time waits for one download.

mod download;
mod flights;
mod options;
mod progress;
mod retry;
mod tally;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::error::{Code, Error, Result};
use crate::ingest::cache::{Cache, Lease, Ref};
use crate::ingest::locator::Locator;
use crate::ingest::source::{Fault, Source, SourceOptions, Sources, Stat};
use crate::net::Reach;
use crate::pack::model::Digest;

use self::flights::{Flights, Wanted};
use self::retry::Retries;
use self::tally::Tally;

pub use options::{FetchOptions, Timeouts};
pub use progress::{Progress, Transfer};
pub use tally::FetchCounts;

/// Who named a locator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Whoever rules this machine: its command line, environment, or an index in its files.
    Local,
    /// An index that was fetched: it may name neither this machine's files nor hosts that are not public.
    RemoteIndex,
}

/// How bytes came to be in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// They were there.
    Cached,
    /// They were fetched.
    Downloaded,
    /// They were there, and whether they are still what the locator gives could not be found out.
    Offline,
}

/// Something in the cache.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Where it lies.
    pub path: PathBuf,
    /// Its digest. What lies in a file may have been damaged since: [`Cache::bytes`] compares.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// How it came to be there.
    pub outcome: Outcome,
    /// Why the source was not asked, for [`Outcome::Offline`].
    pub note: Option<Error>,
    /// As long as this lives, what was fetched is not deleted to make room. It takes an open file.
    pub lease: Lease,
}

/// Something that was read.
#[derive(Clone, Debug)]
pub struct Document {
    /// All of it. It has the digest.
    pub bytes: Bytes,
    /// Its digest.
    pub digest: Digest,
    /// How it was come by.
    pub outcome: Outcome,
    /// Why the source was not asked, for [`Outcome::Offline`].
    pub note: Option<Error>,
}

/// Fetches what lies at locators. Cheap to clone; clones share downloads.
#[derive(Clone)]
pub struct Fetcher(Arc<Inner>);

struct Inner {
    cache: Cache,
    options: FetchOptions,
    /// For what this machine's own texts name.
    local: Sources,
    /// For what a remote index names.
    remote: Sources,
    flights: Flights,
    downloads: Semaphore,
    progress: Arc<dyn Progress>,
    tally: Tally,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("cache", &self.0.cache).finish_non_exhaustive()
    }
}

impl Fetcher {
    /// Fetches into `cache`.
    pub fn new(cache: Cache, options: FetchOptions) -> Result<Self> {
        Self::with_progress(cache, options, Arc::new(progress::Silent))
    }

    /// Fetches into `cache`, and tells `progress` how far it is.
    pub fn with_progress(cache: Cache, options: FetchOptions, progress: Arc<dyn Progress>) -> Result<Self> {
        let public = match options.allow_private {
            true => Reach::anywhere(),
            false => Reach::public(&options.allowed_hosts),
        };
        let sources = |reach: &Reach| {
            Sources::new(&SourceOptions {
                reach: reach.clone(),
                redirects: public.clone(),
                allow_http: options.allow_http,
                connect: options.timeouts.connect,
                netrc: options.netrc.clone(),
                environment: options.environment.clone(),
            })
        };
        let (local, remote) = (sources(&Reach::anywhere())?, sources(&public)?);
        let downloads = Semaphore::new(options.parallel.max(1));
        let flights = Flights::default();
        let tally = Tally::default();
        Ok(Self(Arc::new(Inner { cache, options, local, remote, flights, downloads, progress, tally })))
    }

    /// The cache that it fetches into.
    pub fn cache(&self) -> &Cache {
        &self.0.cache
    }

    /// How what was wanted was come by so far.
    pub fn counts(&self) -> FetchCounts {
        self.0.tally.counts()
    }

    /// Sees to it that what lies at `locator` is in the cache. With `want`, what has another digest is refused, and
    /// what is in the cache is not asked for.
    pub async fn fetch(&self, locator: &Locator, want: Option<Digest>, origin: Origin) -> Result<Fetched> {
        self.fetch_within(locator, want, origin, self.0.options.max_bytes).await
    }

    /// What lies at `locator`, and its bytes, which have its digest. A file of the cache that was damaged is fetched
    /// again.
    pub async fn fetch_bytes(
        &self,
        locator: &Locator,
        want: Option<Digest>,
        origin: Origin,
    ) -> Result<(Fetched, Bytes)> {
        self.bytes_within(locator, want, origin, self.0.options.max_bytes).await
    }

    /// Reads a small document, such as an index, of at most `limit` bytes. The last good one is kept for when its
    /// source is down.
    pub async fn read(&self, locator: &Locator, limit: u64, origin: Origin) -> Result<Document> {
        let (fetched, bytes) = self.bytes_within(locator, None, origin, limit).await?;
        Ok(Document { bytes, digest: fetched.digest, outcome: fetched.outcome, note: fetched.note })
    }

    /// Reads a small document unless it is the `known` one.
    pub async fn read_if_changed(
        &self,
        locator: &Locator,
        limit: u64,
        origin: Origin,
        known: &Digest,
    ) -> Result<Option<Document>> {
        let fetched = self.fetch_within(locator, None, origin, limit).await?;
        if fetched.digest == *known {
            return Ok(None);
        }
        self.read(locator, limit, origin).await.map(Some)
    }

    async fn bytes_within(
        &self,
        locator: &Locator,
        want: Option<Digest>,
        origin: Origin,
        limit: u64,
    ) -> Result<(Fetched, Bytes)> {
        // The second time nothing damaged is left.
        for _ in 0..2 {
            let fetched = self.fetch_within(locator, want, origin, limit).await?;
            if let Some(bytes) = self.0.cache.bytes(&fetched.digest).await? {
                return Ok((fetched, bytes));
            }
        }
        Err(Error::new(Code::CacheDirectory, format!("{locator} was damaged in the cache as soon as it was there"))
            .in_file(self.0.cache.dir())
            .hint("see that the disk is well and that nothing else writes into this directory"))
    }

    async fn fetch_within(
        &self,
        locator: &Locator,
        want: Option<Digest>,
        origin: Origin,
        limit: u64,
    ) -> Result<Fetched> {
        let wanted = Wanted { key: locator.key(), want, origin, limit };
        let (inner, locator) = (Arc::clone(&self.0), locator.clone());
        let fetched = self.0.flights.join(wanted, || async move {
            let total = inner.options.timeouts.total;
            let fetch = inner.fetch(&locator, want, origin, limit);
            let fetched = match tokio::time::timeout(total, fetch).await {
                Ok(done) => done,
                Err(_) => inner.unreachable(&locator, want, limit, too_slow(&locator, total)).await,
            };
            inner.tally.note(&fetched);
            fetched
        });
        fetched.await
    }
}

impl Inner {
    async fn fetch(&self, locator: &Locator, want: Option<Digest>, origin: Origin, limit: u64) -> Result<Fetched> {
        if origin == Origin::RemoteIndex && !locator.is_remote() {
            return Err(Error::new(Code::LocatorDenied, "a remote index may not name files of this machine")
                .hint("publish the pack beside the index and name it relatively, or by its URL"));
        }
        if let Some(digest) = want
            && let Some(fetched) = self.cached(digest, limit, Outcome::Cached, None).await?
        {
            return Ok(fetched);
        }
        if self.options.offline && locator.is_remote() {
            let error = Error::new(Code::FetchFailed, format!("{locator} is not asked for: the host is offline"))
                .hint("fetch it before, with greentic-runner cache warm, or go without --offline");
            return self.unreachable(locator, want, limit, error).await;
        }
        let sources = if origin == Origin::Local { &self.local } else { &self.remote };
        let source = sources.of(locator)?;
        match self.fetch_from(source, locator, want, limit).await {
            Err(fault) if fault.may_pass() => self.unreachable(locator, want, limit, fault.error).await,
            done => done.map_err(|fault| fault.error),
        }
    }

    /// Asks the source.
    async fn fetch_from(
        &self,
        source: &dyn Source,
        locator: &Locator,
        want: Option<Digest>,
        limit: u64,
    ) -> Result<Fetched, Fault> {
        let mut retries = Retries::new(&self.options);
        let stat = self.stat(source, locator, &mut retries).await?;
        if let Some(known) = self.cache.recall(&locator.key()).await
            && stat.version.is_some()
            && known.version == stat.version
            && want.is_none_or(|want| want == known.digest)
            && let Some(fetched) = self.cached(known.digest, limit, Outcome::Cached, None).await?
        {
            return Ok(fetched);
        }
        // A source that states the digest is held to it, and not read if the cache has those bytes from elsewhere.
        let want = agreed(locator, want, stat.digest)?;
        if let Some(stated) = stat.digest
            && let Some(fetched) = self.cached(stated, limit, Outcome::Cached, None).await?
        {
            self.remember(locator, stat.version, &fetched).await?;
            return Ok(fetched);
        }
        let _place = self.downloads.acquire().await.map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        let (fetched, version) = self.download(source, locator, stat, want, limit, &mut retries).await?;
        self.remember(locator, version, &fetched).await?;
        Ok(fetched)
    }

    async fn remember(&self, locator: &Locator, version: Option<String>, fetched: &Fetched) -> Result<()> {
        let reference = Ref::now(locator, version, fetched.digest, fetched.size);
        self.cache.remember(&locator.key(), reference).await
    }

    async fn stat(&self, source: &dyn Source, locator: &Locator, retries: &mut Retries) -> Result<Stat, Fault> {
        let answer = self.options.timeouts.answer;
        loop {
            let fault = match tokio::time::timeout(answer, source.stat(locator)).await {
                Ok(Ok(stat)) => return Ok(stat),
                Ok(Err(fault)) => fault,
                Err(_) => too_slow(locator, answer).into(),
            };
            retries.wait(fault).await?;
        }
    }

    /// What is in the cache under `digest`, if it is within `limit`.
    async fn cached(
        &self,
        digest: Digest,
        limit: u64,
        outcome: Outcome,
        note: Option<Error>,
    ) -> Result<Option<Fetched>> {
        let Some(lease) = self.cache.lease(&digest).await? else { return Ok(None) };
        let size = lease.size().unwrap_or(u64::MAX);
        let fetched = Fetched { path: self.cache.path(&digest), digest, size, outcome, note, lease };
        Ok((size <= limit).then_some(fetched))
    }

    /// What the locator gave before, as its source cannot be asked because of `error`.
    async fn unreachable(&self, locator: &Locator, want: Option<Digest>, limit: u64, error: Error) -> Result<Fetched> {
        let Some(known) = self.cache.recall(&locator.key()).await else { return Err(error) };
        if want.is_some_and(|want| want != known.digest) {
            return Err(error);
        }
        let message = format!("{locator} cannot be reached; what it gave at {} is used", known.fetched_at);
        let note = Error::new(Code::SourceOffline, message)
            .hint("see why below; nothing has to be done if the source comes back")
            .with_details(vec![error.clone()]);
        self.cached(known.digest, limit, Outcome::Offline, Some(note.clone())).await?.map_or(Err(error), |fetched| {
            tracing::warn!(%note, "a source cannot be reached");
            Ok(fetched)
        })
    }
}

/// The digest that the bytes must have: what is wanted and what the source states must be the same.
fn agreed(locator: &Locator, want: Option<Digest>, stated: Option<Digest>) -> Result<Option<Digest>> {
    match (want, stated) {
        (Some(want), Some(stated)) if want != stated => {
            Err(Error::new(Code::DigestMismatch, format!("{locator} has the digest {stated}, not {want}"))
                .hint("what lies there is not what was published; fix the index, or find out who replaced it"))
        }
        _ => Ok(want.or(stated)),
    }
}

fn too_slow(locator: &Locator, limit: std::time::Duration) -> Error {
    Error::new(Code::FetchFailed, format!("{locator} was too slow: it took more than {limit:?}"))
        .hint("check the network and the server")
}
