//! Loading packs for a tenant: read, merge, prepare, ask the providers, compile the flows.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::abi::{Prepared, Registry};
use crate::capabilities::AssetsDir;
use crate::capabilities::services::Services;
use crate::config::HostConfig;
use crate::engine::Binary;
use crate::error::{Code, Error, Kind, Result};
use crate::flow::compile::{compile, tools_named};
use crate::flow::doc::FlowDoc;
use crate::flow::model::{FlowSet, FlowState, Retry};
use crate::id::{Id, clip};
use crate::pack::model::{Pack, PackComponent};
use crate::pack::overlay::{self, Merged};
use crate::pack::{self, Assets, LoadOptions};
use crate::run::program::{Program, Provider};
use crate::tenant::catalog::{Components, LoadedComponent, NamedTools, PackCatalog, Providers};
use crate::tenant::exported::{self, Flows};
use crate::tenant::overlaid::{self, Layer};
use crate::tenant::stored::{self, Instance, Stored};
use crate::tenant::unmet;
use crate::tenant::{Loaded, PackSet, provider};

/// Reads a pack; the work is done where it may block.
pub async fn read(path: &Path, options: LoadOptions) -> Result<Pack> {
    read_by(pack::load, path, options).await
}

/// Reads a component as a pack of its own, as [`read`] does.
pub async fn read_component(path: &Path, options: LoadOptions) -> Result<Pack> {
    read_by(pack::load_component, path, options).await
}

async fn read_by(reader: fn(&Path, &LoadOptions) -> Result<Pack>, path: &Path, options: LoadOptions) -> Result<Pack> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || reader(&path, &options))
        .await
        .map_err(|e| Error::new(Code::Internal, format!("reading a pack did not end well: {e}")))?
}

/// Prepares packs for a tenant, with the providers that were stored for it. Refuses them if nothing of them could run, if an overlay does what it may not, or,
/// under `strict`, if anything is wrong.
pub async fn prepare(
    registry: &Registry,
    config: &HostConfig,
    services: Services,
    env: &Id,
    set: PackSet,
    instances: &[Arc<Instance>],
    strict: bool,
) -> Result<Loaded> {
    // Before anything of the packs runs.
    let main = &set.main.pack;
    if let Some(bound) = config.pack_binding() {
        bound.check(&main.id, &main.version, &main.digest.to_string())?;
    }
    let packs: Vec<&Pack> = set.packs().map(|sourced| &*sourced.pack).collect();
    let mut merged = overlay::merge(&packs)?;
    overlaid::check_grants(registry, config, &merged).await?;
    let components = prepare_components(registry, config, &merged).await;
    unless_unavailable(components.values())?;
    let layers = add_flows(config, &mut merged, packs, &components).await?;
    if let Some(bound) = config.pack_binding() {
        bound.check_flows(&main.id, merged.pack.flows.iter().map(|flow| &flow.id))?;
    }
    let providers = load_providers(config, &merged, &components).await;
    unless_unavailable(providers.values())?;
    let stored = stored::bind(instances, &merged, &components, &config.limits()).await?;
    let pack = &merged.pack;
    let cards = pack.assets.cards();
    let tools = prepare_tools(&services, &pack.flows).await;
    unless_unavailable(tools.values())?;
    let catalog = PackCatalog {
        pack,
        components: &components,
        providers: &providers,
        stored: &stored,
        tools: &tools,
        cards: &cards,
    };
    let mut flows = compile(&pack.flows, &catalog);
    overlaid::name_overlays(&mut flows, &merged);
    let mut notes = notes_of(pack, &flows, &components, &providers);
    overlaid::check_unbroken(&merged, &layers, &flows, &components, (&providers, &stored), &tools)?;
    refuse_useless(pack, &flows, &components, &providers, strict, &notes)?;
    notes.extend(advice(config, pack, &providers));
    notes.extend(unmet::of_grants(config, &services, &components));
    notes.extend(stored::advice(&stored));
    let readers = components.values().filter_map(|component| component.as_ref().ok()).filter(|_| config.wasi().assets);
    let assets_dir = assets_dir(registry, &pack.assets, readers.map(|component| &*component.prepared)).await?;
    let overlaid = pack.components.keys().filter(|id| merged.pack_of_component(id) > 0).cloned().collect();
    let retry = config.retry_config();
    let program = Program {
        tenant: config.tenant().clone(),
        env: env.clone(),
        pack: pack.id.clone(),
        version: pack.version.clone(),
        digest: merged.digest(),
        packs: merged.packs,
        flows,
        cards,
        components: components.into_iter().filter_map(|(id, c)| Some((id, c.ok()?.prepared))).collect(),
        overlaid,
        providers: callable(providers, stored),
        assets: merged.pack.assets,
        assets_dir,
        services,
        limits: config.limits(),
        run_limits: config.run_limits(),
        retry: Retry { max_attempts: retry.max_attempts, base_delay: retry.base_delay },
        wait_ttl: config.wait_ttl(),
    };
    Ok(Loaded { program: Arc::new(program), prepared_notes: notes.len(), notes, set })
}

