//! ZIP archives, read within bounds.
//!
//! The directory of the archive is checked as a whole before any entry is unpacked; an entry is unpacked only when
//! it is asked for, in pieces, and stops at its limit whatever sizes the archive declares.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use bytes::Bytes;
use zip::read::{ArchiveOffset, Config, ZipFile};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::pack::files::{Files, Ledger, Measure};
use crate::pack::limits::Limits;
use crate::pack::model::Digest;
use crate::pack::names;

/// The start of every ZIP archive that is not empty, and of one that is.
const MAGIC: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// An archive whose directory has been checked.
#[derive(Debug)]
pub struct Archive {
    zip: ZipArchive<Cursor<Bytes>>,
    /// Place in the archive of every file, by name.
    index: BTreeMap<String, usize>,
    limits: Limits,
    ledger: Ledger,
    /// The archive itself; cheap to clone.
    bytes: Bytes,
    /// The archive's name in errors.
    name: String,
}

/// Tells whether `bytes` start like a ZIP archive.
pub fn is_zip(bytes: &[u8]) -> bool {
    MAGIC.iter().any(|magic| bytes.starts_with(magic))
}

impl Archive {
    /// Checks the directory of an archive. `name` stands for the archive in errors.
    ///
    /// # Errors
    ///
    /// `ArchiveInvalid` for what is no archive or contradicts itself, `ArchiveBounds` for one that is too large,
    /// `ArchiveEntry` for entries with unsafe names, kinds or methods.
    pub fn open(bytes: Bytes, name: &str, limits: &Limits) -> Result<Self> {
        Self::open_inner(bytes, name, limits).map_err(|error| error.in_file(name))
    }

    fn open_inner(bytes: Bytes, name: &str, limits: &Limits) -> Result<Self> {
        if bytes.len() as u64 > limits.archive {
            return Err(too_large("the archive", limits.archive));
        }
        if !is_zip(&bytes) {
            return Err(no_zip(&bytes));
        }
        check_end_record(&bytes, limits)?;
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let zip = ZipArchive::with_config(config, Cursor::new(bytes.clone())).map_err(|error| damaged(&error))?;
        let (index, ledger) = (BTreeMap::new(), Ledger::default());
        let mut archive = Self { zip, index, limits: limits.clone(), ledger, bytes, name: name.to_owned() };
        archive.check_directory()?;
        Ok(archive)
    }

    fn check_directory(&mut self) -> Result<()> {
        if self.zip.has_duplicate_names() {
            let twice = self.duplicate_name().unwrap_or_default();
            return Err(Error::new(Code::ArchiveEntry, format!("entry {:?} occurs twice", clip(&twice))));
        }
        let mut distinct = names::Distinct::default();
        let mut declared: u64 = 0;
        for place in 0..self.zip.len() {
            let entry = self.zip.by_index_data(place).map_err(|error| damaged(&error))?;
            let name = names::check(entry.name_raw(), &self.limits)?;
            let folder = entry.name_raw().ends_with(b"/");
            check_kind(name, folder, &entry)?;
            distinct.add(name, folder)?;
            if entry.size() > self.limits.entry {
                return Err(too_large(&format!("entry {name:?}"), self.limits.entry));
            }
            declared = declared.saturating_add(entry.size());
            if declared > self.limits.total {
                return Err(too_large("the content of the archive", self.limits.total));
            }
            if !folder {
                self.index.insert(name.to_owned(), place);
            }
        }
        if self.zip.has_overlapping_entries().map_err(|error| damaged(&error))? {
            return Err(Error::new(Code::ArchiveInvalid, "entries of the archive overlap"));
        }
        self.zip.validate_header_consistency().map_err(|error| damaged(&error))
    }

    /// The name that the archive's directory holds twice. The ZIP reader merges such entries and keeps no list.
    fn duplicate_name(&self) -> Option<String> {
        const FIXED: usize = 46;
        let start = usize::try_from(self.zip.central_directory_start()).ok()?;
        let mut rest = self.bytes.get(start..)?;
        let mut seen = std::collections::BTreeSet::new();
        while rest.starts_with(b"PK\x01\x02") {
            let length =
                |at: usize| rest.get(at..at + 2).map(|b| b.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b)));
            let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
            let text = rest.get(FIXED..FIXED + name)?;
            if !seen.insert(text) {
                return Some(String::from_utf8_lossy(text).into_owned());
            }
            rest = rest.get(FIXED + name + extra + comment..)?;
        }
        None
    }
}

impl Archive {
    /// Unpacks an entry and returns how large it is.
    fn unpack_into(&mut self, name: &str, out: &mut impl Write) -> Result<u64> {
        let place = self.place(name);
        let missing = || Error::new(Code::FilesMissing, format!("the archive has no entry {name:?}")).in_file(&place);
        let index = *self.index.get(name).ok_or_else(missing)?;
        let left = self.ledger.left(&self.limits);
        let file = self.zip.by_index(index).map_err(|error| damaged(&error).in_file(&place))?;
        unpack(file, name, &self.limits, left, out).map_err(|error| error.in_file(&place))
    }
}

