//! Making room.

use std::fs;
use std::io;

use serde::Serialize;

use super::{Cache, Contents, Entry, contents, lease, refs};

/// How many locators are remembered. Signed URLs differ each time and would pile up.
const MAX_REFS: usize = 50_000;

/// What was deleted to make room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// What is gone, or would be; what was used longest ago first.
    pub deleted: Vec<Entry>,
    /// How many bytes that freed.
    pub freed: u64,
    /// How many bytes stay.
    pub kept: u64,
    /// Whether nothing was deleted, as it was only asked what would be.
    pub dry_run: bool,
}

/// Makes room if the cache holds more than it may. To see that it does not takes little time.
pub(super) fn keep_within_bounds(cache: &Cache) -> io::Result<()> {
    let is_within = contents::size(cache)? <= cache.max_bytes();
    if is_within { Ok(()) } else { prune(cache, cache.max_bytes(), false).map(drop) }
}

/// Deletes what was used longest ago until the rest has at most `max_bytes`.
pub(super) fn prune(cache: &Cache, max_bytes: u64, dry_run: bool) -> io::Result<Pruned> {
    let contents = Contents::of(cache)?;
    let mut pruned = Pruned { deleted: Vec::new(), freed: 0, kept: contents.bytes, dry_run };
    for entry in contents.entries.into_iter().rev() {
        if pruned.kept <= max_bytes {
            break;
        }
        if dry_run || lease::delete(&entry.path)? {
            pruned.kept = pruned.kept.saturating_sub(entry.bytes);
            pruned.freed += entry.bytes;
            pruned.deleted.push(entry);
        }
    }
    if !dry_run {
        forget(cache)?;
    }
    Ok(pruned)
}

/// Forgets the locators whose content is gone, and those beyond the bound that were fetched longest ago.
fn forget(cache: &Cache) -> io::Result<()> {
    let mut known = refs::all(&cache.0.refs)?;
    known.sort_by(|(_, a), (_, b)| b.fetched_at.cmp(&a.fetched_at));
    let mut kept = 0;
    for (entry, reference) in known {
        if kept < MAX_REFS && cache.path(&reference.digest).try_exists()? {
            kept += 1;
            continue;
        }
        match fs::remove_file(entry.path()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}