/// What flows call under the providers' ids. What was stored hides what a pack declares, also where it cannot be called.
fn callable(declared: Providers, stored: Stored) -> HashMap<Id, Result<Provider>> {
    let declared = declared.into_iter().filter_map(|(id, provider)| Some((id, Ok(provider.ok()?.provider))));
    let stored = stored.into_iter().map(|(id, bound)| (id, bound.loaded.map(|loaded| loaded.provider)));
    declared.chain(stored).collect()
}

/// Adds the flows of each pack, and keeps them for comparing if there are overlays.
async fn add_flows<'a>(
    config: &HostConfig,
    merged: &mut Merged,
    packs: Vec<&'a Pack>,
    components: &Components,
) -> Result<Vec<Layer<'a>>> {
    let (sole, overlaid) = (overlaid::sole_kinds(config), packs.len() > 1);
    let mut layers = Vec::new();
    for (at, pack) in packs.into_iter().enumerate() {
        let Flows { flows, notes } = exported::flows(pack, components, &config.limits()).await?;
        let notes: Vec<_> = notes.into_iter().map(|note| merged.about(at, note)).collect();
        merged.pack.notes.extend(notes);
        if overlaid {
            layers.push(Layer { pack, flows: flows.clone() });
        }
        merged.add_flows(at, flows, &sole)?;
    }
    Ok(layers)
}

/// The pack's assets as files, if it has any and one of its components reads files.
pub async fn assets_dir<'a>(
    registry: &Registry,
    assets: &Assets,
    mut components: impl Iterator<Item = &'a Prepared>,
) -> Result<Option<Arc<AssetsDir>>> {
    if assets.is_empty() || !components.any(Prepared::reads_files) {
        return Ok(None);
    }
    let files = assets.below().map(|(name, bytes)| (name.to_owned(), bytes.clone())).collect();
    registry.assets(assets.digest().0, files).await.map(Some)
}

async fn prepare_components(registry: &Registry, config: &HostConfig, merged: &Merged) -> Components {
    let prepares = merged.pack.components.values().map(|component| async {
        let loaded = load_component(registry, config, component).await;
        let at = merged.pack_of_component(&component.id);
        (component.id.clone(), loaded.map_err(|error| merged.about(at, error.in_file(&component.found_in))))
    });
    futures::future::join_all(prepares).await.into_iter().collect()
}

/// A host that is too busy to try a component says nothing about the component: the load fails, and what is loaded
/// stays in place.
fn unless_unavailable<'a, T: 'a>(results: impl Iterator<Item = &'a Result<T>>) -> Result<()> {
    let unavailable = |error: &&Error| error.code().kind() == Kind::Unavailable;
    results.filter_map(|result| result.as_ref().err()).find(unavailable).map_or(Ok(()), |error| Err(error.clone()))
}

async fn load_component(
    registry: &Registry,
    config: &HostConfig,
    component: &PackComponent,
) -> Result<LoadedComponent> {
    let binary = Binary { name: &component.id, bytes: &component.wasm, digest: component.digest.0 };
    registry.admit(&binary, &config.limits()).await?;
    let prepared = registry.prepare(&binary, config.grants()).await?;
    let limits = config.limits();
    let mut ops: Vec<_> = component.operations.iter().map(|op| op.name.clone()).collect();
    let mut notes = Vec::new();
    let mut describes_all = false;
    if prepared.component_callable().is_ok() {
        let own = prepared.component_ops(&component.id, &limits).await;
        let own = own.or_else(|error| silent(&component.id, error).map(|note| notes.push(note)).map(|()| None))?;
        describes_all = own.is_some() && prepared.describes_all_ops();
        ops.extend(own.into_iter().flatten().filter(|op| !component.operations.iter().any(|known| known.name == *op)));
    }
    Ok(LoadedComponent { prepared, ops: (!ops.is_empty()).then_some(ops), describes_all, notes })
}

/// A component that fails to describe itself can be called nevertheless: then its operations are not known.
fn silent(id: &Id, cause: Error) -> Result<Error> {
    if cause.code().kind() == Kind::Unavailable {
        return Err(cause);
    }
    let error = Error::new(Code::ComponentDescribe, format!("component {id} cannot say what it is"));
    Ok(error.hint("flows may call any operation of it; name those it has in the manifest").with_details(vec![cause]))
}

