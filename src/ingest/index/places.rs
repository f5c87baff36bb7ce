//! Where the packs of an index lie, and who names those places.

use super::PackEntry;
use crate::error::Result;
use crate::ingest::Origin;
use crate::ingest::locator::{Base, Locator, Scheme};

impl PackEntry {
    /// Where the pack may lie, in the order in which it is looked for. `base` is the index's place, `scheme` that of
    /// locators without one.
    ///
    /// # Errors
    ///
    /// `LocatorInvalid` or `LocatorDenied`.
    pub fn places(&self, base: &Base, scheme: Scheme) -> Result<Vec<Locator>> {
        let locator = self.locator.iter().map(|text| Locator::parse(text, base, scheme));
        let path = self.path.iter().map(|text| Locator::parse(text, base, Scheme::Fs));
        locator.chain(path).collect()
    }
}

/// Who names `locator`, if the index at `index` does. A remote index may name its own host, which this machine's operator
/// has named already.
pub fn origin(index: &Locator, locator: &Locator) -> Origin {
    let own = match (index, locator) {
        (Locator::Fs(_), _) => true,
        (Locator::Http(index), Locator::Http(url)) => index.origin() == url.origin(),
        (Locator::Oci(index), Locator::Oci(reference)) => index.registry == reference.registry,
        _ => false,
    };
    if own { Origin::Local } else { Origin::RemoteIndex }
}
