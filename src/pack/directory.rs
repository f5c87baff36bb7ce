//! Directories, read within the same bounds as archives.
//!
//! Symbolic links are followed to components only (a developer may link to a build's output): what else a pack
//! holds can reach a guest, and a link would let a pack show files that it does not hold.

use std::fs::{self, File, FileType};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};
use crate::pack::files::{Files, Ledger, Measure};
use crate::pack::limits::Limits;
use crate::pack::model::Digest;
use crate::pack::names;

/// Where components lie.
const COMPONENTS: &str = "components/";

/// A directory that holds a pack.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    limits: Limits,
    ledger: Ledger,
}

impl Directory {
    pub(super) fn new(root: &Path, limits: &Limits) -> Self {
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        Self { root: root.to_owned(), limits: limits.clone(), ledger: Ledger::default() }
    }

    /// The names of the files in `folder` itself whose names end in `.extension`, sorted.
    pub(super) fn files_in(&self, folder: &str, extension: &str) -> Result<Vec<String>> {
        let start = self.root.join(folder);
        let mut found = Vec::new();
        let Ok(entries) = fs::read_dir(&start) else { return Ok(found) };
        for (at, entry) in entries.enumerate() {
            if at >= self.limits.entries {
                return Err(self.too_many());
            }
            let path = entry.map_err(|error| cannot_read(&start, &error))?.path();
            let name = path.file_name().unwrap_or_default();
            if path.extension().is_none_or(|other| other != extension) || !path.is_file() {
                continue;
            }
            let name = names::check(name.as_encoded_bytes(), &self.limits).map_err(|error| error.in_file(&start))?;
            found.push(if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") });
        }
        found.sort_unstable();
        Ok(found)
    }

    fn too_many(&self) -> Error {
        let message = format!("the directory holds more than {} files and folders", self.limits.entries);
        Error::new(Code::ArchiveBounds, message).in_file(&self.root)
    }

    fn walk(&self, folder: &Path, prefix: &str, seen: &mut usize, found: &mut Vec<String>) -> Result<()> {
        let unreadable = |error: std::io::Error| cannot_read(folder, &error);
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            *seen += 1;
            if *seen > self.limits.entries {
                return Err(self.too_many());
            }
            let file_name = entry.file_name();
            let part = file_name.to_string_lossy();
            let name = if prefix.is_empty() { part.into_owned() } else { format!("{prefix}/{part}") };
            let raw = if file_name.to_str().is_some() { name.as_bytes() } else { file_name.as_encoded_bytes() };
            names::check(raw, &self.limits).map_err(|error| error.in_file(folder))?;
            let kind = entry.file_type().map_err(unreadable)?;
            match kind {
                _ if kind.is_dir() => self.walk(&entry.path(), &name, seen, found)?,
                _ if kind.is_file() => found.push(name),
                _ => return Err(special(&name, kind).in_file(folder)),
            }
        }
        Ok(())
    }
}

impl Directory {
    /// What a pack names must lie in it: a link could lead anywhere. Components may be links, for they are what their
    /// builds leave elsewhere, and are nothing but run.
    fn refuse_links(&self, name: &str) -> Result<()> {
        let mut path = self.root.clone();
        for part in Path::new(name).components().filter(|_| !name.starts_with(COMPONENTS)) {
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(data) if data.is_symlink() => return Err(special(name, data.file_type()).in_file(&self.root)),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Files for Directory {
    fn has(&self, name: &str) -> bool {
        fs::metadata(self.root.join(name)).is_ok_and(|data| data.is_file())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let start = self.root.join(folder);
        let mut found = Vec::new();
        match fs::symlink_metadata(&start) {
            Ok(data) if data.is_dir() => self.walk(&start, folder, &mut 0, &mut found)?,
            Ok(data) if data.is_symlink() => return Err(special(folder, data.file_type()).in_file(&self.root)),
            _ => {}
        }
        found.sort_unstable();
        Ok(found)
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let path = self.root.join(name);
        self.refuse_links(name)?;
        let bytes = read_file(&path, self.limits.entry)?;
        if bytes.len() as u64 > self.ledger.left(&self.limits) {
            let message = format!("the pack's files are larger than the limit of {} bytes", self.limits.total);
            return Err(Error::new(Code::ArchiveBounds, message).in_file(&self.root));
        }
        self.ledger.add(name, &bytes);
        Ok(bytes)
    }

    fn measure_unread(&mut self, name: &str) -> Result<Measure> {
        self.refuse_links(name)?;
        let bytes = read_file(&self.root.join(name), self.limits.entry)?;
        Ok(Measure { size: bytes.len() as u64, hash: blake3::hash(&bytes) })
    }

    fn place(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn digest(&self) -> Digest {
        self.ledger.digest()
    }
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let read = |path: &Path| -> std::io::Result<Option<Vec<u8>>> {
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let data = fs::metadata(path)?;
        if !data.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        if data.len() > limit {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(data.len()).unwrap_or_default());
        File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= limit).then_some(bytes))
    };
    match read(path) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => {
            let message = format!("the file is larger than the limit of {limit} bytes");
            Err(Error::new(Code::ArchiveBounds, message).in_file(path))
        }
        Err(error) => Err(cannot_read(path, &error)),
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Error {
    let (code, what) = match error.kind() {
        std::io::ErrorKind::NotFound => (Code::FilesMissing, "does not exist".to_owned()),
        _ => (Code::Io, format!("cannot be read: {error}")),
    };
    Error::new(code, format!("{} {what}", path.display())).hint("check the path, and that this user may read it")
}

fn special(name: &str, kind: FileType) -> Error {
    let what = if kind.is_symlink() { "is a symbolic link" } else { "is neither a file nor a folder" };
    Error::new(Code::ArchiveEntry, format!("entry {name:?} {what}"))
        .hint("copy the file into the pack; links are followed to components only")
}
