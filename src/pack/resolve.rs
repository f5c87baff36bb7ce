//! Finding the components of a pack: an override, then the components directory, then the pack itself.

use std::path::PathBuf;

use indexmap::IndexMap;

use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::pack::LoadOptions;
use crate::pack::component_sources::Source;
use crate::pack::directory::read_file;
use crate::pack::files::Files;
use crate::pack::load::Faults;
use crate::pack::manifest::ComponentEntry;
use crate::pack::model::{Digest, PackComponent};

/// A component that the pack names.
pub(super) struct Wanted {
    pub(super) id: Id,
    /// What the manifest says about it, if it says anything.
    pub(super) entry: Option<ComponentEntry>,
    /// Where the pack says that it lies.
    pub(super) source: Source,
    /// Whether the pack is incomplete without it.
    pub(super) required: bool,
}

impl Wanted {
    /// Adds what a further file says about it; what is known already stays.
    pub(super) fn learn(&mut self, other: ComponentEntry) {
        let Some(entry) = &mut self.entry else {
            self.entry = Some(other);
            return;
        };
        if entry.operations.is_empty() {
            entry.operations = other.operations;
        }
        if entry.supports.is_empty() {
            entry.supports = other.supports;
        }
        entry.world = entry.world.take().or(other.world);
        entry.capabilities = entry.capabilities.take().or(other.capabilities);
        for (key, value) in other.rest {
            entry.rest.entry(key).or_insert(value);
        }
    }
}

/// A component, and where it was found or looked for.
type Planned<'a> = (Result<Found, Vec<String>>, &'a Wanted);

/// Where a component was found.
enum Found {
    /// A file outside of the pack.
    Outside(PathBuf),
    /// A file that was fetched from where the pack says that the component was published.
    Fetched(PathBuf),
    /// A file of the pack.
    Inside(String),
}

/// The file that holds component `id` in a pack.
pub(super) fn file_name(id: &str) -> String {
    format!("components/{id}.wasm")
}

/// Finds and reads all components. `named` are further files that the pack names.
pub(super) fn components(
    wanted: &[Wanted],
    named: &[String],
    files: &mut dyn Files,
    options: &LoadOptions,
    notes: &mut Vec<Error>,
    faults: &mut Faults<'_>,
) -> Result<IndexMap<Id, PackComponent>> {
    let plan = wanted.iter().map(|wanted| (find(wanted, files, options), wanted));
    let (plan, dispensable): (Vec<_>, Vec<_>) = plan.partition(|(found, wanted)| found.is_ok() || wanted.required);
    notes.extend(dispensable.iter().map(|(_, wanted)| {
        let message = format!("the lock file names component {:?}, which the pack does not hold", wanted.id);
        Error::new(Code::ComponentsMissing, message)
    }));
    if cfg!(feature = "verify") {
        faults.take(check_all(&plan, named, files))?;
    }
    let mut out = IndexMap::with_capacity(plan.len());
    for (found, wanted) in &plan {
        let Ok(found) = found else {
            // With `verify` all of them are named above.
            if faults.found.is_empty() {
                faults.take::<()>(Err(missing(&plan)))?;
            }
            continue;
        };
        if matches!(found, Found::Outside(path) if !path.is_file()) && !faults.found.is_empty() {
            continue;
        }
        if let Some(component) = faults.take(open(wanted, found, files, options))? {
            out.insert(wanted.id.clone(), component);
        }
    }
    Ok(out)
}

/// Whether a component is to be had without fetching it.
pub(super) fn is_here(wanted: &Wanted, files: &dyn Files, options: &LoadOptions) -> bool {
    find(wanted, files, options).is_ok_and(|found| !matches!(found, Found::Fetched(_)))
}

/// Looks for a component; the error lists the places.
fn find(wanted: &Wanted, files: &dyn Files, options: &LoadOptions) -> Result<Found, Vec<String>> {
    let id = &wanted.id;
    if let Some(path) = options.overrides.get(id) {
        return Ok(Found::Outside(path.clone()));
    }
    let mut looked = Vec::new();
    if let Some(dir) = &options.components_dir {
        for path in [dir.join(format!("{id}.wasm")), dir.join(file_name(id))] {
            if path.is_file() {
                return Ok(Found::Outside(path));
            }
            looked.push(path.display().to_string());
        }
    }
    let mut inside = Vec::from_iter(wanted.source.file.clone());
    inside.push(file_name(id));
    inside.dedup();
    for name in inside {
        if files.has(&name) {
            return Ok(Found::Inside(name));
        }
        looked.push(files.place(&name));
    }
    if let Some(path) = options.fetched.get(id) {
        return Ok(Found::Fetched(path.clone()));
    }
    Err(looked)
}

