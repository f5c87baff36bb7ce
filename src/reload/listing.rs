//! What is to run, as it was last said.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::id::Id;
use crate::ingest::index::{MAX_BYTES, PackEntry, TenantEntry};
use crate::ingest::locator::Base;
use crate::ingest::{Document, Fetcher, Index, Locator, Origin};
use crate::reload::PackSource;

/// What is to run.
#[derive(Debug)]
pub(super) struct Listing {
    /// The packs of each tenant, or what is wrong with its entry.
    pub(super) tenants: BTreeMap<Id, Result<TenantEntry>>,
    /// Where locators begin that are not whole.
    pub(super) base: Base,
    /// Whether this machine's operator wrote it.
    pub(super) origin: Origin,
}

/// Reads what is to run, and remembers it while it does not change.
#[derive(Debug)]
pub(super) struct Listings {
    source: PackSource,
    last: Option<(Document, Arc<Listing>)>,
}

impl Listings {
    pub(super) fn new(source: PackSource) -> Self {
        Self { source, last: None }
    }

    /// The index's place, if there is one and it is a file of this machine.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.source {
            PackSource::Index(Locator::Fs(path)) => Some(path),
            _ => None,
        }
    }

    /// What is to run now.
    pub(super) async fn read(&mut self, fetcher: &Fetcher) -> Result<Arc<Listing>> {
        let locator = match &self.source {
            PackSource::Index(locator) => locator,
            PackSource::Fixed(packs) => {
                let entry = |path: &Path| TenantEntry {
                    main: PackEntry::of_path(path.display().to_string()),
                    overlays: Vec::new(),
                };
                let tenants = packs.iter().map(|(tenant, path)| (tenant.clone(), Ok(entry(path)))).collect();
                return Ok(Arc::new(Listing { tenants, base: Base::here(), origin: Origin::Local }));
            }
        };
        let known = self.last.as_ref().map(|(document, _)| document);
        let document = fetcher.read_if_changed(locator, MAX_BYTES, known).await?;
        if let (None, Some((_, listing))) = (&document, &self.last) {
            return Ok(Arc::clone(listing));
        }
        let Some(document) = document else { return Err(nothing()) };
        let index = Index::read(&document.bytes, &locator.to_string())?;
        let listing = Arc::new(Listing {
            tenants: index.tenants,
            base: Base::of(locator),
            origin: if matches!(locator, Locator::Fs(_)) { Origin::Local } else { Origin::Remote },
        });
        self.last = Some((document, Arc::clone(&listing)));
        Ok(listing)
    }
}

fn nothing() -> crate::error::Error {
    crate::error::Error::new(crate::error::Code::Internal, "an index that was never read is said to be unchanged")
}
