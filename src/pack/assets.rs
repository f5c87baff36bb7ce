//! The files that a pack holds for its flows and components.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::pack::model::Digest;

use crate::flow::cards::Cards;

/// The folder of a pack that holds its assets.
pub(super) const FOLDER: &str = "assets";

/// A pack's assets by their paths in the pack, such as `assets/cards/hello.json`. Clones share them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Assets(Arc<BTreeMap<String, Bytes>>);

impl Assets {
    /// The asset at `path`, which is relative to the pack's root and written as the pack writes it.
    pub fn get(&self, path: &str) -> Option<Bytes> {
        self.0.get(path).cloned()
    }

    /// All assets, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.0.iter().map(|(path, bytes)| (path.as_str(), bytes))
    }

    /// All assets by their paths below `assets/`.
    pub fn below(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.iter().map(|(path, bytes)| (path.split_once('/').map_or(path, |(_, below)| below), bytes))
    }

    /// A digest of all paths and bytes.
    pub fn digest(&self) -> Digest {
        let mut hasher = Sha256::new();
        for (path, bytes) in self.iter() {
            for part in [path.as_bytes(), bytes] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        Digest(hasher.finalize().into())
    }

    /// The assets as cards and texts that flows put into payloads.
    pub(crate) fn cards(&self) -> Cards {
        Cards::new(self.iter().map(|(path, bytes)| (path.to_owned(), bytes.clone())))
    }

    /// These, and `over` in place of those that have the same paths.
    #[must_use]
    pub(super) fn overlaid(&self, over: &Self) -> Self {
        let both = self.iter().chain(over.iter());
        both.map(|(path, bytes)| (path.to_owned(), bytes.clone())).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Bytes)> for Assets {
    fn from_iter<I: IntoIterator<Item = (String, Bytes)>>(assets: I) -> Self {
        Self(Arc::new(assets.into_iter().collect()))
    }
}

impl fmt::Debug for Assets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(path, bytes)| (path, bytes.len()))).finish()
    }
}
