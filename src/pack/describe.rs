//! What a pack says of itself, from its manifest and from every other file that says something: its flows, its
//! components, and where these lie.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::error::{Code, Error, Result};
use crate::flow::compile::is_builtin;
use crate::id::Id;
use crate::pack::component_sources::{self, Source};
use crate::pack::files::Files;
use crate::pack::lock::{self, Locked};
use crate::pack::manifest::{self, ComponentEntry, Decoded, Manifest};
use crate::pack::model::Generation;
use crate::pack::resolve::Wanted;
use crate::pack::{LoadOptions, component_manifests, legacy, runtime_flows};

/// A pack's description. The components of its manifest are among those `wanted`.
pub(super) struct Described {
    pub(super) manifest: Manifest,
    pub(super) generation: Option<Generation>,
    pub(super) wanted: Vec<Wanted>,
    /// What the current form of packs has no place for, and what was put aside.
    pub(super) unplaced: Vec<String>,
    /// The files that it was read from, beside the manifest.
    pub(super) read: Vec<String>,
    pub(super) notes: Vec<Error>,
    /// The lock file outside of the pack that it was read from as well.
    pub(super) beside: Option<PathBuf>,
}

/// Reads the manifest and what goes with it. `archive` is where the pack lies, if it is an archive.
pub(super) fn packed(files: &mut dyn Files, archive: Option<&Path>, options: &LoadOptions) -> Result<Described> {
    if !files.has(manifest::FILE) {
        let message = format!("the pack has no {}", manifest::FILE);
        return Err(Error::new(Code::ManifestMissing, message).hint("build the pack with `pack build`"));
    }
    let place = files.place(manifest::FILE);
    let decoded = Decoded::read(&files.read(manifest::FILE)?, &place, &options.limits)?;
    let mut read = Vec::new();
    let (mut manifest, mut sources, mut facts, mut notes, mut unplaced, generation) = match decoded {
        Decoded::Current(manifest) => {
            (manifest, IndexMap::new(), Vec::new(), Vec::new(), Vec::new(), Generation::PackV1)
        }
        Decoded::Legacy(manifest) => {
            let legacy::Read { manifest, sources, described_in, unplaced, mut notes } =
                legacy::read(manifest, files, &place)?;
            let mut facts = Vec::new();
            for (id, name) in described_in {
                facts.extend(component_manifests::file(&id, &name, None, files, &options.limits, &mut notes)?);
                read.push(name);
            }
            (manifest, sources, facts, notes, unplaced, Generation::Legacy)
        }
    };
    if let Some(flows) = runtime_flows::read(&manifest.extensions, &place)? {
        let replaced = std::mem::replace(&mut manifest.flows, flows);
        unplaced.extend(
            replaced.iter().map(|flow| format!("flow {} of the manifest, which runtime flows replace", flow.id)),
        );
    }
    let lock = lock::find(files, archive, &options.limits);
    notes.extend(lock.notes);
    for (id, source) in
        component_sources::read(manifest.extensions.get(component_sources::KEY), &place, &options.limits)?
    {
        sources.entry(id).or_default().merge(source);
    }
    let extension = manifest.extensions.get(component_manifests::KEY);
    facts.extend(component_manifests::read(extension, files, &place, &options.limits, &mut read, &mut notes)?);
    let wanted = wanted(&mut manifest, sources, facts, lock.components);
    Ok(Described { manifest, generation: Some(generation), wanted, unplaced, read, notes, beside: lock.beside })
}

/// The description of a pack of sources, which its author wrote.
pub(super) fn sources(mut manifest: Manifest, place: &str, options: &LoadOptions) -> Result<Described> {
    let sources = component_sources::read(manifest.extensions.get(component_sources::KEY), place, &options.limits)?;
    let wanted = wanted(&mut manifest, sources, Vec::new(), IndexMap::new());
    let (unplaced, read, notes) = (Vec::new(), Vec::new(), Vec::new());
    Ok(Described { manifest, generation: None, wanted, unplaced, read, notes, beside: None })
}

/// The components of the manifest; in packs whose manifest has none those of their sources, and those of the lock
/// file as far as they are there.
fn wanted(
    manifest: &mut Manifest,
    mut sources: IndexMap<Id, Source>,
    facts: Vec<ComponentEntry>,
    locked: IndexMap<Id, Locked>,
) -> Vec<Wanted> {
    let mut wanted: IndexMap<Id, Wanted> = IndexMap::new();
    let named = !manifest.components.is_empty();
    for entry in std::mem::take(&mut manifest.components) {
        let source = sources.swap_remove(&entry.id).unwrap_or_default();
        wanted.insert(entry.id.clone(), Wanted { id: entry.id.clone(), entry: Some(entry), source, required: true });
    }
    if !named {
        for (id, source) in sources {
            wanted.insert(id.clone(), Wanted { id, entry: None, source, required: true });
        }
    }
    for entry in facts {
        if let Some(wanted) = wanted.get_mut(&entry.id) {
            wanted.learn(entry);
        }
    }
    for (id, locked) in locked {
        // Tools write down whatever flows call, builtins among it.
        if !named && !is_builtin(&id) {
            let absent = || Wanted { id: id.clone(), entry: None, source: Source::default(), required: false };
            wanted.entry(id.clone()).or_insert_with(absent);
        }
        if let Some(wanted) = wanted.get_mut(&id) {
            locked.describe(&id).into_iter().for_each(|entry| wanted.learn(entry));
            // A lock file is newer than the manifest: it was written when components were resolved.
            let known = std::mem::replace(&mut wanted.source, locked.source);
            wanted.source.merge(known);
        }
    }
    wanted.into_values().collect()
}
