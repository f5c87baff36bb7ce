//! Published crates that tests read or compile, and that nothing else needs: the guests on the published SDK, and the
//! crates that components ship in. Each manifest has a lock file; cargo fetches what it names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Missing;
use crate::cargo::cargo;
use crate::guests;

/// What the names of the tests that need them contain.
const MARKER: &str = "published::";

/// Fetches what is not here yet, and says which tests cannot run if that does not succeed.
pub(super) fn missing() -> Result<Option<Missing>> {
    let mut manifests = guests::sdk_manifests()?;
    manifests.extend(published()?);
    let here = manifests.iter().map(|manifest| fetch(manifest)).collect::<Result<Vec<_>>>()?;
    Ok((!here.into_iter().all(|fetched| fetched)).then(|| Missing {
        marker: MARKER,
        what: "published crates, which cannot be fetched: connect this machine to the registry, or fetch them from a \
               mirror of it"
            .to_owned(),
    }))
}

/// The manifests that name the crates that components ship in.
fn published() -> Result<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in no workspace")?;
    let directory = root.join("tests/interop/published");
    let mut manifests = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("{} cannot be read", directory.display()))? {
        manifests.push(entry?.path().join("Cargo.toml"));
    }
    manifests.retain(|manifest| manifest.is_file());
    manifests.sort();
    Ok(manifests)
}

/// Whether all that `manifest` needs is here now. What was fetched once needs no network.
fn fetch(manifest: &Path) -> Result<bool> {
    let mut cargo = cargo();
    cargo.args(["fetch", "--quiet", "--locked", "--manifest-path"]).arg(manifest);
    Ok(cargo.status().context("cargo cannot be started")?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_is_locked() {
        let manifests = [guests::sdk_manifests().unwrap(), published().unwrap()].concat();
        assert!(manifests.len() >= 4, "{manifests:?}");
        for manifest in manifests {
            assert!(manifest.with_file_name("Cargo.lock").is_file(), "{}", manifest.display());
        }
    }
}
