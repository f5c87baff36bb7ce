//! What is wrong with a pack's flows, as far as the pack itself tells: nothing is compiled to machine code or run.

use crate::error::{Error, Result};
use crate::flow::cards::Cards;
use crate::flow::compile::{Catalog, ComponentInfo, ProviderInfo, compile};
use crate::flow::model::FlowState;
use crate::id::Id;
use crate::pack::model::{Pack, ProviderDecl};

/// What is odd about a pack: what loading it noted, the flows that cannot run, and what is odd about the others.
/// Components may name operations of their own when they are prepared, so one that no declaration names is odd and
/// no more.
pub fn findings(pack: &Pack) -> Vec<Error> {
    let compiled = compile(&pack.flows, &Declared { pack, callable: &|_| Ok(()) });
    let disabled = compiled.flows.into_values().filter_map(|flow| match flow {
        FlowState::Disabled { reason, .. } => Some(reason),
        FlowState::Ready(_) => None,
    });
    pack.notes.iter().cloned().chain(disabled).chain(compiled.notes).collect()
}

/// What a flow may call.
#[derive(Clone, Copy, Debug)]
pub enum Callee<'a> {
    /// A component, by its id.
    Component(&'a Id),
    /// A provider.
    Provider(&'a ProviderDecl),
}

/// What a pack declares to offer to its flows. Components may name operations of their own when they are prepared, so
/// it is not complete.
#[derive(Clone, Copy)]
pub struct Declared<'a> {
    /// The pack.
    pub pack: &'a Pack,
    /// Whether something can be called, as far as somebody has looked. Asked whenever a flow names it.
    pub callable: &'a dyn Fn(Callee<'_>) -> Result<()>,
}

impl Catalog for Declared<'_> {
    fn component(&self, id: &str) -> Option<ComponentInfo> {
        let component = self.pack.components.get(id)?;
        let ops = component.operations.iter().map(|op| op.name.clone()).collect();
        Some(ComponentInfo {
            callable: (self.callable)(Callee::Component(&component.id)),
            ops: known(ops),
            complete: false,
        })
    }

    fn component_ids(&self) -> Vec<Id> {
        self.pack.components.keys().cloned().collect()
    }

    fn provider(&self, id: &str) -> Option<ProviderInfo> {
        let decl = self.pack.providers.get(id)?;
        Some(ProviderInfo { callable: (self.callable)(Callee::Provider(decl)), ops: known(decl.ops.clone()) })
    }

    fn providers_of_type(&self, provider_type: &str) -> Vec<Id> {
        self.pack.providers_of_type(provider_type)
    }

    fn provider_ids(&self) -> Vec<Id> {
        self.pack.providers.keys().cloned().collect()
    }

    fn published(&self, reference: &str) -> Option<Id> {
        self.pack.published(reference)
    }

    fn cards(&self) -> Cards {
        self.pack.assets.cards()
    }

    fn is_complete(&self) -> bool {
        false
    }
}

impl std::fmt::Debug for Declared<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Declared").field("pack", &self.pack.id).finish_non_exhaustive()
    }
}

fn known(ops: Vec<String>) -> Option<Vec<String>> {
    (!ops.is_empty()).then_some(ops)
}
