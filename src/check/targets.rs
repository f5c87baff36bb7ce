//! What a path that the user gives stands for: itself, or the components and packs that lie in a directory.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};
use crate::pack::{self, LoadOptions, Pack};

/// Directories that are searched no further, beside the hidden ones: what lies there is built anew or not one's own.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// How deep directories are searched.
const DEPTH: usize = 16;

/// How many files and directories are looked at below one path.
const ENTRIES: usize = 20_000;

/// Something to check.
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) content: Expanded,
}

/// What a path turned out to be.
pub(super) enum Expanded {
    /// The file of a component, binary or text.
    Component,
    /// A pack, or why it is none that loads.
    Pack(Box<Result<Pack>>),
}

/// The targets behind `path`, sorted by name where it is a directory of several.
pub(super) fn expand(path: &Path, options: &LoadOptions) -> Result<Vec<Target>> {
    let metadata = fs::metadata(path).map_err(|error| {
        Error::new(Code::Io, format!("{} cannot be opened: {error}", path.display()))
            .hint("give a .wasm or .wat component, a .gtpack, a directory with a pack, or one with several of these")
    })?;
    if !metadata.is_dir() {
        return Ok(vec![file(path, options)]);
    }
    let loaded = load(path, options);
    if loaded.as_ref().err().is_none_or(|error| error.code() != Code::PackKind) {
        return Ok(vec![Target { path: path.to_owned(), content: Expanded::Pack(Box::new(loaded)) }]);
    }
    let mut found = Vec::new();
    search(path, 0, &mut 0, &mut found)?;
    if found.is_empty() {
        let message = format!("{} holds nothing that can be checked", path.display());
        return Err(Error::new(Code::PackKind, message)
            .hint("give a directory with a pack, or one with .wasm, .wat or .gtpack files"));
    }
    Ok(found.into_iter().map(|path| file(&path, options)).collect())
}

fn file(path: &Path, options: &LoadOptions) -> Target {
    let content = match is_component(path) {
        true => Expanded::Component,
        false => Expanded::Pack(Box::new(load(path, options))),
    };
    Target { path: path.to_owned(), content }
}

/// A pack that is to be looked at and not run.
fn load(path: &Path, options: &LoadOptions) -> Result<Pack> {
    pack::load(path, &LoadOptions { keep_going: true, ..options.clone() })
}

/// Whether a file of this name is taken for a component.
pub(super) fn is_component(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm" || extension == "wat")
}

/// Components and packs below `folder`. A directory that holds a pack's description is that pack.
fn search(folder: &Path, depth: usize, seen: &mut usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable = |error: std::io::Error| {
        Error::new(Code::Io, format!("{} cannot be read: {error}", folder.display()))
            .hint("see that this user may read it")
    };
    let mut entries = fs::read_dir(folder).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    *seen += entries.len();
    if *seen > ENTRIES || depth > DEPTH {
        let message = format!("{} holds too much to search it", folder.display());
        return Err(Error::new(Code::TooLarge, message).hint("name the files or the packs themselves"));
    }
    entries.sort_unstable_by_key(fs::DirEntry::file_name);
    for entry in entries {
        // Symbolic links are not followed: they may lead round in circles, or out of what was given.
        let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if kind.is_file() && (is_component(&path) || path.extension().is_some_and(|extension| extension == "gtpack")) {
            found.push(path);
        } else if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&&*name) {
            if pack::is_directory(&path) { found.push(path) } else { search(&path, depth + 1, seen, found)? }
        }
    }
    Ok(())
}
