//! The bill of materials: every file of a pack with its size and hash.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::pack::cbor;
use crate::pack::files::Files;
use crate::pack::limits::Limits;
use crate::pack::manifest::Findings;
use crate::pack::{names, signature};
use crate::trust::SbomState;

/// The name of its file.
pub const FILE: &str = "sbom.cbor";

/// The names that it has in packs that are read, older ones last.
pub(super) const FILES: [&str; 2] = [FILE, "sbom.json"];

/// The format that is read and written.
const FORMAT: &str = "greentic-sbom-v1";

/// Files that it never lists: itself, and what signs it.
const UNLISTED: [&str; 4] = [FILES[0], FILES[1], signature::FILE, signature::CHAIN];

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

/// How a pack compares with its bill of materials.
#[derive(Default)]
pub(super) struct Compared {
    /// What that means; who judges packs says what of it.
    pub(super) state: SbomState,
    /// The bill, as bytes and as read; none if there is none that can be read.
    pub(super) read: Option<(Vec<u8>, Sbom)>,
    /// What of a directory the bill does not cover: nothing odd, but nothing that was signed either.
    pub(super) uncovered: Option<Error>,
}

/// Compares a pack with its bill of materials and says all that differs. What that means is for the caller to say:
/// a bill that nobody signed proves nothing, and packs with stale entries circulate. In a directory (which is not
/// `whole`) files may be missing and further ones lie about.
pub(super) fn compare(files: &mut dyn Files, limits: &Limits, whole: bool) -> Result<Compared> {
    let Some(name) = FILES.into_iter().find(|name| files.has(name)) else { return Ok(Compared::default()) };
    let place = files.place(name);
    let bytes = files.read(name)?;
    let sbom = match Sbom::decode(&bytes, limits) {
        Ok(sbom) => sbom,
        Err(error) => {
            let message = format!("the bill of materials cannot be read: {}", error.message());
            let state = SbomState::Differs(vec![Error::new(error.code(), message).in_file(&place)]);
            return Ok(Compared { state, ..Compared::default() });
        }
    };
    let mut notes = Findings::new(Code::SbomMismatch, &place);
    listed(&sbom, files, limits, whole, &mut notes)?;
    let mut uncovered = None;
    if whole {
        unlisted(&sbom, files.list("")?).for_each(|note| notes.push(note));
    } else {
        let gone = sbom.files.iter().map(|entry| &entry.path).find(|path| !is_file(path, files, limits));
        let gone = gone.map(|path| mismatch(format!("{:?} is listed and does not exist", clip(path))));
        // What nobody read cannot matter.
        let used: Vec<_> = files.ledger().names().map(str::to_owned).collect();
        uncovered = gone.or_else(|| unlisted(&sbom, used).next()).map(|error| error.in_file(&place));
    }
    let notes = notes.into_notes();
    let state = if notes.is_empty() { SbomState::Matches } else { SbomState::Differs(notes) };
    Ok(Compared { state, read: Some((bytes, sbom)), uncovered })
}

fn mismatch(message: String) -> Error {
    Error::new(Code::SbomMismatch, message)
}

/// What is not as it is listed.
fn listed(sbom: &Sbom, files: &mut dyn Files, limits: &Limits, whole: bool, notes: &mut Findings) -> Result<()> {
    let mut seen = BTreeSet::new();
    for entry in &sbom.files {
        let shown = clip(&entry.path);
        if !seen.insert(&entry.path) {
            notes.push(mismatch(format!("{shown:?} is listed twice")));
        } else if is_file(&entry.path, files, limits) {
            let measure = files.measure(&entry.path)?;
            if !measure.hash.to_hex().as_str().eq_ignore_ascii_case(&entry.hash_blake3) {
                notes.push(mismatch(format!("{shown:?} differs from its listed hash")));
            } else if measure.size != entry.size {
                notes.push(mismatch(format!("{shown:?} has {} bytes, {} are listed", measure.size, entry.size)));
            }
        } else if whole {
            notes.push(mismatch(format!("{shown:?} is listed and does not exist")));
        }
    }
    Ok(())
}

/// What is there and is not listed.
fn unlisted(sbom: &Sbom, names: Vec<String>) -> impl Iterator<Item = Error> {
    let known: BTreeSet<_> = sbom.files.iter().map(|entry| entry.path.as_str()).collect();
    let others =
        names.into_iter().filter(move |name| !known.contains(name.as_str()) && !UNLISTED.contains(&name.as_str()));
    others.map(|name| mismatch(format!("{:?} is not listed", clip(&name))))
}

/// A bill of materials names what it likes; only what can be a file of the pack is looked for.
fn is_file(name: &str, files: &dyn Files, limits: &Limits) -> bool {
    names::check(name.as_bytes(), limits).is_ok() && files.has(name)
}
