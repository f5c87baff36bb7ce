//! Lock files: what tools wrote down about a pack's components when they resolved them.
//!
//! Two shapes circulate, each as JSON and as CBOR: a list of components with their files and digests, and a table of
//! components with their operations. They name what no pack holds (builtins, files of the machine that built it), so
//! nothing has to be there because a lock file names it; but what is there must have the digest that it states.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use semver::Version;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{Code, Error, Result};
use crate::id::{self, Id, clip};
use crate::pack::cbor;
use crate::pack::component_sources::{Source, Stated};
use crate::pack::directory::read_file;
use crate::pack::files::Files;
use crate::pack::limits::Limits;
use crate::pack::manifest::{ComponentEntry, Findings};
use crate::pack::model::Operation;
use crate::pack::names;

/// The names that lock files have, the first that is there counts.
pub(super) const NAMES: [&str; 3] = ["pack.lock", "pack.lock.json", "pack.lock.cbor"];

/// What a lock file says, and what is odd about it.
#[derive(Debug, Default)]
pub struct Lock {
    /// The components that it names.
    pub(super) components: IndexMap<Id, Locked>,
    /// What is odd about it. Nothing of it refuses the pack.
    pub notes: Vec<Error>,
    /// Where it lies, if that is outside of the pack: then nothing that signs the pack is over it.
    pub(super) beside: Option<PathBuf>,
}

/// What a lock file says about a component.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Locked {
    /// Where it lies.
    pub(super) source: Source,
    /// Its world.
    pub(super) world: Option<String>,
    /// Its version.
    pub(super) version: Option<String>,
    /// Its operations.
    pub(super) operations: Vec<Operation>,
}

/// An entry of either shape; the aliases are spellings of different tools.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    component_id: Option<String>,
    #[serde(default, alias = "source_ref")]
    r#ref: Option<String>,
    #[serde(default)]
    bundled: bool,
    #[serde(default, alias = "path")]
    bundled_path: Option<String>,
    #[serde(default, alias = "sha256")]
    wasm_sha256: Option<String>,
    #[serde(default, alias = "digest")]
    resolved_digest: Option<String>,
    #[serde(default)]
    world: Option<String>,
    #[serde(default)]
    component_version: Option<String>,
    #[serde(default)]
    operations: Vec<LockedOperation>,
}

#[derive(Deserialize)]
struct LockedOperation {
    operation_id: String,
}

/// Finds and reads the lock file: in the pack, else beside an archive at `archive`, else above it.
pub(super) fn find(files: &mut dyn Files, archive: Option<&Path>, limits: &Limits) -> Lock {
    for name in NAMES {
        if files.has(name) {
            let place = files.place(name);
            return of(files.read(name), &place, limits);
        }
    }
    for path in archive.into_iter().flat_map(beside) {
        if path.is_file() {
            let lock = of(read_file(&path, limits.manifest), &path.display().to_string(), limits);
            let beside = (!lock.components.is_empty()).then_some(path);
            return Lock { beside, ..lock };
        }
    }
    Lock::default()
}

/// Where the lock file of an archive may lie.
fn beside(archive: &Path) -> Vec<PathBuf> {
    let archive = std::path::absolute(archive).unwrap_or_else(|_| archive.to_owned());
    let above = archive.ancestors().skip(1).take(2);
    above.flat_map(|dir| NAMES.map(|name| dir.join(name))).collect()
}

fn of(bytes: Result<Vec<u8>>, place: &str, limits: &Limits) -> Lock {
    match bytes.and_then(|bytes| read(&bytes, place, limits)) {
        Ok(lock) => lock,
        Err(error) => Lock { notes: vec![error.in_file(place)], ..Lock::default() },
    }
}

