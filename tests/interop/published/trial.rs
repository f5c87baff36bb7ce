//! Trying one artefact: what it is by its own types, whether it loads, and what its calls come to.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use greentic_runner_host::capabilities::grants::Grants;
use greentic_runner_host::conform::{self, ComponentShape, Finding, Severity, Surface, Type};
use greentic_runner_host::error::Error;
use greentic_runner_host::pack::{self, LoadOptions};
use greentic_runner_host::{Code, HostBuilder, HostConfig, Result, RunnerHost};
use serde_json::Value;

use super::artefacts::{Artefact, Calls};
use super::files::path_of;
use crate::common::{Sources, event, host_with};

/// What became of an artefact.
pub(crate) struct Trial {
    /// The interfaces that it exports, the generation's record shape beside those that have several.
    pub(crate) exports: Vec<String>,
    /// What it imports beside WASI, and which WASI.
    pub(crate) imports: Vec<String>,
    /// What is found about its imports when everything is granted: what keeps it from loading, and what is converted.
    pub(crate) findings: Vec<Finding>,
    /// What its calls came to.
    pub(crate) calls: Vec<Call>,
    /// For a pack: what it holds, or why it does not load.
    pub(crate) pack: Option<Result<String>>,
}

impl Trial {
    /// What keeps it from loading.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }
}

/// One call, through a flow.
pub(crate) struct Call {
    /// The operation.
    pub(crate) op: &'static str,
    /// What it came to.
    pub(crate) ran: Ran,
}

/// What a call came to.
#[derive(Debug)]
pub(crate) enum Ran {
    /// An answer.
    Answered(Value),
    /// An error that the component made itself.
    Failed(Error),
    /// The pack or the flow did not load, or the host ended the call.
    Refused(Error),
}

/// Tries `artefact`.
pub(crate) async fn of(artefact: &Artefact) -> Trial {
    let path = path_of(artefact);
    let pack = match artefact.calls {
        Calls::Sources => Some(load_pack(&path).await),
        Calls::Built(component) => Some(load_built(&path, component).await),
        Calls::Node(_) | Calls::Provider(_) => None,
    };
    if pack.is_some() {
        return Trial { exports: Vec::new(), imports: Vec::new(), findings: Vec::new(), calls: Vec::new(), pack };
    }
    let shape = conform::inspect(artefact.name, &fs::read(&path).unwrap()).unwrap();
    let findings = conform::compare(&shape, Surface::host().unwrap(), Grants::all(), &[]).findings;
    let calls = call(&path, &artefact.calls).await;
    Trial { exports: exports(&shape), imports: imports(&shape), findings, calls, pack: None }
}

/// Loads the manifest that was built of the sources in `path`, with its component beside it as in an archive.
async fn load_built(path: &Path, component: &str) -> Result<String> {
    let dir = tempfile::tempdir().unwrap();
    let components = dir.path().join("components");
    fs::create_dir(&components).unwrap();
    fs::copy(path.join("dist/manifest.cbor"), dir.path().join("manifest.cbor")).unwrap();
    let file = format!("{component}.wasm");
    fs::copy(path.join("components").join(component).join(&file), components.join(&file)).unwrap();
    load_pack(dir.path()).await
}

async fn load_pack(path: &Path) -> Result<String> {
    let pack = pack::load(path, &LoadOptions::default())?;
    let components: Vec<_> = pack.components.keys().map(AsRef::as_ref).collect();
    let holds = format!("{} {}: {}", pack.id, pack.version, components.join(", "));
    let config = HostConfig::from_yaml("tenant: t", "bindings.yaml")?;
    let host = HostBuilder::new().with_config(config).with_memory_store().build()?;
    host.start().await?;
    host.load_pack("t", path).await?;
    Ok(holds)
}

async fn call(path: &Path, calls: &Calls) -> Vec<Call> {
    let (calls, as_provider) = match calls {
        Calls::Node(calls) => (calls(), false),
        Calls::Provider(calls) => (calls(), true),
        Calls::Sources | Calls::Built(_) => return Vec::new(),
    };
    let mut done = Vec::new();
    for (op, input) in calls {
        done.push(Call { op, ran: run(&flow(op, &input, as_provider), path, as_provider).await });
    }
    done
}

