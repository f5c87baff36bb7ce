//! From a pack in any form that is read to an archive in the one form that is written.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use semver::Version;
use serde_json::{Map, Value};

use crate::error::{Code, Error, Result};
use crate::flow::doc::FlowDoc;
use crate::pack::describe::Described;
use crate::pack::files::Files;
use crate::pack::load::{Opened, Whole, open};
use crate::pack::manifest::{self, ComponentEntry, Manifest};
use crate::pack::model::{Digest, Pack, PackComponent};
use crate::pack::{
    LoadOptions, build, component_manifests, component_sources, load_bytes, lock, resolve, runtime_flows, sbom,
};

/// Folders that a pack in the current form has.
const FOLDERS: [&str; 5] = ["assets/", "fixtures/", "i18n/", "qa/", "schemas/"];

/// What a migration wrote.
#[derive(Debug)]
pub struct Migration {
    /// The archive.
    pub path: PathBuf,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// What the old pack said or held and the new one has no place for, for people.
    pub lost: Vec<String>,
    /// The pack as it was read back from the archive.
    pub pack: Pack,
}

/// Writes the pack at `old` as a pack-v1 archive `out`, as a whole or not at all. The same pack gives the same bytes.
///
/// # Errors
///
/// What loading the pack can fail with; `Migrate` if it is no packed pack or a flow would not be the same, `PackBuild`
/// if `out` cannot be written.
pub fn migrate(old: &Path, out: &Path, options: &LoadOptions) -> Result<Migration> {
    let refuse =
        |what: &str, hint: &str| Err(Error::new(Code::Migrate, format!("{} {what}", old.display())).hint(hint));
    let mut opened = match open(old, options)? {
        Whole::Opened(opened) if opened.described.generation.is_some() => opened,
        Whole::Opened(_) => return refuse("holds the sources of a pack", "`pack build` makes a pack of them"),
        Whole::Component(_) => return refuse("is a single component", "put it into a pack as components/<id>.wasm"),
    };
    let pack = opened.assemble(options).map_err(|error| error.in_file(old))?;
    let Opened { files, described, .. } = &mut opened;
    let mut lost = std::mem::take(&mut described.unplaced);
    let manifest = manifest(described, &pack, &mut lost);
    let encoded = manifest.encode().map_err(|error| {
        Error::new(Code::Migrate, "the pack says what the current form cannot hold").with_details(vec![error])
    })?;
    let entries = entries(encoded, &pack, described, &mut **files, &mut lost)?;
    let bytes = build::archive(&entries).map_err(|error| {
        Error::new(Code::Internal, format!("the archive of {} cannot be made: {error}", old.display()))
    })?;
    let read_back = load_bytes(bytes.clone(), &out.display().to_string(), &LoadOptions::default())?;
    same_flows(&pack, &read_back)?;
    build::write(&bytes, out)?;
    Ok(Migration { path: out.to_owned(), digest: read_back.digest, lost, pack: read_back })
}

/// The manifest with everything that stood elsewhere, and without what pointed there.
fn manifest(described: &Described, pack: &Pack, lost: &mut Vec<String>) -> Manifest {
    let mut manifest = described.manifest.clone();
    let wanted = described.wanted.iter().filter_map(|wanted| Some((pack.components.get(&wanted.id)?, wanted)));
    manifest.components = wanted
        .clone()
        .map(|(component, wanted)| wanted.entry.clone().unwrap_or_else(|| undescribed(component, &manifest.version)))
        .collect();
    for key in [component_sources::KEY, component_manifests::KEY].iter().chain(&runtime_flows::KEYS) {
        manifest.extensions.shift_remove(*key);
    }
    let sources = component_sources::write(wanted.map(|(component, wanted)| (component, &wanted.source)));
    manifest.extensions.extend(sources.map(|extension| (component_sources::KEY.to_owned(), extension)));
    let signatures = manifest.signatures.get("signatures").and_then(Value::as_array);
    if signatures.is_some_and(|list| !list.is_empty()) {
        lost.push("the manifest's signatures".to_owned());
    }
    manifest.signatures = Value::Null;
    manifest
}

fn undescribed(component: &PackComponent, version: &Version) -> ComponentEntry {
    ComponentEntry {
        id: component.id.clone(),
        version: version.clone(),
        world: None,
        operations: Vec::new(),
        capabilities: None,
        supports: Vec::new(),
        rest: Map::new(),
    }
}

/// The files of the archive.
fn entries(
    encoded: Vec<u8>,
    pack: &Pack,
    described: &Described,
    files: &mut dyn Files,
    lost: &mut Vec<String>,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut entries = BTreeMap::from([(manifest::FILE.to_owned(), encoded)]);
    for component in pack.components.values() {
        entries.insert(resolve::file_name(&component.id), component.wasm.to_vec());
    }
    entries.extend(pack.assets.iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())));
    for name in files.list("")? {
        if FOLDERS.iter().any(|folder| name.starts_with(folder)) {
            if let Entry::Vacant(free) = entries.entry(name) {
                let bytes = files.read(free.key())?;
                free.insert(bytes);
            }
        } else if !is_said_otherwise(&name, &files.place(&name), pack, described) {
            lost.push(name);
        }
    }
    sbom::add(&mut entries)?;
    Ok(entries)
}

/// Whether the new pack says what the file `name` of the old one says.
fn is_said_otherwise(name: &str, place: &str, pack: &Pack, described: &Described) -> bool {
    let is_manifest = [manifest::FILE, "manifest.json"].contains(&name) || sbom::FILES.contains(&name);
    let is_component = described
        .wanted
        .iter()
        .any(|wanted| wanted.source.file.as_deref() == Some(name) || resolve::file_name(&wanted.id) == name);
    let describes = described.read.iter().any(|read| read == name);
    let is_flow = pack.flows.iter().any(|flow| flow.origin.file == place);
    is_manifest || is_component || describes || is_flow || lock::NAMES.contains(&name)
}

/// Compares the flows of both packs, but for where they stood.
fn same_flows(old: &Pack, new: &Pack) -> Result<()> {
    let placeless = |doc: &FlowDoc| {
        let mut doc = doc.clone();
        doc.origin.file.clear();
        doc.origin.position = None;
        doc.nodes.values_mut().for_each(|node| node.location = None);
        doc.tags.sort_unstable();
        doc.tags.dedup();
        doc
    };
    for flow in &old.flows {
        let kept = new.flows.iter().find(|other| other.id == flow.id);
        if kept.is_none_or(|kept| placeless(kept) != placeless(flow)) {
            let message = format!("flow {:?} has no form in a pack of the current generation", flow.id);
            return Err(Error::new(Code::Migrate, message).at(flow.origin.clone()));
        }
    }
    Ok(())
}