/// Reads a lock file of either shape; `place` names it.
///
/// # Errors
///
/// `LockInvalid` if nothing of it can be used.
pub fn read(bytes: &[u8], place: &str, limits: &Limits) -> Result<Lock> {
    let invalid =
        |why: String| Error::new(Code::LockInvalid, format!("the lock file is not used: {why}")).in_file(place);
    let value = match bytes.trim_ascii_start().first() {
        Some(b'{') if bytes.len() as u64 > limits.manifest => {
            return Err(invalid(format!("it is larger than the limit of {} bytes", limits.manifest)));
        }
        Some(b'{') => serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?,
        _ => cbor::decode(bytes, limits).map_err(|error| invalid(error.message().to_owned()))?,
    };
    let Value::Object(mut map) = value else { return Err(invalid("it is not a map".to_owned())) };
    let version = map.get("schema_version").or(map.get("version")).and_then(Value::as_u64);
    if version != Some(1) {
        return Err(invalid("it is not of version 1".to_owned()));
    }
    let entries: Vec<(Option<String>, Value)> = match map.remove("components").unwrap_or_default() {
        Value::Array(list) => list.into_iter().map(|value| (None, value)).collect(),
        Value::Object(table) => table.into_iter().map(|(id, value)| (Some(id), value)).collect(),
        Value::Null => Vec::new(),
        _ => return Err(invalid("`components` is neither a list nor a map".to_owned())),
    };
    let mut lock = Lock::default();
    let mut notes = Findings::new(Code::LockInvalid, place);
    for (at, (key, value)) in entries.into_iter().enumerate() {
        match entry(key, value, place, limits, &mut notes) {
            Ok(Some((id, locked))) => drop(lock.components.entry(id).or_insert(locked)),
            Ok(None) => {}
            Err(why) => {
                let message = format!("entry {at} of the lock file is not used: {why}");
                notes.push(Error::new(Code::LockInvalid, message));
            }
        }
    }
    Ok(Lock { notes: notes.into_notes(), ..lock })
}

/// An entry that says something about a component; what names no component is no entry.
fn entry(
    key: Option<String>,
    value: Value,
    place: &str,
    limits: &Limits,
    notes: &mut Findings,
) -> Result<Option<(Id, Locked)>, String> {
    let entry: Entry = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let Some(name) = entry.component_id.or(key).or(entry.name) else { return Err("it names no component".to_owned()) };
    // A builtin, or the reference itself where a tool could not tell the component's name.
    if !id::is_valid(&name) {
        return Ok(None);
    }
    let file = entry.bundled_path.filter(|path| !path.is_empty());
    if let Some(file) = &file {
        names::check(file.as_bytes(), limits).map_err(|error| error.message().to_owned())?;
    }
    // The digest of the file itself, where the published thing has another one.
    let digest = [entry.wasm_sha256, entry.resolved_digest].into_iter().flatten().find(|digest| !digest.is_empty());
    let digests: Vec<_> = digest.into_iter().map(|digest| Stated { digest, by: place.to_owned() }).collect();
    if (entry.bundled || file.is_some()) && digests.is_empty() {
        let message = format!("component {:?} lies in the pack, and its digest is not stated", clip(&name));
        notes.push(
            Error::new(Code::LockInvalid, message).hint("state it as wasm_sha256, so that a changed file is noticed"),
        );
    }
    let operation = |op: LockedOperation| Operation {
        name: op.operation_id,
        input_schema: Value::Null,
        output_schema: Value::Null,
    };
    let locked = Locked {
        source: Source { file, digests, published: entry.r#ref.unwrap_or_default() },
        world: entry.world.filter(|world| !world.is_empty()),
        version: entry.component_version,
        operations: entry.operations.into_iter().map(operation).collect(),
    };
    Ok(Some((Id::from(name), locked)))
}

impl Locked {
    /// What it says about the component itself, if anything.
    pub(super) fn describe(&self, id: &Id) -> Option<ComponentEntry> {
        let version = self.version.as_deref().and_then(|version| Version::parse(version).ok());
        if version.is_none() && self.world.is_none() && self.operations.is_empty() {
            return None;
        }
        Some(ComponentEntry {
            id: id.clone(),
            version: version.unwrap_or(Version::new(0, 0, 0)),
            world: self.world.clone(),
            operations: self.operations.clone(),
            capabilities: None,
            supports: Vec::new(),
            rest: Map::new(),
        })
    }
}