/// A flow of one node, which calls `op` with `input`.
fn flow(op: &str, input: &Value, as_provider: bool) -> String {
    let node = match as_provider {
        true => format!("provider.invoke: {{ provider_id: p, op: {op}, input: {input} }}"),
        false => format!("c: {input}\n    operation: {op}"),
    };
    format!("id: f\ntype: messaging\nnodes:\n  n:\n    {node}\n")
}

async fn run(flow: &str, component: &Path, as_provider: bool) -> Ran {
    let mut pack = Sources::of_flow(flow).component_file("c", component);
    if as_provider {
        pack = pack.file("pack.yaml", "pack_id: p\nproviders: [{ provider_type: t, provider_id: p, component: c }]");
    }
    let host = match host_with(&pack).await {
        Ok(host) => host,
        Err(error) => return Ran::Refused(error),
    };
    match outcome(&host).await {
        Ok(answer) => Ran::Answered(answer),
        Err(error) if error.code() == Code::ComponentFailed => Ran::Failed(error),
        Err(error) => Ran::Refused(error),
    }
}

async fn outcome(host: &RunnerHost) -> Result<Value> {
    let outcome = host.submit(event("s", Value::Null)).await?.outcome().await?;
    Ok(outcome.replies.first().cloned().unwrap_or_default())
}

/// What it exports, by package.
fn exports(shape: &ComponentShape) -> Vec<String> {
    let named = shape.exports.iter().map(|(name, interface)| {
        let context = interface.functions.get("invoke").and_then(|f| f.params.first()).map(|(_, ty)| &**ty);
        let beside = context.and_then(shape_of).map(|letter| format!("shape {letter}"));
        (name.as_str(), beside)
    });
    by_package(named)
}

/// Interfaces by package, with what is said beside each.
fn by_package<'a>(named: impl Iterator<Item = (&'a str, Option<String>)>) -> Vec<String> {
    let mut packages: Vec<(String, Vec<String>)> = Vec::new();
    for (name, beside) in named {
        let (path, version) = name.split_once('@').unwrap();
        let (package, interface) = path.split_once('/').unwrap();
        let package = format!("{package}@{version}");
        let interface = match beside {
            Some(beside) => format!("{interface}: {beside}"),
            None => interface.to_owned(),
        };
        match packages.iter_mut().find(|(known, _)| *known == package) {
            Some((_, interfaces)) => interfaces.push(interface),
            None => packages.push((package, vec![interface])),
        }
    }
    packages.iter().map(|(package, interfaces)| format!("`{package}` ({})", interfaces.join(", "))).collect()
}

/// Which of the three records that `exec-ctx` has been under one version.
fn shape_of(context: &Type) -> Option<char> {
    let Type::Record(_, fields) = context else { return None };
    let Type::Record(_, tenant) = &*fields.iter().find(|(name, _)| name == "tenant")?.1 else { return None };
    let has = |fields: &[(String, _)], name: &str| fields.iter().any(|(field, _)| field == name);
    match (has(fields, "i18n-id"), has(tenant, "tenant-id")) {
        (false, _) => Some('A'),
        (true, true) => Some('B'),
        (true, false) => Some('C'),
    }
}

/// What it imports beside WASI, by package, and which WASI.
fn imports(shape: &ComponentShape) -> Vec<String> {
    let (wasi, other): (Vec<_>, Vec<_>) = shape.imports.iter().partition(|(name, _)| name.starts_with("wasi:"));
    let named = other
        .into_iter()
        .map(|(name, interface)| (name.as_str(), interface.functions.is_empty().then(|| "types only".to_owned())));
    let mut imports = by_package(named);
    let versions: BTreeSet<_> = wasi.iter().filter_map(|(name, _)| Some(name.split_once('@')?.1)).collect();
    imports.extend(versions.iter().map(|version| format!("WASI {version}")));
    imports
}
