//! The highest version of each pack that a tenant has run, kept over restarts, so that whoever can change an index, or
//! what it names, cannot bring an old signed pack back with the mistakes that were mended since.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::id::Id;

/// The name of the file in a data directory.
pub(super) const FILE: &str = "pack-versions.json";

/// The format of the file.
const FORMAT: u32 = 1;

/// The most bytes of the file that are read.
const MAX_BYTES: u64 = 64 << 20;

/// The highest versions, by tenant and pack.
#[derive(Debug)]
pub(super) struct Floors {
    file: Option<PathBuf>,
    kept: Kept,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    format: u32,
    tenants: BTreeMap<Id, BTreeMap<Id, Version>>,
}

impl Floors {
    /// What `file` holds; nothing if there is none. Without a file, versions are remembered by this process only.
    pub(super) fn open(file: Option<PathBuf>) -> Result<Self> {
        let empty = Kept { format: FORMAT, tenants: BTreeMap::new() };
        let Some(path) = file else { return Ok(Self { file: None, kept: empty }) };
        let failed = |why: String| {
            Error::new(Code::Io, format!("the record of the versions that ran cannot be read: {why}"))
                .in_file(&path)
                .hint("restore the file; without it, packs may be replaced by older ones, so remove it only if that is meant")
        };
        let kept = match fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => empty,
            Err(error) => return Err(failed(error.to_string())),
            Ok(found) if found.len() > MAX_BYTES => return Err(failed(format!("it is larger than {MAX_BYTES} bytes"))),
            Ok(_) => {
                let bytes = fs::read(&path).map_err(|e| failed(e.to_string()))?;
                serde_json::from_slice(&bytes).map_err(|e| failed(e.to_string()))?
            }
        };
        if kept.format != FORMAT {
            return Err(failed(format!("its format is {}, not {FORMAT}", kept.format)));
        }
        Ok(Self { file: Some(path), kept })
    }

    /// The highest version of `pack` that `tenant` has run.
    pub(super) fn of(&self, tenant: &str, pack: &str) -> Option<&Version> {
        self.kept.tenants.get(tenant)?.get(pack)
    }

    /// Records what `tenant` runs now. An older version than before lowers the mark, for somebody has allowed it.
    pub(super) fn record(&mut self, tenant: &Id, packs: &[(Id, Version)]) -> Result<()> {
        let known = self.kept.tenants.entry(tenant.clone()).or_default();
        let mut changed = false;
        for (pack, version) in packs {
            changed |= known.insert(pack.clone(), version.clone()).as_ref() != Some(version);
        }
        if changed { self.write() } else { Ok(()) }
    }

    /// Replaces the file as a whole, so that a crash leaves the old one or the new one.
    fn write(&self) -> Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        let failed = |why: String| {
            let message = format!("the versions that run cannot be recorded: {why}");
            Error::new(Code::StoreFailed, message).in_file(path).hint("make room, or make the data directory writable")
        };
        let bytes = serde_json::to_vec(&self.kept).map_err(|e| failed(e.to_string()))?;
        let dir = path.parent().unwrap_or(path);
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(dir)?;
            file.write_all(&bytes)?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|e| e.error)?;
            fs::File::open(dir)?.sync_all()
        };
        write().map_err(|e| failed(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_outlive_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        let open = || Floors::open(Some(file.clone())).unwrap();
        let (tenant, pack) = (Id::from("t"), Id::from("p"));
        let mut floors = open();
        assert_eq!(floors.of("t", "p"), None);
        floors.record(&tenant, &[(pack.clone(), Version::new(1, 2, 3))]).unwrap();
        insta::assert_snapshot!(fs::read_to_string(&file).unwrap(), @r#"{"format":1,"tenants":{"t":{"p":"1.2.3"}}}"#);
        let mut floors = open();
        assert_eq!(floors.of("t", "p"), Some(&Version::new(1, 2, 3)));
        floors.record(&tenant, &[(pack, Version::new(1, 0, 0))]).unwrap();
        assert_eq!(open().of("t", "p"), Some(&Version::new(1, 0, 0)));
    }

    #[test]
    fn a_damaged_record_is_no_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        for text in ["", "{", r#"{"format":2,"tenants":{}}"#, r#"{"format":1,"tenants":{"t":{"p":"one"}}}"#] {
            fs::write(&file, text).unwrap();
            assert_eq!(Floors::open(Some(file.clone())).unwrap_err().code(), Code::Io, "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_recorded_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone").join(FILE);
        let mut floors = Floors::open(Some(gone)).unwrap();
        let error = floors.record(&Id::from("t"), &[(Id::from("p"), Version::new(1, 0, 0))]).unwrap_err();
        assert_eq!(error.code(), Code::StoreFailed);
    }
}