async fn load_providers(config: &HostConfig, merged: &Merged, components: &Components) -> Providers {
    let loads = merged.pack.providers.values().map(|decl| async {
        let loaded = match components.get(&decl.component) {
            Some(Ok(component)) => {
                let own = config.provider_config(&decl.id).cloned().map(Value::Object);
                let component = Arc::clone(&component.prepared);
                let loaded = provider::load(decl, component, own.as_ref(), &config.limits()).await;
                loaded.map_err(|error| merged.about(merged.pack_of_provider(&decl.id), error))
            }
            Some(Err(error)) => Err(error.clone()),
            None => Err(Error::new(
                Code::ComponentUnknown,
                format!("provider {} names component {}, which the pack does not have", decl.id, decl.component),
            )),
        };
        (decl.id.clone(), loaded)
    });
    futures::future::join_all(loads).await.into_iter().collect()
}

/// Makes the tools ready that flows name.
async fn prepare_tools(services: &Services, flows: &[FlowDoc]) -> NamedTools {
    let prepares = tools_named(flows).into_iter().map(|name| async {
        let ready = match &services.mcp {
            Some(tools) => tools.prepare(&name).await,
            None => Err(Error::new(Code::ToolsDenied, "the tenant's bindings have no `mcp` block")
                .hint("add `mcp:` with the server or the store that has the tool")),
        };
        (name, ready)
    });
    futures::future::join_all(prepares).await.into_iter().collect()
}

fn notes_of(pack: &Pack, flows: &FlowSet, components: &Components, providers: &Providers) -> Vec<Error> {
    let mut notes = pack.notes.clone();
    notes.extend(pack.components.keys().filter_map(|id| components.get(id)?.as_ref().err().cloned()));
    notes.extend(
        pack.components.keys().filter_map(|id| components.get(id)?.as_ref().ok()).flat_map(|c| c.notes.clone()),
    );
    let own = pack.providers.values().filter(|decl| !matches!(components.get(&decl.component), Some(Err(_))));
    notes.extend(own.filter_map(|decl| providers.get(&decl.id)?.as_ref().err().cloned()));
    notes.extend(flows.flows.values().filter_map(|flow| match flow {
        FlowState::Disabled { reason, .. } => Some(reason.clone()),
        FlowState::Ready(_) => None,
    }));
    notes.extend(flows.notes.iter().cloned());
    notes
}

/// What is not the pack's fault, and so does not refuse it, however strict.
fn advice(config: &HostConfig, pack: &Pack, providers: &Providers) -> Vec<Error> {
    let unknown = config.configured_providers().filter(|id| !pack.providers.contains_key(*id)).map(|id| {
        let message = format!("the bindings configure provider {:?}, which pack {} does not have", clip(id), pack.id);
        let hint = format!("it has: {}", pack.providers.keys().map(AsRef::as_ref).collect::<Vec<_>>().join(", "));
        Error::new(Code::ProviderUnknown, message).hint(hint)
    });
    let own = pack.providers.keys().filter_map(|id| providers.get(id)?.as_ref().ok());
    unknown.chain(own.flat_map(|provider| provider.advice.iter().cloned())).collect()
}

/// Whether nothing is broken about flows none of which can run: they have no nodes, or call components that export
/// nothing, or providers that may be stored yet. Packs in circulation hold such flows for tools to fill in, and are used
/// without them.
fn is_inert(flows: &FlowSet, components: &Components) -> bool {
    let hollow = components.values().flatten().any(|component| component.prepared.is_empty());
    let provides = components.values().flatten().any(|component| component.prepared.provider_callable().is_ok());
    let reasons = flows.flows.values().filter_map(|flow| match flow {
        FlowState::Disabled { reason, .. } => Some(reason),
        FlowState::Ready(_) => None,
    });
    let inert = |code| match code {
        Code::FlowEmpty => true,
        Code::ExportMissing => hollow,
        Code::ProviderUnknown => provides,
        _ => false,
    };
    reasons.into_iter().all(|reason| match reason.details() {
        [] => inert(reason.code()),
        details => details.iter().all(|detail| inert(detail.code())),
    })
}

fn refuse_useless(
    pack: &Pack,
    flows: &FlowSet,
    components: &Components,
    providers: &Providers,
    strict: bool,
    notes: &[Error],
) -> Result<()> {
    let ready = flows.flows.values().any(|flow| matches!(flow, FlowState::Ready(_)));
    let broken = components.values().any(Result::is_err) || providers.values().any(Result::is_err);
    let useless = if flows.flows.is_empty() { broken } else { !ready && (broken || !is_inert(flows, components)) };
    if !useless && (!strict || notes.is_empty()) {
        return Ok(());
    }
    let summary = if useless {
        format!("nothing of pack {} {} can run", pack.id, pack.version)
    } else {
        format!("pack {} {} has findings, and strict loading is on", pack.id, pack.version)
    };
    let error = Error::from_many(Code::Nonconforming, summary, notes.to_vec());
    Err(error.in_file(&pack.path))
}
