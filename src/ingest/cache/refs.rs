//! What locators gave.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::contents;
use super::writer::unfinished;
use crate::ingest::locator::Locator;
use crate::pack::model::Digest;

/// The largest file that is read, in bytes.
const MAX_LEN: u64 = 64 << 10;

/// What a locator gave when it was fetched last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ingest) struct Ref {
    /// The locator, as it may be shown.
    pub(in crate::ingest) locator: String,
    /// The version that its source named, if it named one.
    pub(in crate::ingest) version: Option<String>,
    /// The content's digest.
    #[serde(with = "digest_text")]
    pub(in crate::ingest) digest: Digest,
    /// The content's size in bytes.
    pub(in crate::ingest) size: u64,
    /// When that was, in RFC 3339.
    pub(in crate::ingest) fetched_at: String,
}

/// The name of the file for a locator's key, of which it shows nothing.
pub(super) fn name(key: &str) -> String {
    format!("{}.json", hex::encode(Sha256::digest(key)))
}

impl Ref {
    /// What `locator` gives now.
    pub(in crate::ingest) fn now(locator: &Locator, version: Option<String>, digest: Digest, size: u64) -> Self {
        let fetched_at = contents::text(jiff::Timestamp::now());
        Self { locator: locator.to_string(), version, digest, size, fetched_at }
    }

    pub(super) fn read(path: &Path) -> Option<Self> {
        let mut text = Vec::new();
        File::open(path).ok()?.take(MAX_LEN).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(super) fn write(&self, dir: &Path, name: &str) -> io::Result<()> {
        let mut file = unfinished(dir)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.as_file().sync_all()?;
        file.persist(dir.join(name)).map(drop).map_err(|e| e.error)
    }
}

/// Every reference in `dir`, with its file's name.
pub(super) fn all(dir: &Path) -> io::Result<Vec<(fs::DirEntry, Ref)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        found.extend(Ref::read(&entry.path()).map(|reference| (entry, reference)));
    }
    Ok(found)
}

mod digest_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::pack::model::Digest;

    pub(super) fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(digest)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        Digest::parse(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("no SHA-256 digest"))
    }
}
