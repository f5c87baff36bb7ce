//! The extension that names a file per component, in which the component describes itself.

use semver::Version;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{Code, Error, Result};
use crate::id::{self, Id, clip};
use crate::pack::cbor;
use crate::pack::component_sources::{Stated, check_digest};
use crate::pack::files::Files;
use crate::pack::limits::Limits;
use crate::pack::manifest::{ComponentEntry, ExtensionRef};
use crate::pack::model::Operation;
use crate::pack::names;

/// The key of the extension.
pub(super) const KEY: &str = "greentic.pack.component_manifests@v1";

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    entries: Vec<Value>,
}

#[derive(Deserialize)]
struct Entry {
    component_id: String,
    manifest_file: String,
    #[serde(default)]
    content_hash: Option<String>,
}

/// A component's description of itself, in the shapes that circulate.
#[derive(Deserialize)]
struct Description {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    world: Option<String>,
    #[serde(default)]
    supports: Option<Vec<String>>,
    #[serde(default)]
    operations: Option<Vec<Op>>,
    #[serde(default)]
    capabilities: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Op {
    Name(String),
    Full(Operation),
}

/// Keys of a description that a manifest keeps beside those that are read.
const KEPT: [&str; 5] = ["profiles", "configurators", "config_schema", "resources", "dev_flows"];

/// Reads the files that the extension names, and adds their names to those that were `read`. What cannot be read is noted: a component does without a description.
pub(super) fn read(
    extension: Option<&ExtensionRef>,
    files: &mut dyn Files,
    place: &str,
    limits: &Limits,
    read: &mut Vec<String>,
    notes: &mut Vec<Error>,
) -> Result<Vec<ComponentEntry>> {
    let Some(ExtensionRef { inline, .. }) = extension else { return Ok(Vec::new()) };
    let note = |why: String| Error::new(Code::ManifestInvalid, format!("{KEY}: {why}")).in_file(place);
    let wire = match Wire::deserialize(inline) {
        Ok(wire) => wire,
        Err(error) => {
            notes.push(note(error.to_string()));
            return Ok(Vec::new());
        }
    };
    let mut out = Vec::with_capacity(wire.entries.len());
    for (at, value) in wire.entries.iter().enumerate() {
        match Entry::deserialize(value) {
            Ok(entry) => {
                out.extend(described(&entry, files, limits, notes)?);
                read.push(entry.manifest_file);
            }
            Err(error) => notes.push(note(format!("entries[{at}]: {error}"))),
        }
    }
    Ok(out)
}

fn described(
    entry: &Entry,
    files: &mut dyn Files,
    limits: &Limits,
    notes: &mut Vec<Error>,
) -> Result<Option<ComponentEntry>> {
    names::check(entry.manifest_file.as_bytes(), limits)?;
    let stated = entry.content_hash.clone().filter(|hash| !hash.is_empty());
    let stated = stated.map(|digest| Stated { digest, by: KEY.to_owned() });
    match id::parse("component id", &entry.component_id) {
        Ok(id) => file(&id, &entry.manifest_file, stated.as_ref(), files, limits, notes),
        Err(error) => {
            notes.push(error);
            Ok(None)
        }
    }
}

/// Reads the file in which component `id` describes itself, in CBOR or JSON.
///
/// # Errors
///
/// `DigestMismatch` if the file has another digest than the one that is `stated`.
pub(super) fn file(
    id: &Id,
    name: &str,
    stated: Option<&Stated>,
    files: &mut dyn Files,
    limits: &Limits,
    notes: &mut Vec<Error>,
) -> Result<Option<ComponentEntry>> {
    let place = files.place(name);
    let what = format!("the description of component {id:?}");
    if !files.has(name) {
        notes.push(Error::new(Code::FilesMissing, format!("{what} does not exist")).in_file(&place));
        return Ok(None);
    }
    let bytes = files.read(name)?;
    if let Some(stated) = stated {
        check_digest(&bytes, stated, &what).map_err(|error| error.in_file(&place))?;
    }
    match parse(id, &bytes, limits) {
        Ok(entry) => Ok(Some(entry)),
        Err(why) => {
            let message = format!("{what} is not used: {}", clip(&why));
            notes.push(Error::new(Code::ManifestInvalid, message).in_file(&place));
            Ok(None)
        }
    }
}

fn parse(id: &Id, bytes: &[u8], limits: &Limits) -> Result<ComponentEntry, String> {
    if bytes.len() as u64 > limits.manifest {
        return Err(format!("it is larger than the limit of {} bytes", limits.manifest));
    }
    let value: Value = match bytes.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(bytes).map_err(|error| error.to_string())?,
        _ => cbor::decode(bytes, limits).map_err(|error| error.message().to_owned())?,
    };
    let mut read: Description = serde_json::from_value(value).map_err(|error| error.to_string())?;
    read.rest.retain(|key, _| KEPT.contains(&key.as_str()));
    let operation = |op| match op {
        Op::Name(name) => Operation { name, input_schema: Value::Null, output_schema: Value::Null },
        Op::Full(operation) => operation,
    };
    let version = read.version.as_deref().and_then(|version| Version::parse(version).ok());
    Ok(ComponentEntry {
        id: id.clone(),
        version: version.unwrap_or(Version::new(0, 0, 0)),
        world: read.world.filter(|world| !world.is_empty()),
        operations: read.operations.unwrap_or_default().into_iter().map(operation).collect(),
        capabilities: read.capabilities.filter(Value::is_object),
        supports: read.supports.unwrap_or_default(),
        rest: read.rest,
    })
}
