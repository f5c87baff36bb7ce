//! The fetcher, made once something has to be fetched: who serves packs of this machine needs no cache.

use std::sync::OnceLock;

use super::ReloadConfig;
use crate::error::Result;
use crate::ingest::Fetcher;
use crate::ingest::fetch::FetchCounts;

/// A fetcher that is made when it is needed.
#[derive(Default)]
pub(super) struct Fetching(OnceLock<Fetcher>);

impl Fetching {
    /// How packs and indexes were come by.
    pub(super) fn counts(&self) -> FetchCounts {
        self.0.get().map(Fetcher::counts).unwrap_or_default()
    }

    /// The fetcher.
    pub(super) fn get(&self, config: &ReloadConfig) -> Result<&Fetcher> {
        if let Some(made) = self.0.get() {
            return Ok(made);
        }
        let cache = config.cache()?;
        let fetcher = match &config.progress {
            Some(progress) => Fetcher::with_progress(cache, config.fetch.clone(), progress.clone())?,
            None => Fetcher::new(cache, config.fetch.clone())?,
        };
        Ok(self.0.get_or_init(|| fetcher))
    }
}