/// Checks, before any of them is opened, that all files exist that the pack or its caller names.
fn check_all(plan: &[Planned<'_>], named: &[String], files: &dyn Files) -> Result<()> {
    let mut gone = Vec::new();
    for (found, wanted) in plan {
        if let Ok(Found::Outside(path)) = found
            && !path.is_file()
        {
            let message = format!("{} does not exist, which component {:?} is to come from", path.display(), wanted.id);
            gone.push(Error::new(Code::FilesMissing, message));
        }
    }
    for name in named {
        if !files.has(name) {
            gone.push(Error::new(Code::FilesMissing, format!("{} does not exist", files.place(name))));
        }
    }
    if plan.iter().any(|(found, _)| found.is_err()) {
        let absent = missing(plan);
        if gone.is_empty() {
            return Err(absent);
        }
        gone.insert(0, absent);
    }
    if gone.is_empty() {
        return Ok(());
    }
    Err(Error::from_many(Code::FilesMissing, "files that the pack names do not exist", gone))
}

/// One error over all components that were not found.
fn missing(plan: &[Planned<'_>]) -> Error {
    let absent: Vec<_> = plan.iter().filter_map(|(found, wanted)| Some((wanted, found.as_ref().err()?))).collect();
    let details = absent.iter().map(|(wanted, looked)| {
        let published = match wanted.source.published.as_str() {
            "" => String::new(),
            from => format!(" (published as {:?}, and not fetched)", crate::id::clip(from)),
        };
        let digest = wanted.source.digests.first();
        let digest = digest.map(|stated| format!(" with the digest {}", crate::id::clip(&stated.digest)));
        let digest = digest.unwrap_or_default();
        let looked = looked.join(", ");
        let message = format!("component {:?}{digest} is missing{published}; looked in {looked}", wanted.id);
        Error::new(Code::ComponentsMissing, message)
    });
    let ids: Vec<_> = absent.iter().map(|(wanted, _)| &*wanted.id).collect();
    let mut hint =
        "put the files into one of these places, or say where they are with --components-dir or --components-map"
            .to_owned();
    if absent.iter().any(|(wanted, _)| wanted.source.is_elsewhere()) {
        hint.push_str("; what was published elsewhere is fetched by `serve`, if the pack states its digest");
    }
    Error::new(Code::ComponentsMissing, format!("components are missing: {}", ids.join(", ")))
        .with_details(details.collect())
        .hint(hint)
}

fn open(wanted: &Wanted, found: &Found, files: &mut dyn Files, options: &LoadOptions) -> Result<PackComponent> {
    let (bytes, found_in) = match found {
        Found::Outside(path) | Found::Fetched(path) => {
            (read_file(path, options.limits.entry)?, path.display().to_string())
        }
        Found::Inside(name) => (files.read(name)?, files.place(name)),
    };
    let what = || format!("component {:?}", wanted.id);
    let checked = match found {
        // Who puts another file in a component's place knows that it is another one.
        Found::Outside(_) => Ok(()),
        Found::Inside(_) => wanted.source.check(&bytes, &what()),
        Found::Fetched(_) => wanted.source.check_fetched(&bytes, &what()),
    };
    checked.map_err(|error| error.in_file(&found_in))?;
    let entry = wanted.entry.as_ref();
    Ok(PackComponent {
        id: wanted.id.clone(),
        version: entry.map(|entry| entry.version.clone()),
        world: entry.and_then(|entry| entry.world.clone()),
        operations: entry.map(|entry| entry.operations.clone()).unwrap_or_default(),
        capabilities: entry.and_then(|entry| entry.capabilities.clone()),
        digest: Digest::of(&bytes),
        wasm: bytes.into(),
        published: Some(wanted.source.published.clone()).filter(|reference| !reference.is_empty()),
        found_in,
    })
}