impl Files for Archive {
    fn has(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = format!("{folder}/");
        let below = self.index.keys().filter(|name| folder.is_empty() || name.starts_with(&prefix));
        Ok(below.cloned().collect())
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.unpack_into(name, &mut bytes)?;
        self.ledger.add(name, &bytes);
        Ok(bytes)
    }

    fn measure_unread(&mut self, name: &str) -> Result<Measure> {
        let mut hasher = blake3::Hasher::new();
        let size = self.unpack_into(name, &mut hasher)?;
        Ok(Measure { size, hash: hasher.finalize() })
    }

    fn place(&self, name: &str) -> String {
        format!("{}!{name}", self.name)
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

/// Unpacks an entry piece by piece, within its limits and what is `left` of the whole.
fn unpack(
    mut file: ZipFile<'_, Cursor<Bytes>>,
    name: &str,
    limits: &Limits,
    left: u64,
    out: &mut impl Write,
) -> Result<u64> {
    let by_ratio = file.compressed_size().saturating_mul(limits.ratio).max(limits.ratio_floor);
    let (declared, most) = (file.size(), limits.entry.min(left).min(by_ratio));
    let read = std::io::copy(&mut (&mut file).take(most.saturating_add(1)), out);
    let size = read.map_err(|error| Error::new(Code::ArchiveInvalid, format!("entry {name:?} is damaged: {error}")))?;
    if size > most {
        return Err(match most {
            _ if most == by_ratio => Error::new(
                Code::ArchiveBounds,
                format!("entry {name:?} unpacks to more than {} times its packed size", limits.ratio),
            ),
            _ if most == limits.entry => too_large(&format!("entry {name:?}"), limits.entry),
            _ => too_large("the content of the archive", limits.total),
        });
    }
    if size != declared {
        let message = format!("entry {name:?} declares {declared} bytes and holds {size}");
        return Err(Error::new(Code::ArchiveInvalid, message));
    }
    Ok(size)
}

/// Refuses entries that are not plain files or folders packed with Stored or Deflate.
fn check_kind(name: &str, folder: bool, entry: &zip::read::ZipFileEntry<'_>) -> Result<()> {
    const KIND: u32 = 0o170_000;
    const FILE: u32 = 0o100_000;
    const FOLDER: u32 = 0o040_000;
    let refuse = |why: &str| Err(Error::new(Code::ArchiveEntry, format!("entry {name:?} {why}")));
    match entry.unix_mode().unwrap_or_default() & KIND {
        0 => {}
        FILE if !folder => {}
        FOLDER if folder => {}
        0o120_000 => return refuse("is a symbolic link"),
        _ => return refuse("is neither a file nor a folder"),
    }
    if entry.encrypted() {
        return refuse("is encrypted");
    }
    if folder && entry.size() != 0 {
        return refuse("is a folder with content");
    }
    match entry.compression() {
        CompressionMethod::Stored | CompressionMethod::Deflated => Ok(()),
        other => refuse(&format!("is packed with {other:?}; only Stored and Deflate are read")),
    }
}

/// Bounds the number of entries before the ZIP reader makes room for them. Every record that could be the end of the
/// archive is looked at, so that it does not matter which one the reader takes; archives in the 64-bit form are
/// refused, since no pack within the limits needs it.
fn check_end_record(bytes: &[u8], limits: &Limits) -> Result<()> {
    const RECORD: usize = 22;
    const LOCATOR: usize = 20;
    let tail = bytes.len().saturating_sub(RECORD + usize::from(u16::MAX));
    let mut found = false;
    for at in tail..bytes.len().saturating_sub(RECORD - 1) {
        if bytes.get(at..at + 4) != Some(b"PK\x05\x06".as_slice()) {
            continue;
        }
        found = true;
        let locator = at.checked_sub(LOCATOR).and_then(|start| bytes.get(start..start + 4));
        if locator == Some(b"PK\x06\x07".as_slice()) {
            return Err(Error::new(Code::ArchiveBounds, "the archive is in the 64-bit form, which no pack needs"));
        }
        let count = bytes.get(at + 8..at + 10).map_or(0, |b| b.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b)));
        if count > limits.entries {
            let message = format!("the archive has {count} entries, the limit is {}", limits.entries);
            return Err(Error::new(Code::ArchiveBounds, message));
        }
    }
    if found {
        return Ok(());
    }
    Err(Error::new(Code::ArchiveInvalid, "the archive is cut off: the record that ends it is missing")
        .hint("transfer or build the pack again"))
}

fn no_zip(bytes: &[u8]) -> Error {
    let text = bytes.trim_ascii_start();
    let what = match text.first() {
        None => "the file is empty",
        Some(b'{' | b'[') => "the file is a JSON text, not a pack archive",
        Some(b'<') => "the file is an HTML or XML text, not a pack archive",
        Some(_) if bytes.starts_with(b"\0asm") => "the file is WebAssembly, not a pack archive",
        Some(_) => "the file is not a ZIP archive",
    };
    Error::new(Code::ArchiveInvalid, what).hint("a .gtpack file is a ZIP archive as `pack build` writes it")
}

fn too_large(what: &str, limit: u64) -> Error {
    Error::new(Code::ArchiveBounds, format!("{what} is larger than the limit of {limit} bytes"))
}

fn damaged(error: &ZipError) -> Error {
    Error::new(Code::ArchiveInvalid, format!("the archive is damaged: {error}"))
}
