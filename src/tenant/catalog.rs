//! What a pack offers to its flows, once its components are prepared.

use std::collections::HashMap;
use std::sync::Arc;

use crate::abi::Prepared;
use crate::error::{Error, Result};
use crate::flow::cards::Cards;
use crate::flow::compile::{Catalog, ComponentInfo, ProviderInfo};
use crate::id::Id;
use crate::pack::model::Pack;
use crate::tenant::provider::LoadedProvider;
use crate::tenant::stored::Stored;

pub(super) type Components = HashMap<Id, Result<LoadedComponent>>;
pub(super) type Providers = HashMap<Id, Result<LoadedProvider>>;

/// The tools that flows name, and why those cannot be called that cannot.
pub(super) type NamedTools = HashMap<String, Result<()>>;

/// A component that can be called.
pub(super) struct LoadedComponent {
    pub(super) prepared: Arc<Prepared>,
    /// The operations that the manifest or the component itself names; none if neither names any.
    pub(super) ops: Option<Vec<String>>,
    /// Whether it has no others by what it says itself.
    pub(super) describes_all: bool,
    /// What is odd about it.
    pub(super) notes: Vec<Error>,
}

/// A pack's components and providers.
pub(super) struct PackCatalog<'a> {
    pub(super) pack: &'a Pack,
    pub(super) components: &'a Components,
    pub(super) providers: &'a Providers,
    pub(super) tools: &'a NamedTools,
    /// Providers that operators stored. They hide those of the pack.
    pub(super) stored: &'a Stored,
    pub(super) cards: &'a Cards,
}

impl Catalog for PackCatalog<'_> {
    fn component(&self, id: &str) -> Option<ComponentInfo> {
        let callable = match self.components.get(id)? {
            Ok(component) => component.prepared.component_callable(),
            Err(error) => Err(error.clone()),
        };
        let known = self.components.get(id).and_then(|component| component.as_ref().ok());
        let complete = known.is_some_and(|component| component.describes_all);
        Some(ComponentInfo { callable, ops: known.and_then(|component| component.ops.clone()), complete })
    }

    fn only_op(&self, component: &str) -> Option<&'static str> {
        self.components.get(component)?.as_ref().ok()?.prepared.only_op()
    }

    fn component_ids(&self) -> Vec<Id> {
        self.pack.components.keys().cloned().collect()
    }

    fn provider(&self, id: &str) -> Option<ProviderInfo> {
        // One that cannot be called now may be mended or enabled at any moment: only its calls fail.
        if let Some(bound) = self.stored.get(id) {
            let ops = bound.loaded.as_ref().ok().and_then(|loaded| loaded.ops.clone());
            return Some(ProviderInfo { callable: Ok(()), ops });
        }
        match self.providers.get(id)? {
            Ok(provider) => Some(ProviderInfo { callable: Ok(()), ops: provider.ops.clone() }),
            Err(error) => Some(ProviderInfo { callable: Err(error.clone()), ops: None }),
        }
    }

    fn providers_of_type(&self, provider_type: &str) -> Vec<Id> {
        let declared = self.pack.providers_of_type(provider_type);
        if !declared.is_empty() {
            return declared;
        }
        let of_type = self.stored.iter().filter(|(_, bound)| bound.instance.provider_type == provider_type);
        of_type.map(|(id, _)| id.clone()).collect()
    }

    fn provider_ids(&self) -> Vec<Id> {
        let stored = self.stored.keys().filter(|id| !self.pack.providers.contains_key(*id));
        self.pack.providers.keys().chain(stored).cloned().collect()
    }

    fn tool(&self, name: &str) -> Result<()> {
        self.tools.get(name).cloned().unwrap_or(Ok(()))
    }

    fn published(&self, reference: &str) -> Option<Id> {
        self.pack.published(reference)
    }

    fn cards(&self) -> Cards {
        self.cards.clone()
    }
}
