//! What is to run, as it was last said.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::ingest::index::{self, MAX_BYTES, PackEntry, TenantEntry};
use crate::ingest::locator::Base;
use crate::ingest::{Document, Index, Locator, Origin};
use crate::pack::model::Digest;
use crate::reload::{Inner, PackSource};

/// What is to run.
#[derive(Debug)]
pub(super) struct Listing {
    /// The packs of each tenant, or what is wrong with its entry.
    pub(super) tenants: BTreeMap<Id, Result<TenantEntry>>,
    /// Where locators begin that are not whole.
    pub(super) base: Base,
    /// Where it lies, if it is an index.
    index: Option<Locator>,
}

impl Listing {
    /// Who names `locator`.
    pub(super) fn origin(&self, locator: &Locator) -> Origin {
        self.index.as_ref().map_or(Origin::Local, |index| index::origin(index, locator))
    }
}

/// Reads what is to run, and remembers it while it does not change.
#[derive(Debug)]
pub(super) struct Listings {
    last: Option<(Digest, Arc<Listing>)>,
}

impl Listings {
    pub(super) fn new() -> Self {
        Self { last: None }
    }

    /// What is to run now.
    pub(super) async fn read(&mut self, inner: &Inner) -> Result<Arc<Listing>> {
        let locator = match &inner.config.source {
            PackSource::Index(locator) => locator,
            PackSource::Fixed(packs) => return fixed(packs),
        };
        let Some(document) = self.document(locator, inner).await? else {
            return self.last.as_ref().map(|(_, listing)| Arc::clone(listing)).ok_or_else(never_read);
        };
        let index = Index::read(&document.bytes, &locator.to_string())?;
        let listing =
            Arc::new(Listing { tenants: index.tenants, base: Base::of(locator)?, index: Some(locator.clone()) });
        self.last = Some((document.digest, Arc::clone(&listing)));
        Ok(listing)
    }

    /// The index; none if it is the one that was read last.
    async fn document(&self, locator: &Locator, inner: &Inner) -> Result<Option<Document>> {
        let fetcher = inner.fetcher()?;
        match &self.last {
            // An operator named it, so it may lie wherever that operator wants.
            Some((known, _)) => fetcher.read_if_changed(locator, MAX_BYTES, Origin::Local, known).await,
            None => fetcher.read(locator, MAX_BYTES, Origin::Local).await.map(Some),
        }
    }
}

fn fixed(packs: &[(Id, std::path::PathBuf)]) -> Result<Arc<Listing>> {
    let entry =
        |path: &Path| TenantEntry { main: PackEntry::of_path(path.display().to_string()), overlays: Vec::new() };
    let tenants = packs.iter().map(|(tenant, path)| (tenant.clone(), Ok(entry(path)))).collect();
    Ok(Arc::new(Listing { tenants, base: Base::here()?, index: None }))
}

fn never_read() -> Error {
    Error::new(Code::Internal, "an index that was never read is said to be unchanged")
}
