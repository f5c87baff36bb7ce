//! What an overlay may not do to the packs below it: get more than they get, and keep from running what runs without it.

use std::collections::BTreeMap;

use super::catalog::{Components, NamedTools, PackCatalog, Providers};
use super::stored::Stored;
use crate::abi::Registry;
use crate::capabilities::grants::Grants;
use crate::config::HostConfig;
use crate::engine::Binary;
use crate::error::{Code, Error, Result};
use crate::flow::compile::compile;
use crate::flow::doc::{FlowDoc, FlowKind};
use crate::flow::model::{FlowSet, FlowState};
use crate::id::Id;
use crate::pack::model::Pack;
use crate::pack::overlay::{self, Merged};

/// A pack and its flows, those that its component lists among them.
pub(super) struct Layer<'a> {
    pub(super) pack: &'a Pack,
    pub(super) flows: Vec<FlowDoc>,
}

/// The kinds of which events start the only flow: what chats bring, and what the bindings bind to a channel. A request
/// to a webhook names its flow.
pub(super) fn sole_kinds(config: &HostConfig) -> Vec<FlowKind> {
    let bound = config.flow_types().filter_map(|(flow_type, _)| FlowKind::named(flow_type));
    let mut kinds = vec![FlowKind::Messaging];
    for kind in bound.filter(|kind| *kind != FlowKind::Http) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Refuses overlays with a component that imports what no component of the main pack does, unless the bindings allow
/// it. Nothing has run then. A component that cannot be read is refused by itself, later.
pub(super) async fn check_grants(registry: &Registry, config: &HostConfig, merged: &Merged) -> Result<()> {
    if merged.packs.len() < 2 {
        return Ok(());
    }
    let granted = config.grants();
    let reads = merged.pack.components.values().map(|component| async move {
        let binary = Binary { name: &component.id, bytes: &component.wasm, digest: component.digest.0 };
        (component, registry.needs(&binary, granted).await.unwrap_or_default().and(granted))
    });
    let needs = futures::future::join_all(reads).await;
    let (main, over): (Vec<_>, Vec<_>) =
        needs.into_iter().partition(|(component, _)| merged.pack_of_component(&component.id) == 0);
    let main = main.into_iter().fold(Grants::none(), |all, (_, needs)| all.or(needs));
    let allowed = config.overlay_grants(main);
    let findings: Vec<_> = over
        .into_iter()
        .flat_map(|(component, needs)| needs.beyond(allowed).iter().map(move |grant| (component, grant)))
        .map(|(component, grant)| {
            let (overlay, main) = (merged.named(merged.pack_of_component(&component.id)), merged.named(0));
            let message = format!(
                "{overlay}: component {:?} imports what takes the grant `{grant}`, and no component of {main} does",
                component.id
            );
            let hint = format!(
                "remove the import, or allow overlays of tenant {} the grant with packs.overlay_grants: [{grant}] in its \
                 bindings",
                config.tenant()
            );
            Error::new(Code::OverlayGrant, message).in_file(&component.found_in).hint(hint)
        })
        .collect();
    refuse(Code::OverlayGrant, "overlays ask for more than they get", findings)
}

/// Says of each flow of an overlay that cannot run which overlay it is of.
pub(super) fn name_overlays(flows: &mut FlowSet, merged: &Merged) {
    for (id, state) in &mut flows.flows {
        if let FlowState::Disabled { reason, .. } = state {
            *reason = merged.about(merged.pack_of_flow(id), reason.clone());
        }
    }
}

/// Refuses packs of which a flow cannot run that runs without the upper ones. A flow that no pack could run before is
/// disabled as usual.
pub(super) fn check_unbroken(
    merged: &Merged,
    layers: &[Layer<'_>],
    flows: &FlowSet,
    components: &Components,
    providers: (&Providers, &Stored),
    tools: &NamedTools,
) -> Result<()> {
    let disabled = || {
        flows.flows.iter().filter_map(|(id, state)| match state {
            FlowState::Disabled { reason, .. } => Some((id, reason)),
            FlowState::Ready(_) => None,
        })
    };
    if layers.len() < 2 || disabled().next().is_none() {
        return Ok(());
    }
    // How many packs, from the main pack on, it takes for a flow to run.
    let mut runs: BTreeMap<Id, usize> = BTreeMap::new();
    for count in 1..layers.len() {
        let below = layers.get(..count).unwrap_or_default();
        let ready = ready(below, components, providers, tools)?;
        runs.extend(ready.into_iter().map(|id| (id, count)));
    }
    let findings = disabled().filter_map(|(id, reason)| {
        let count = *runs.get(id)?;
        let culprits = match merged.pack_of_flow(id) {
            own if own >= count => merged.named(own),
            _ => (count..layers.len()).map(|at| merged.named(at)).collect::<Vec<_>>().join(", "),
        };
        let message = format!("flow {id:?} runs without {culprits}, and cannot run with it");
        let hint = "repair what is listed, or leave the overlay out; what ran before goes on running";
        Some(Error::new(Code::OverlayBreaks, message).hint(hint).with_details(vec![reason.clone()]))
    });
    refuse(Code::OverlayBreaks, "overlays keep flows from running", findings.collect())
}

/// The flows of these packs that can run without those above them.
fn ready(
    layers: &[Layer<'_>],
    components: &Components,
    (providers, stored): (&Providers, &Stored),
    tools: &NamedTools,
) -> Result<Vec<Id>> {
    let packs: Vec<_> = layers.iter().map(|layer| layer.pack).collect();
    let mut merged = overlay::merge(&packs)?;
    for (at, layer) in layers.iter().enumerate() {
        merged.add_flows(at, layer.flows.clone(), &[])?;
    }
    let cards = merged.pack.assets.cards();
    let catalog = PackCatalog { pack: &merged.pack, components, providers, stored, tools, cards: &cards };
    let flows = compile(&merged.pack.flows, &catalog);
    let ready = flows.flows.into_iter().filter(|(_, state)| matches!(state, FlowState::Ready(_)));
    Ok(ready.map(|(id, _)| id).collect())
}

fn refuse(code: Code, summary: &str, findings: Vec<Error>) -> Result<()> {
    if findings.is_empty() { Ok(()) } else { Err(Error::from_many(code, summary, findings)) }
}
