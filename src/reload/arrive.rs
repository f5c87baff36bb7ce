//! From what an index says about a pack to the pack's digest, and to the pack.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use semver::Version;

use super::Inner;
use super::listing::Listing;
use super::packs;
use crate::error::{Code, Error, Kind, Location, Result};
use crate::ingest::index::PackEntry;
use crate::ingest::locator::{Base, Scheme};
use crate::ingest::{Fetched, Locator, Origin};
use crate::pack::model::{Digest, Pack};
use crate::pack::{self, LoadOptions};
use crate::trust::StatedOrigin;

/// What was stated about a pack, and what was found. Equal ones need no work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    digest: Digest,
    pinned: bool,
    pub(super) version: Option<Version>,
    signature: Option<String>,
}

impl Statement {
    /// What the pack is judged by.
    pub(super) fn origin(&self) -> StatedOrigin {
        let digest = self.pinned.then(|| self.digest.to_string());
        StatedOrigin { digest, signature: self.signature.clone() }
    }
}

/// A pack whose bytes are on this machine.
pub(super) struct Arrived {
    pub(super) statement: Statement,
    pub(super) locator: Locator,
    /// Who named the locator.
    origin: Origin,
    held: Held,
}

/// What is there of a pack.
enum Held {
    /// It runs, so nobody looked.
    Runs,
    /// Its digest is known, and it lies here.
    File(PathBuf),
    /// It lies in the cache, which keeps it as long as this lives.
    Cached(Fetched),
    /// It was read.
    Read(Arc<Pack>),
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
        let places = entry.places(&listing.base, self.config.scheme)?;
        let (pinned, version, signature) = (entry.digest.is_some(), &entry.version, &entry.signature);
        let arrived = |locator: Locator, digest, held| Arrived {
            statement: Statement { digest, pinned, version: version.clone(), signature: signature.clone() },
            origin: listing.origin(&locator),
            locator,
            held,
        };
        if let (Some(digest), Some(locator)) = (runs.filter(|runs| entry.digest == Some(*runs)), places.first()) {
            return Ok(arrived(locator.clone(), digest, Held::Runs));
        }
        let mut failed = None;
        for locator in places {
            match self.bring(&locator, entry.digest, listing.origin(&locator), look).await {
                Ok((digest, held)) => return Ok(arrived(locator, digest, held)),
                // What is not there may be elsewhere; what is refused is refused.
                Err(error) if may_be_elsewhere(&error) => {
                    failed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| Error::new(Code::NotFound, "the index names no place of the pack")))
    }

    async fn bring(
        &self,
        locator: &Locator,
        digest: Option<Digest>,
        origin: Origin,
        look: bool,
    ) -> Result<(Digest, Held)> {
        let Locator::Fs(path) = locator else {
            let fetched = self.fetcher()?.fetch(locator, digest, origin).await?;
            return Ok((fetched.digest, Held::Cached(fetched)));
        };
        if let Some(known) = self.packs.unchanged(path, look)
            && digest.is_none_or(|stated| stated == known)
        {
            return Ok((known, Held::File(path.clone())));
        }
        let pack = self.open(path, digest, locator, true).await?;
        Ok((pack.digest, Held::Read(pack)))
    }

    /// The pack itself.
    pub(super) async fn read(&self, arrived: &Arrived) -> Result<Arc<Pack>> {
        let Arrived { statement, locator, held, .. } = arrived;
        let digest = Some(statement.digest);
        match (held, locator) {
            (Held::Read(pack), _) => Ok(Arc::clone(pack)),
            (Held::File(path), _) | (Held::Runs, Locator::Fs(path)) => self.open(path, digest, locator, true).await,
            (Held::Cached(fetched), _) => match self.open(&fetched.path, digest, locator, false).await {
                // The file in the cache is damaged.
                Err(error) if error.code() == Code::DigestMismatch => self.open_anew(arrived).await,
                opened => opened,
            },
            // A pack that runs was fetched once, and may have been put out of the cache since.
            (Held::Runs, _) => self.open_anew(arrived).await,
        }
    }

    /// Sees to it that what the cache holds is whole, and opens it.
    async fn open_anew(&self, arrived: &Arrived) -> Result<Arc<Pack>> {
        let Arrived { statement, locator, origin, .. } = arrived;
        let (fetched, _) = self.fetcher()?.fetch_bytes(locator, Some(statement.digest), *origin).await?;
        self.open(&fetched.path, Some(statement.digest), locator, false).await
    }

    /// Opens the pack at `path`, with the components that it names and does not hold.
    async fn open(&self, path: &Path, digest: Option<Digest>, locator: &Locator, own: bool) -> Result<Arc<Pack>> {
        let opened = async {
            let options = LoadOptions { expected: digest, ..self.config.options.clone() };
            if let Some(pack) = digest.and_then(|digest| self.packs.held(digest)) {
                return Ok(pack);
            }
            let components = self.components(path, locator, &options).await?;
            let fetched = components.iter().map(|(id, fetched)| (id.clone(), fetched.path.clone())).collect();
            let options = LoadOptions { fetched, ..options };
            if own { self.packs.open_own(path, &options).await } else { self.packs.open(path, &options).await }
        };
        opened.await.map_err(|error| said_of(error, path, locator))
    }

    /// The components that a pack names and does not hold. A pack says where they lie, so whoever made it, and not
    /// this machine's operator: places inside the operator's network are none of its business.
    async fn components(
        &self,
        path: &Path,
        locator: &Locator,
        options: &LoadOptions,
    ) -> Result<Vec<(crate::id::Id, Fetched)>> {
        let (path, options) = (path.to_owned(), options.clone());
        let wanted = packs::blocking(move || pack::remote_components(&path, &options)).await?;
        let mut found = Vec::with_capacity(wanted.len());
        for component in wanted {
            let digest = component.digests.iter().find_map(|stated| Digest::parse(stated));
            let place = Locator::parse(&component.reference, &Base::of(locator)?, Scheme::Oci);
            let fetched = match place {
                Ok(place) => self.fetcher()?.fetch(&place, digest, Origin::RemoteIndex).await,
                Err(error) => Err(error),
            };
            match fetched {
                Ok(fetched) => found.push((component.id, fetched)),
                Err(error) if component.required => return Err(missing(&component, error)),
                Err(error) => tracing::debug!(%error, component = %component.id, "a dispensable component is not had"),
            }
        }
        Ok(found)
    }
}

fn missing(component: &pack::RemoteComponent, cause: Error) -> Error {
    let message = format!("component {:?} of the pack cannot be fetched", component.id);
    Error::new(cause.code(), message).with_details(vec![cause])
}

fn may_be_elsewhere(error: &Error) -> bool {
    matches!(error.code(), Code::NotFound | Code::Io) || error.code().kind() == Kind::Unavailable
}

/// What was found in a file of the cache is said of where it was fetched from.
fn said_of(error: Error, path: &Path, locator: &Locator) -> Error {
    let shown = path.display().to_string();
    let Some(location) = error.location().filter(|at| at.file.starts_with(&shown)) else {
        return error.in_file(locator.to_string());
    };
    let file = location.file.replacen(&shown, &locator.to_string(), 1);
    let position = location.position;
    error.at(Location { file, position })
}
