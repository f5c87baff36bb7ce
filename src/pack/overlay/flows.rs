//! The flows of packs that lie over each other.

use super::{Merged, refuse};
use crate::error::{Code, Error, Result};
use crate::flow::doc::{FlowDoc, FlowKind};
use crate::id::Id;

impl Merged {
    /// Adds the flows of the pack at `at`; those of the packs below it are there already. A flow takes the place of
    /// the one below with its id. `sole` are the kinds of which events start the only flow: where there was one, there
    /// has to be one.
    ///
    /// # Errors
    ///
    /// For each of these kinds, the flows that an event could start now, with their packs.
    pub fn add_flows(&mut self, at: usize, flows: Vec<FlowDoc>, sole: &[FlowKind]) -> Result<()> {
        let only = |kind: &FlowKind| self.only(*kind).map(|id| (id.clone(), self.pack_of_flow(id)));
        let before: Vec<_> = sole.iter().map(only).collect();
        flows.into_iter().for_each(|flow| self.add_flow(at, flow));
        let judged = sole.iter().zip(before).filter_map(|(kind, only)| self.unclear(at, *kind, &only?));
        refuse(judged.collect())
    }

    /// The place of the pack that flow `id` came with.
    pub fn pack_of_flow(&self, id: &str) -> usize {
        self.flows.get(id).copied().unwrap_or_default()
    }

    fn add_flow(&mut self, at: usize, flow: FlowDoc) {
        let below = self.flows.get(&flow.id).is_some_and(|from| *from < at);
        self.flows.insert(flow.id.clone(), at);
        if !below {
            // A pack that has two flows of one id keeps both, so that compiling tells of them.
            self.pack.flows.push(flow);
            return;
        }
        let mut met = false;
        self.pack.flows.retain(|known| known.id != flow.id || !std::mem::replace(&mut met, true));
        if let Some(known) = self.pack.flows.iter_mut().find(|known| known.id == flow.id) {
            *known = flow;
        }
    }

    /// The only flow of a kind.
    fn only(&self, kind: FlowKind) -> Option<&Id> {
        let mut of_kind = self.pack.flows.iter().filter(|flow| flow.kind == kind);
        of_kind.next().filter(|_| of_kind.next().is_none()).map(|flow| &flow.id)
    }

    /// What is wrong if `only`, of the pack at its side, is not the only flow of its kind any more.
    fn unclear(&self, at: usize, kind: FlowKind, (only, of): &(Id, usize)) -> Option<Error> {
        let mut ids: Vec<&Id> = self.pack.flows.iter().filter(|flow| flow.kind == kind).map(|flow| &flow.id).collect();
        if ids.len() == 1 {
            return None;
        }
        ids.retain(|id| *id != only);
        let (kind, first, overlay) = (kind.name(), self.named(*of), self.named(at));
        let message = match ids.as_slice() {
            [] => format!(
                "events start the only {kind} flow, which is {only:?} of {first}; {overlay} makes another kind of it"
            ),
            added => {
                let added: Vec<_> = added.iter().map(|id| format!("{id:?}")).collect();
                let added = added.join(", ");
                format!("events start the only {kind} flow, which is {only:?} of {first}; {overlay} adds {added}")
            }
        };
        Some(Error::new(Code::OverlayFlow, message).hint(format!(
            "give the overlay's flow the id {only:?} to replace that flow, or a kind other than {kind} if flows call it"
        )))
    }
}
