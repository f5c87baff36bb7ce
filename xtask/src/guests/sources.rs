//! Which guests there are, and a digest over all that one is made of.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// How a guest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A crate of the fixtures' workspace.
    Rust,
    /// A crate on the published SDK, in a workspace beside others of the same version.
    Sdk,
    /// A WAT file.
    Wat,
}

/// A guest.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    /// Its name: that of the crate, or of the file.
    pub(super) name: String,
    /// How it is written.
    pub(super) kind: Kind,
    /// The crate's directory, or the file.
    pub(super) path: PathBuf,
}

/// Every guest, by name. A crate is a guest if it makes a `cdylib`; others are what guests share.
pub(super) fn find(fixtures: &Path) -> Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for path in entries(fixtures)? {
        if is_guest_crate(&path)? {
            guests.push(Guest { name: name_of(&path)?, kind: Kind::Rust, path });
        }
    }
    for path in entries(&fixtures.join("wat"))? {
        if path.extension().is_some_and(|extension| extension == "wat") {
            guests.push(Guest { name: name_of(&path)?, kind: Kind::Wat, path });
        }
    }
    for workspace in sdk_workspaces(fixtures)? {
        for path in entries(&workspace)? {
            if is_guest_crate(&path)? {
                guests.push(Guest { name: name_of(&path)?, kind: Kind::Sdk, path });
            }
        }
    }
    guests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(guests)
}

/// The workspaces of guests on the published SDK, one per version of it.
pub(super) fn sdk_workspaces(fixtures: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(&fixtures.join(SDK))?.into_iter().filter(|path| path.join("Cargo.toml").is_file()).collect())
}

/// Where they lie.
const SDK: &str = "sdk";

fn is_guest_crate(path: &Path) -> Result<bool> {
    let manifest = path.join("Cargo.toml");
    Ok(manifest.is_file() && read(&manifest)?.windows(8).any(|window| window == b"\"cdylib\""))
}

/// A digest over what all guests depend on.
pub(super) fn digest_shared(fixtures: &Path, wit: &Path, compiler: &str) -> Result<Sha256> {
    let mut hasher = Sha256::new();
    hasher.update(compiler);
    for package in entries(wit)?.into_iter().filter(|path| path.is_dir()) {
        hash_tree(&mut hasher, &package)?;
    }
    for path in entries(fixtures)? {
        let is_other = path.file_name().is_some_and(|name| name == "target" || name == "wat" || name == SDK);
        if path.is_file() || (!is_other && !is_guest_crate(&path)?) {
            hash_tree(&mut hasher, &path)?;
        }
    }
    Ok(hasher)
}

/// A digest over all that `guest` is made of.
pub(super) fn digest(guest: &Guest, shared: &Sha256) -> Result<String> {
    let mut hasher = shared.clone();
    if guest.kind == Kind::Sdk {
        let workspace = guest.path.parent().context("a guest on the SDK lies in a workspace")?;
        for directory in workspace.parent().into_iter().chain([workspace]) {
            for file in entries(directory)?.into_iter().filter(|path| path.is_file()) {
                hash_tree(&mut hasher, &file)?;
            }
        }
    }
    hash_tree(&mut hasher, &guest.path)?;
    Ok(hex::encode(hasher.finalize()))
}

fn hash_tree(hasher: &mut Sha256, path: &Path) -> Result<()> {
    if path.is_dir() {
        for entry in entries(path)? {
            hash_tree(hasher, &entry)?;
        }
        return Ok(());
    }
    let content = read(path)?;
    hasher.update(name_of(path)?);
    hasher.update((content.len() as u64).to_le_bytes());
    hasher.update(content);
    Ok(())
}

/// What a directory holds, sorted, hidden entries left out.
fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn name_of(path: &Path) -> Result<String> {
    let name = path.file_stem().and_then(|name| name.to_str());
    Ok(name.with_context(|| format!("{} has no name in UTF-8", path.display()))?.to_owned())
}
