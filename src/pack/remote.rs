//! Components that a pack names and does not hold: which they are, where they were published, and what pins them.
//!
//! Nothing is fetched here. Who fetches gives the files back as [`LoadOptions::fetched`], and loading compares them with
//! every digest that the pack states.

use std::path::Path;

use crate::error::{Code, Error, Result};
use crate::id::{Id, clip};
use crate::pack::LoadOptions;
use crate::pack::load::{Whole, open};
use crate::pack::resolve::{self, Wanted};

/// A component that lies outside of its pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteComponent {
    /// Its id.
    pub id: Id,
    /// Where it was published, as the pack writes it: `oci://registry/repository:tag`, `https://…`.
    pub reference: String,
    /// The digests of its bytes that the pack states, as written: `sha256:` or `blake3:` and hex, or hex of SHA-256.
    /// Empty only if `reference` itself ends in the digest of a registry's artifact.
    pub digests: Vec<String>,
    /// Whether the pack cannot be loaded without it. What only a lock file names is dispensable.
    pub required: bool,
}

/// The components of the pack at `path` that have to be fetched.
pub(super) fn components(path: &Path, options: &LoadOptions) -> Result<Vec<RemoteComponent>> {
    let Whole::Opened(opened) = open(path, options)? else { return Ok(Vec::new()) };
    let absent = opened
        .described
        .wanted
        .iter()
        .filter(|wanted| wanted.source.is_elsewhere() && !resolve::is_here(wanted, &*opened.files, options));
    let (mut remote, mut findings) = (Vec::new(), Vec::new());
    for wanted in absent {
        let digests: Vec<_> = wanted.source.of_bytes().map(|stated| stated.digest.clone()).collect();
        if digests.is_empty() && wanted.source.artifact().is_none() {
            findings.extend(wanted.required.then(|| unpinned(wanted).in_file(path)));
            continue;
        }
        let (id, reference) = (wanted.id.clone(), wanted.source.published.clone());
        remote.push(RemoteComponent { id, reference, digests, required: wanted.required });
    }
    if findings.is_empty() {
        return Ok(remote);
    }
    Err(Error::from_many(Code::ComponentUnpinned, "components of the pack are not pinned by a digest", findings))
}

fn unpinned(wanted: &Wanted) -> Error {
    let message = format!(
        "component {:?} is to be fetched from {:?}, and no digest says what has to come from there",
        wanted.id,
        clip(&wanted.source.published)
    );
    Error::new(Code::ComponentUnpinned, message).hint(
        "a tag may be moved: have the pack's tools resolve it, so that pack.lock or component_sources states the digest, \
         or put the file into the pack",
    )
}
