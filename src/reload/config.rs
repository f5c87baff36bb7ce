//! What a reloader is told.

use std::path::PathBuf;
use std::time::Duration;

use crate::id::Id;
use crate::ingest::Locator;
use crate::ingest::locator::Scheme;
use crate::pack::LoadOptions;

/// Which packs run, and how a reloader goes about it.
#[derive(Clone, Debug)]
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

    fn of(source: PackSource, interval: Option<Duration>) -> Self {
        Self {
            source,
            scheme: Scheme::Fs,
            interval,
            watch_files: true,
            allow_downgrade: false,
            state_dir: None,
            options: LoadOptions::default(),
        }
    }
}
