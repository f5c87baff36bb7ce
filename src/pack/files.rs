//! Where the files of a pack come from: an archive or a directory, behind one door.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::error::Result;
use crate::pack::limits::Limits;
use crate::pack::model::Digest;

/// The files of a pack. Names are relative, with `/` between their parts.
pub(super) trait Files {
    /// Tells whether a regular file of this name exists, without opening it.
    fn has(&self, name: &str) -> bool;

    /// The names of all files below `folder`, sorted; of all files if it is empty.
    fn list(&self, folder: &str) -> Result<Vec<String>>;

    /// A file's bytes, within the limits.
    fn read(&mut self, name: &str) -> Result<Vec<u8>>;

    /// The file as people are told of it.
    fn place(&self, name: &str) -> String;

    /// What was read so far.
    fn ledger(&self) -> &Ledger;

    /// The digest of the whole pack, once its files have been read.
    fn digest(&self) -> Digest;

    /// The size and hash of a file, which is not kept if it was not read yet.
    fn measure(&mut self, name: &str) -> Result<Measure> {
        match self.ledger().seen.get(name) {
            Some(measure) => Ok(*measure),
            None => self.measure_unread(name),
        }
    }

    /// The size and hash of a file, within the limits, in pieces.
    fn measure_unread(&mut self, name: &str) -> Result<Measure>;
}

/// What a bill of materials tells of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    pub(super) size: u64,
    pub(super) hash: blake3::Hash,
}

/// What was read from a pack: how much, and the measure of each file.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    spent: u64,
    seen: BTreeMap<String, Measure>,
}

impl Ledger {
    /// Bytes that may still be read.
    pub(super) fn left(&self, limits: &Limits) -> u64 {
        limits.total.saturating_sub(self.spent)
    }

    /// The names of the files that were read, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.seen.keys().map(String::as_str)
    }

    /// Records a file that was read.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) {
        let size = bytes.len() as u64;
        self.spent += size;
        self.seen.insert(name.to_owned(), Measure { size, hash: blake3::hash(bytes) });
    }

    /// A digest over the names and hashes of the files that were read, whatever their order was.
    pub(super) fn digest(&self) -> Digest {
        let mut hasher = Sha256::new();
        for (name, measure) in &self.seen {
            hasher.update(measure.hash.as_bytes());
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
        }
        Digest(hasher.finalize().into())
    }
}
