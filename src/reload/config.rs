//! What a reloader is told.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::id::Id;
use crate::ingest::fetch::Progress;
use crate::ingest::locator::Scheme;
use crate::ingest::{Cache, FetchOptions, Locator};
use crate::pack::LoadOptions;

/// Which packs run, and how a reloader goes about it.
#[derive(Clone)]
pub struct ReloadConfig {
    /// Where it is said which packs run.
    pub source: PackSource,
    /// The scheme of locators that name none.
    pub scheme: Scheme,
    /// How often to look; none looks only when files change or somebody asks.
    pub interval: Option<Duration>,
    /// Whether files of this machine are watched.
    pub watch_files: bool,
    /// Whether a pack may be replaced by an older version of it.
    pub allow_downgrade: bool,
    /// A directory that is the host's own, for what has to outlive the process; none remembers it in memory.
    pub state_dir: Option<PathBuf>,
    /// How packs are read, and where components lie besides them.
    pub options: LoadOptions,
    /// The directory of the cache, which is made once something has to be fetched.
    pub cache_dir: PathBuf,
    /// What the cache holds at most, in bytes.
    pub cache_bytes: u64,
    /// How packs are fetched.
    pub fetch: FetchOptions,
    /// Is told how far downloads are.
    pub progress: Option<Arc<dyn Progress>>,
}

/// Where it is said which packs run.
#[derive(Clone, Debug)]
pub enum PackSource {
    /// An index.
    Index(Locator),
    /// Packs of this machine, by tenant.
    Fixed(Vec<(Id, PathBuf)>),
}

impl ReloadConfig {
    /// A reloader of these packs of this machine, which looks at them when their files change.
    pub fn fixed(packs: Vec<(Id, PathBuf)>) -> Self {
        Self::of(PackSource::Fixed(packs), None)
    }

    /// A reloader of what the index at `locator` says, which looks every 30 seconds and when files change.
    pub fn index(locator: Locator) -> Self {
        Self::of(PackSource::Index(locator), Some(Duration::from_secs(30)))
    }

    /// The cache, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// `CacheDirectory` if it cannot be used.
    pub fn cache(&self) -> Result<Cache> {
        Cache::open(&self.cache_dir, self.cache_bytes)
    }

    fn of(source: PackSource, interval: Option<Duration>) -> Self {
        Self {
            source,
            scheme: Scheme::Fs,
            interval,
            watch_files: true,
            allow_downgrade: false,
            state_dir: None,
            options: LoadOptions::default(),
            cache_dir: Cache::DEFAULT_DIR.into(),
            cache_bytes: Cache::DEFAULT_MAX_BYTES,
            fetch: FetchOptions::default(),
            progress: None,
        }
    }
}

impl fmt::Debug for ReloadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReloadConfig")
            .field("source", &self.source)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
