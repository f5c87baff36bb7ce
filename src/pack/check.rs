//! What is wrong with a pack's flows, as far as the pack itself tells: nothing is compiled to machine code or run.

use crate::error::Error;
use crate::flow::compile::{Catalog, ComponentInfo, ProviderInfo, compile};
use crate::flow::model::FlowState;
use crate::id::Id;
use crate::pack::model::Pack;

/// What is odd about a pack: what loading it noted, the flows that cannot run, and what is odd about the others.
/// Components may name operations of their own when they are prepared, so one that no declaration names is odd and
/// no more.
pub fn findings(pack: &Pack) -> Vec<Error> {
    let compiled = compile(&pack.flows, &Declared(pack));
    let disabled = compiled.flows.into_values().filter_map(|flow| match flow {
        FlowState::Disabled { reason, .. } => Some(reason),
        FlowState::Ready(_) => None,
    });
    pack.notes.iter().cloned().chain(disabled).chain(compiled.notes).collect()
}

/// What a pack declares to offer to its flows.
struct Declared<'a>(&'a Pack);

impl Catalog for Declared<'_> {
    fn component(&self, id: &str) -> Option<ComponentInfo> {
        let ops = self.0.components.get(id)?.operations.iter().map(|op| op.name.clone()).collect();
        Some(ComponentInfo { callable: Ok(()), ops: known(ops) })
    }

    fn component_ids(&self) -> Vec<Id> {
        self.0.components.keys().cloned().collect()
    }

    fn provider(&self, id: &str) -> Option<ProviderInfo> {
        let ops = self.0.providers.get(id)?.ops.clone();
        Some(ProviderInfo { callable: Ok(()), ops: known(ops) })
    }

    fn providers_of_type(&self, provider_type: &str) -> Vec<Id> {
        self.0.providers_of_type(provider_type)
    }

    fn provider_ids(&self) -> Vec<Id> {
        self.0.providers.keys().cloned().collect()
    }

    fn is_complete(&self) -> bool {
        false
    }
}

fn known(ops: Vec<String>) -> Option<Vec<String>> {
    (!ops.is_empty()).then_some(ops)
}
