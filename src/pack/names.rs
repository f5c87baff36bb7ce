//! Names of files inside packs: relative, made of plain parts, and distinct on every file system.

use std::collections::BTreeMap;

use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::pack::limits::Limits;

/// Checks the raw name of an entry and returns it as text, without the slash that ends a directory's name.
pub(super) fn check<'a>(raw: &'a [u8], limits: &Limits) -> Result<&'a str> {
    let shown = || clip(&String::from_utf8_lossy(raw));
    let refuse = |why: &str| {
        Err(Error::new(Code::ArchiveEntry, format!("entry {:?} {why}", shown()))
            .hint("entry names are relative paths in UTF-8 with '/' between their parts, without '.' and '..'"))
    };
    let Ok(name) = std::str::from_utf8(raw) else { return refuse("has a name that is not UTF-8") };
    if raw.len() > limits.name {
        return Err(Error::new(
            Code::ArchiveBounds,
            format!("the name of entry {:?} has {} bytes, the limit is {}", shown(), raw.len(), limits.name),
        ));
    }
    if name.starts_with('/') {
        return refuse("has an absolute name");
    }
    if name.contains('\\') {
        return refuse("has a backslash in its name");
    }
    if name.chars().any(char::is_control) {
        return refuse("has a control character in its name");
    }
    let name = name.strip_suffix('/').unwrap_or(name);
    for part in name.split('/') {
        match part {
            "" => return refuse("has an empty part in its name"),
            "." | ".." => return refuse("leads out of its directory"),
            _ if part.contains(':') => return refuse("names a drive or a stream"),
            _ => {}
        }
    }
    let depth = name.split('/').count();
    if depth > limits.depth {
        return Err(Error::new(
            Code::ArchiveBounds,
            format!("entry {:?} lies {depth} levels deep, the limit is {}", shown(), limits.depth),
        ));
    }
    Ok(name)
}

/// Tells names apart: equal names, names that differ only in case, and a file where another name needs a folder.
#[derive(Default)]
pub(super) struct Distinct {
    /// Folded name to the name as written, and whether it is a folder.
    seen: BTreeMap<String, (String, bool)>,
}

impl Distinct {
    /// Adds a name; `folder` tells whether it stands for a folder.
    pub(super) fn add(&mut self, name: &str, folder: bool) -> Result<()> {
        let mut end = 0;
        while let Some(slash) = name.get(end..).and_then(|rest| rest.find('/')) {
            self.add_one(name.get(..end + slash).unwrap_or(name), true, name)?;
            end += slash + 1;
        }
        self.add_one(name, folder, name)
    }

    fn add_one(&mut self, part: &str, folder: bool, entry: &str) -> Result<()> {
        use std::collections::btree_map::Entry;
        let (other, other_folder) = match self.seen.entry(part.to_lowercase()) {
            Entry::Vacant(vacant) => {
                vacant.insert((part.to_owned(), folder));
                return Ok(());
            }
            Entry::Occupied(occupied) => occupied.into_mut(),
        };
        if other == part && folder && *other_folder {
            return Ok(());
        }
        let entry = clip(entry);
        let why = if other != part {
            format!("entry {entry:?} collides with {:?}: they differ only in case", clip(other))
        } else if folder != *other_folder {
            format!("entry {entry:?} is both a file and a folder")
        } else {
            format!("entry {entry:?} occurs twice")
        };
        Err(Error::new(Code::ArchiveEntry, why))
    }
}
