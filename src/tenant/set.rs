//! The packs that a tenant runs: a main pack and what lies over it, each with where it came from.

use std::sync::Arc;

use crate::pack::Pack;
use crate::pack::model::Digest;
use crate::trust::{StatedOrigin, Verification};

/// A pack and where it came from. Cheap to clone: the pack is shared, by as many tenants as run it.
#[derive(Clone, Debug)]
pub struct Sourced {
    /// The pack.
    pub pack: Arc<Pack>,
    /// Where it came from, without credentials; none if it was given as it is.
    pub locator: Option<String>,
    /// What an index states about it, which it is judged by.
    pub stated: StatedOrigin,
    /// What was verified about it; none until it is loaded.
    pub verification: Option<Verification>,
}

/// A main pack and its overlays in their order: each lies over the main pack and over those before it.
#[derive(Clone, Debug)]
pub struct PackSet {
    /// The main pack.
    pub main: Sourced,
    /// What lies over it.
    pub overlays: Vec<Sourced>,
}

impl Sourced {
    /// Whether this is the same pack with the same components, from the same place, of which the same is stated. The
    /// digest of a pack does not speak of components that were found beside it.
    pub fn is_same(&self, other: &Self) -> bool {
        let known = (&self.locator, &self.stated) == (&other.locator, &other.stated);
        known && self.has_same_content(other)
    }

    /// Whether this is the same pack with the same components.
    pub fn has_same_content(&self, other: &Self) -> bool {
        if Arc::ptr_eq(&self.pack, &other.pack) {
            return true;
        }
        let components = |pack: &Pack| pack.components.iter().map(|(id, c)| (id.clone(), c.digest)).collect::<Vec<_>>();
        self.pack.digest == other.pack.digest && components(&self.pack) == components(&other.pack)
    }
}

impl From<Pack> for Sourced {
    fn from(pack: Pack) -> Self {
        Self::from(Arc::new(pack))
    }
}

impl From<Arc<Pack>> for Sourced {
    fn from(pack: Arc<Pack>) -> Self {
        Self { pack, locator: None, stated: StatedOrigin::default(), verification: None }
    }
}

impl PackSet {
    /// A main pack without overlays.
    pub fn of(main: impl Into<Sourced>) -> Self {
        Self { main: main.into(), overlays: Vec::new() }
    }

    /// Lays a further pack over these.
    #[must_use]
    pub fn with(mut self, overlay: impl Into<Sourced>) -> Self {
        self.overlays.push(overlay.into());
        self
    }

    /// All packs, the main pack first.
    pub fn packs(&self) -> impl Iterator<Item = &Sourced> + Clone {
        std::iter::once(&self.main).chain(&self.overlays)
    }

    /// The same, to be changed.
    pub(crate) fn packs_mut(&mut self) -> impl Iterator<Item = &mut Sourced> {
        std::iter::once(&mut self.main).chain(&mut self.overlays)
    }

    /// The packs' digests in their order.
    pub fn digests(&self) -> Vec<Digest> {
        self.packs().map(|sourced| sourced.pack.digest).collect()
    }

    /// The names of the secrets that the packs and their components cannot do without, sorted; each once.
    pub fn secrets(&self) -> Vec<String> {
        let mut names: Vec<_> = self.packs().flat_map(|sourced| sourced.pack.needed_secrets()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
