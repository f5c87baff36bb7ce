//! Packs of the generation before pack-v1, brought into the current form: their flows are files of their own.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::error::{Code, Error, Result};
use crate::flow::doc::{FlowDoc, FlowKind};
use crate::flow::{json, ygtc};
use crate::id::Id;
use crate::pack::component_sources::{Source, Stated};
use crate::pack::files::Files;
use crate::pack::manifest::{ComponentEntry, Legacy, LegacyComponent, LegacyFlow, Manifest};

/// What a legacy manifest and its files say.
pub(super) struct Read {
    /// The same in the current form.
    pub(super) manifest: Manifest,
    /// Where the components lie.
    pub(super) sources: IndexMap<Id, Source>,
    /// The files that describe components further, by the component's id.
    pub(super) described_in: Vec<(Id, String)>,
    /// What it says that the current form has no place for.
    pub(super) unplaced: Vec<String>,
    /// What is odd about it.
    pub(super) notes: Vec<Error>,
}

/// Reads the flows that a manifest names. `place` is the manifest's.
pub(super) fn read(legacy: Legacy, files: &mut dyn Files, place: &str) -> Result<Read> {
    let mut notes = Vec::new();
    let flows = flows(legacy.flows, files, place, &mut notes)?;
    let sources = legacy.components.iter().map(|entry| (entry.id.clone(), source(entry, place))).collect();
    let described_in = legacy.components.iter().filter_map(|c| Some((c.id.clone(), c.manifest_file.clone()?)));
    let described_in = described_in.collect();
    let manifest = Manifest {
        id: legacy.id,
        name: legacy.name,
        version: legacy.version,
        kind: legacy.kind,
        publisher: legacy.publisher,
        components: legacy.components.into_iter().map(entry).collect(),
        flows,
        dependencies: legacy.imports,
        capabilities: Vec::new(),
        secret_requirements: Vec::new(),
        signatures: Value::Null,
        bootstrap: Value::Null,
        extensions: legacy.extensions,
    };
    Ok(Read { manifest, sources, described_in, unplaced: legacy.unplaced, notes })
}

fn source(component: &LegacyComponent, place: &str) -> Source {
    let digest = component.hash.as_ref().filter(|hash| !hash.is_empty());
    let prefixed = |hash: &String| if hash.contains(':') { hash.clone() } else { format!("blake3:{hash}") };
    Source {
        file: Some(component.file.clone()),
        digests: digest.map(|hash| Stated { digest: prefixed(hash), by: place.to_owned() }).into_iter().collect(),
        published: String::new(),
    }
}

fn entry(component: LegacyComponent) -> ComponentEntry {
    ComponentEntry {
        id: component.id,
        version: component.version,
        world: component.world,
        operations: Vec::new(),
        capabilities: component.capabilities,
        supports: Vec::new(),
        rest: Map::new(),
    }
}

/// Reads the flows; all that is wrong with any of them is said at once.
fn flows(entries: Vec<LegacyFlow>, files: &mut dyn Files, place: &str, notes: &mut Vec<Error>) -> Result<Vec<FlowDoc>> {
    let (mut flows, mut findings) = (Vec::with_capacity(entries.len()), Vec::new());
    for entry in entries {
        match flow(&entry, files, notes) {
            Ok(doc) => flows.push(doc),
            Err(error) => findings.push(error.in_file(place)),
        }
    }
    if findings.is_empty() {
        return Ok(flows);
    }
    Err(Error::from_many(Code::FlowInvalid, "flows of the pack are not valid", findings))
}

fn flow(entry: &LegacyFlow, files: &mut dyn Files, notes: &mut Vec<Error>) -> Result<FlowDoc> {
    let there = |name: &&String| files.has(name);
    let json = entry.file_json.as_ref().filter(there);
    let Some(name) = json.or(entry.file_yaml.as_ref().filter(there)).cloned() else {
        let named: Vec<_> =
            [&entry.file_json, &entry.file_yaml].into_iter().flatten().map(|n| files.place(n)).collect();
        let message = format!("flow {:?} names {}, which does not exist", entry.id, named.join(" and "));
        return Err(Error::new(Code::FilesMissing, message).hint("the pack is incomplete; build or transfer it again"));
    };
    let (place, json) = (files.place(&name), json.is_some());
    let bytes = files.read(&name)?;
    check_hash(entry, &name, files)?;
    let doc = if json { json::read(&bytes, Path::new(&place)) } else { yaml(bytes, &place) };
    let mut doc = doc.map_err(|error| error.in_file(&place))?;
    if doc.id != entry.id {
        let message = format!("the manifest calls this flow {:?}, the file itself {:?}", entry.id, doc.id);
        notes.push(Error::new(Code::ManifestInvalid, message).in_file(&place));
        doc.id = entry.id.clone();
    }
    // What a flow does not say of its kind becomes a job; the manifest may say it.
    if let (FlowKind::Job, Some(kind)) = (doc.kind, entry.kind) {
        doc.kind = kind;
    }
    if let Some(start) = entry.entry.as_ref().filter(|start| doc.nodes.contains_key(*start)) {
        doc.entrypoints.entry("default".to_owned()).or_insert_with(|| start.clone());
    }
    Ok(doc)
}

fn yaml(bytes: Vec<u8>, place: &str) -> Result<FlowDoc> {
    let text = String::from_utf8(bytes).map_err(|_| Error::new(Code::FlowInvalid, "the file is not UTF-8 text"))?;
    ygtc::parse(&text, place)
}

/// Compares a flow's file with the hash that the manifest states. Some tools state that of the other file.
fn check_hash(entry: &LegacyFlow, name: &str, files: &mut dyn Files) -> Result<()> {
    let Some(stated) = entry.hash.as_deref().filter(|hash| !hash.is_empty()) else { return Ok(()) };
    let stated = stated.strip_prefix("blake3:").unwrap_or(stated);
    for file in [&entry.file_json, &entry.file_yaml].into_iter().flatten() {
        if files.has(file) && files.measure(file)?.hash.to_hex().as_str().eq_ignore_ascii_case(stated) {
            return Ok(());
        }
    }
    let message = format!("flow {:?} is not what the manifest states by its hash", entry.id);
    Err(Error::new(Code::DigestMismatch, message)
        .in_file(files.place(name))
        .hint("the pack was changed after it was built; build it again"))
}
