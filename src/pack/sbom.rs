//! The bill of materials: every file of a pack with its size and hash.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::pack::cbor;
use crate::pack::files::Files;
use crate::pack::limits::Limits;

/// The name of its file.
pub const FILE: &str = "sbom.cbor";

/// The format that is read and written.
const FORMAT: &str = "greentic-sbom-v1";

/// Files that it never lists: itself, and what signs it.
const UNLISTED: [&str; 4] = [FILE, "sbom.json", "signatures/pack.sig", "signatures/chain.pem"];

/// A bill of materials.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sbom {
    /// The name of its format.
    pub format: String,
    /// The files, sorted by path.
    pub files: Vec<SbomFile>,
}

/// A file in a bill of materials.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SbomFile {
    /// Its path in the pack.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Its BLAKE3 hash in lower-case hex.
    pub hash_blake3: String,
    /// Its media type.
    pub media_type: String,
}

impl Sbom {
    /// The bill of `files`, which are sorted.
    pub(super) fn of<'a>(files: impl IntoIterator<Item = (&'a String, &'a Vec<u8>)>) -> Self {
        let entry = |(path, bytes): (&String, &Vec<u8>)| SbomFile {
            path: path.clone(),
            size: bytes.len() as u64,
            hash_blake3: blake3::hash(bytes).to_hex().to_string(),
            media_type: media_type(path).to_owned(),
        };
        Self { format: FORMAT.to_owned(), files: files.into_iter().map(entry).collect() }
    }

    /// Its encoded form.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        cbor::encode(self)
    }

    /// Reads a bill of materials.
    ///
    /// # Errors
    ///
    /// `ManifestInvalid` or `TooLarge`.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self> {
        let value = cbor::decode(bytes, limits)?;
        let sbom: Self =
            serde_json::from_value(value).map_err(|error| Error::new(Code::ManifestInvalid, error.to_string()))?;
        if sbom.format == FORMAT {
            return Ok(sbom);
        }
        Err(Error::new(Code::ManifestInvalid, format!("its format is {:?}, not {FORMAT}", clip(&sbom.format))))
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("cbor") => "application/cbor",
        Some("wasm") => "application/wasm",
        _ => mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream"),
    }
}

/// Compares a pack with its bill of materials. What differs is noted and refuses nothing: packs with stale hashes
/// circulate, and a bill that nobody signed proves nothing.
pub(super) fn compare(files: &mut dyn Files, limits: &Limits) -> Result<Vec<Error>> {
    if !files.has(FILE) {
        return Ok(Vec::new());
    }
    let place = files.place(FILE);
    let note = |code, message: String| Error::new(code, message).in_file(&place);
    let sbom = match Sbom::decode(&files.read(FILE)?, limits) {
        Ok(sbom) => sbom,
        Err(error) => {
            return Ok(vec![note(error.code(), format!("the bill of materials cannot be read: {}", error.message()))]);
        }
    };
    let mut unlisted: std::collections::BTreeSet<_> = files.list("")?.into_iter().collect();
    let mut notes = Vec::new();
    for entry in &sbom.files {
        if !unlisted.remove(&entry.path) {
            notes.push(note(Code::FilesMissing, format!("{:?} is listed and does not exist", clip(&entry.path))));
            continue;
        }
        if files.hash(&entry.path)?.to_hex().as_str() != entry.hash_blake3 {
            notes.push(note(Code::DigestMismatch, format!("{:?} differs from its listed hash", clip(&entry.path))));
        }
    }
    for name in unlisted.iter().filter(|name| !UNLISTED.contains(&name.as_str())) {
        notes.push(note(Code::DigestMismatch, format!("{:?} is not listed", clip(name))));
    }
    Ok(notes)
}
