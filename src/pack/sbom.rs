//! The bill of materials: every file of a pack with its size and hash.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::pack::cbor;
use crate::pack::files::Files;
use crate::pack::limits::Limits;
use crate::pack::manifest::FINDINGS_KEPT as KEPT;
use crate::pack::names;

/// The name of its file.
pub const FILE: &str = "sbom.cbor";

/// The names that it has in packs that are read, older ones last.
pub(super) const FILES: [&str; 2] = [FILE, "sbom.json"];

/// The format that is read and written.
const FORMAT: &str = "greentic-sbom-v1";

/// Files that it never lists: itself, and what signs it.
const UNLISTED: [&str; 4] = [FILES[0], FILES[1], "signatures/pack.sig", "signatures/chain.pem"];

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
    #[serde(default)]
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

    /// Reads a bill of materials, in CBOR or JSON.
    ///
    /// # Errors
    ///
    /// `ManifestInvalid` or `TooLarge`.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self> {
        let invalid = |error: serde_json::Error| Error::new(Code::ManifestInvalid, error.to_string());
        let sbom: Self = match bytes.trim_ascii_start().first() {
            Some(b'{') if bytes.len() as u64 > limits.manifest => {
                let message = format!("it is larger than the limit of {} bytes", limits.manifest);
                return Err(Error::new(Code::TooLarge, message));
            }
            Some(b'{') => serde_json::from_slice(bytes).map_err(invalid)?,
            _ => serde_json::from_value(cbor::decode(bytes, limits)?).map_err(invalid)?,
        };
        if sbom.format == FORMAT {
            return Ok(sbom);
        }
        Err(Error::new(Code::ManifestInvalid, format!("its format is {:?}, not {FORMAT}", clip(&sbom.format))))
    }
}

/// Adds a bill of `entries` to them.
pub(super) fn add(entries: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    let bill = Sbom::of(&*entries).encode()?;
    entries.insert(FILE.to_owned(), bill);
    Ok(())
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("cbor") => "application/cbor",
        Some("wasm") => "application/wasm",
        _ => mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream"),
    }
}

/// Compares a pack with its bill of materials and says all that differs. What that means is for the caller to say:
/// a bill that nobody signed proves nothing, and packs with stale entries circulate. In a directory (which is not
/// `whole`) files may be missing and further ones lie about.
pub(super) fn compare(files: &mut dyn Files, limits: &Limits, whole: bool) -> Result<Vec<Error>> {
    let Some(name) = FILES.into_iter().find(|name| files.has(name)) else { return Ok(Vec::new()) };
    let place = files.place(name);
    let note = |code, message: String| Error::new(code, message).in_file(&place);
    let sbom = match Sbom::decode(&files.read(name)?, limits) {
        Ok(sbom) => sbom,
        Err(error) => {
            return Ok(vec![note(error.code(), format!("the bill of materials cannot be read: {}", error.message()))]);
        }
    };
    let mut unlisted: BTreeSet<_> = if whole { files.list("")?.into_iter().collect() } else { BTreeSet::new() };
    let mut notes = Vec::new();
    for entry in &sbom.files {
        let shown = clip(&entry.path);
        let there = if whole { unlisted.remove(&entry.path) } else { is_file(&entry.path, files, limits) };
        if !there {
            if whole {
                notes.push(note(Code::SbomMismatch, format!("{shown:?} is listed and does not exist")));
            }
            continue;
        }
        let measure = files.measure(&entry.path)?;
        if !measure.hash.to_hex().as_str().eq_ignore_ascii_case(&entry.hash_blake3) {
            notes.push(note(Code::SbomMismatch, format!("{shown:?} differs from its listed hash")));
        } else if measure.size != entry.size {
            let message = format!("{shown:?} has {} bytes, {} are listed", measure.size, entry.size);
            notes.push(note(Code::SbomMismatch, message));
        }
        if notes.len() >= KEPT {
            return Ok(notes);
        }
    }
    let unlisted = unlisted.iter().filter(|name| !UNLISTED.contains(&name.as_str())).take(KEPT - notes.len());
    notes.extend(unlisted.map(|name| note(Code::SbomMismatch, format!("{:?} is not listed", clip(name)))));
    Ok(notes)
}

/// A bill of materials names what it likes; only what can be a file of the pack is looked for.
fn is_file(name: &str, files: &dyn Files, limits: &Limits) -> bool {
    names::check(name.as_bytes(), limits).is_ok() && files.has(name)
}
