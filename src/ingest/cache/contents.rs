//! What lies in the cache.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use super::writer::UNFINISHED;
use super::{Cache, refs};
use crate::pack::model::Digest;

/// What a cache holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Its directory.
    pub dir: PathBuf,
    /// How many bytes its files have together.
    pub bytes: u64,
    /// How many it may hold.
    pub max_bytes: u64,
    /// Its files, the one that was used last first.
    pub entries: Vec<Entry>,
}

/// A file of the cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What kind of file it is.
    pub kind: EntryKind,
    /// The digest of what was fetched; the name of a compiled component.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was used last, in RFC 3339.
    pub last_used: String,
    /// The locators that gave it when they were asked last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locators: Vec<String>,
    #[serde(skip)]
    pub(super) path: PathBuf,
    #[serde(skip)]
    pub(super) used: SystemTime,
}

/// A kind of file in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// What was fetched.
    Fetched,
    /// A component, compiled.
    Compiled,
}

impl Contents {
    pub(super) fn of(cache: &Cache) -> io::Result<Self> {
        let mut locators: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
        for (_, reference) in refs::all(&cache.0.refs)? {
            locators.entry(reference.digest).or_default().push(reference.locator);
        }
        let mut entries = Vec::new();
        for mut entry in files(&cache.0.blobs, EntryKind::Fetched)? {
            let Some(digest) = Digest::parse(&entry.name) else { continue };
            entry.name = digest.to_string();
            entry.locators = locators.remove(&digest).unwrap_or_default();
            entry.locators.sort();
            entry.locators.dedup();
            entries.push(entry);
        }
        entries.extend(files(&cache.0.compiled, EntryKind::Compiled)?);
        entries.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.name.cmp(&b.name)));
        let bytes = entries.iter().map(|entry| entry.bytes).sum();
        Ok(Self { dir: cache.dir().to_owned(), bytes, max_bytes: cache.max_bytes(), entries })
    }
}

/// How many bytes the files of `cache` have together.
pub(super) fn size(cache: &Cache) -> io::Result<u64> {
    let (blobs, compiled) =
        (files(&cache.0.blobs, EntryKind::Fetched)?, files(&cache.0.compiled, EntryKind::Compiled)?);
    Ok(blobs.iter().chain(&compiled).map(|entry| entry.bytes).sum())
}

/// The files in `dir`. What vanishes meanwhile is not there.
fn files(dir: &Path, kind: EntryKind) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(meta) = entry.metadata() else { continue };
        // The engine's unfinished files begin with a dot as well.
        if !meta.is_file() || name.starts_with(UNFINISHED) || name.starts_with('.') {
            continue;
        }
        let used = meta.modified()?;
        let last_used = jiff::Timestamp::try_from(used).map(text).unwrap_or_default();
        found.push(Entry { kind, name, bytes: meta.len(), last_used, locators: Vec::new(), path: entry.path(), used });
    }
    Ok(found)
}

/// A time in RFC 3339, to the second.
pub(super) fn text(at: jiff::Timestamp) -> String {
    jiff::Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
