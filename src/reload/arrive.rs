//! From what an index says about a pack to the pack's digest, and to the pack.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use semver::Version;

use super::Inner;
use super::listing::Listing;
use super::packs;
use crate::error::{Code, Error, Kind, Result};
use crate::ingest::index::PackEntry;
use crate::ingest::locator::{Base, Scheme};
use crate::ingest::{Locator, Origin};
use crate::pack::model::{Digest, Pack};
use crate::pack::{self, LoadOptions};

/// What was stated about a pack, and what was found. Equal ones need no work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) digest: Digest,
    pub(super) pinned: bool,
    pub(super) version: Option<Version>,
    pub(super) signature: Option<String>,
}

/// A pack whose bytes are on this machine.
pub(super) struct Arrived {
    pub(super) statement: Statement,
    pub(super) locator: Locator,
    /// None until it is needed.
    pack: Option<Arc<Pack>>,
}

impl Inner {
    /// Sees to it that the bytes of a pack are on this machine. What `runs` already is not looked for.
    pub(super) async fn arrive(
        &self,
        entry: &PackEntry,
        listing: &Listing,
        runs: Option<Digest>,
        look: bool,
    ) -> Result<Arrived> {
        let places = self.places(entry, listing)?;
        let arrived = |locator: Locator, digest, pack| Arrived {
            statement: Statement {
                digest,
                pinned: entry.digest.is_some(),
                version: entry.version.clone(),
                signature: entry.signature.clone(),
            },
            locator,
            pack,
        };
        if let (Some(digest), Some(locator)) = (runs.filter(|runs| entry.digest == Some(*runs)), places.first()) {
            return Ok(arrived(locator.clone(), digest, None));
        }
        let mut failed = None;
        for locator in places {
            match self.bring(&locator, entry.digest, listing.origin, look).await {
                Ok((digest, pack)) => return Ok(arrived(locator, digest, pack)),
                // What is not there may be elsewhere; what is refused is refused.
                Err(error) if may_be_elsewhere(&error) => {
                    failed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| Error::new(Code::NotFound, "the index names no place of the pack")))
    }

    /// Where a pack may lie, in the order in which it is looked for.
    pub(super) fn places(&self, entry: &PackEntry, listing: &Listing) -> Result<Vec<Locator>> {
        let scheme = self.config.scheme;
        let locator = entry.locator.iter().map(|text| Locator::parse(text, &listing.base, scheme));
        let path = entry.path.iter().map(|text| Locator::parse(text, &listing.base, Scheme::Fs));
        locator.chain(path).collect()
    }

    async fn bring(
        &self,
        locator: &Locator,
        digest: Option<Digest>,
        origin: Origin,
        look: bool,
    ) -> Result<(Digest, Option<Arc<Pack>>)> {
        if let Locator::Fs(path) = locator {
            let options = LoadOptions { expected: digest, ..self.config.options.clone() };
            let found = self.packs.local(path, &options, look).await?;
            return match digest {
                Some(stated) if stated != found.digest => Err(pack::another_digest(stated, found.digest).in_file(path)),
                _ => Ok((found.digest, found.pack)),
            };
        }
        let fetched = self.fetcher.fetch(locator, digest, origin).await?;
        Ok((fetched.digest, None))
    }

    /// The pack itself.
    pub(super) async fn read(&self, arrived: &Arrived) -> Result<Arc<Pack>> {
        if let Some(pack) = &arrived.pack {
            return Ok(Arc::clone(pack));
        }
        let digest = arrived.statement.digest;
        if let Locator::Fs(path) = &arrived.locator {
            let options = LoadOptions { expected: Some(digest), ..self.config.options.clone() };
            return self.packs.open(path, &options).await;
        }
        self.packs.share(digest, self.read_fetched(arrived)).await
    }

    async fn read_fetched(&self, arrived: &Arrived) -> Result<Pack> {
        let bytes = self.fetcher.cache().bytes(&arrived.statement.digest).await?;
        let (shown, mut options) = (arrived.locator.to_string(), self.config.options.clone());
        options.fetched = self.components(&bytes, &arrived.locator, &options).await?;
        packs::from_bytes(bytes, shown, options).await
    }

    /// The components that a pack names and does not hold. A pack says where they lie, so whoever made it, and not
    /// this machine's operator: places inside the operator's network are none of its business.
    async fn components(
        &self,
        bytes: &bytes::Bytes,
        locator: &Locator,
        options: &LoadOptions,
    ) -> Result<BTreeMap<crate::id::Id, bytes::Bytes>> {
        let (bytes, shown, options) = (bytes.clone(), locator.to_string(), options.clone());
        let wanted = packs::blocking(move || pack::remote_components(bytes, &shown, &options)).await?;
        let mut found = BTreeMap::new();
        for component in wanted {
            let place = Locator::parse(&component.reference, &Base::of(locator), Scheme::Oci)?;
            let fetched = self.fetcher.fetch(&place, component.sha256(), Origin::Remote).await;
            let fetched = fetched.map_err(|e| e.in_file(locator.to_string()))?;
            found.insert(component.id, self.fetcher.cache().bytes(&fetched.digest).await?);
        }
        Ok(found)
    }
}

fn may_be_elsewhere(error: &Error) -> bool {
    matches!(error.code(), Code::NotFound | Code::Io) || error.code().kind() == Kind::Unavailable
}

