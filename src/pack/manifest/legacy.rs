//! The manifest of the generation before pack-v1: it has a `meta` block, names are written out, and flows and
//! components are files of their own with BLAKE3 hashes.

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;
use semver::Version;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Dependency, ExtensionRef, Findings};
use crate::error::{Code, Error, Result};
use crate::flow::doc::FlowKind;
use crate::id::{self, Id, clip};
use crate::pack::limits::Limits;
use crate::pack::model::PackKind;
use crate::pack::names;

/// The one version of the generation.
const PACK_VERSION: u64 = 1;

/// Keys of `meta` that have a place in the model. What else a manifest says there is listed as having none.
const PLACED: [&str; 8] = ["packVersion", "pack_id", "version", "name", "kind", "vendor", "imports", "entry_flows"];

/// A manifest of this generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Legacy {
    /// The pack's id.
    pub id: Id,
    /// A name for people.
    pub name: Option<String>,
    /// The pack's version.
    pub version: Version,
    /// What the pack is for.
    pub kind: PackKind,
    /// Who published it: the vendor, else the first author.
    pub publisher: String,
    /// Its flows; those that it names as entries come first.
    pub flows: Vec<LegacyFlow>,
    /// Its components.
    pub components: Vec<LegacyComponent>,
    /// Other packs that it needs.
    pub imports: Vec<Dependency>,
    /// Its extensions by key.
    pub extensions: IndexMap<String, ExtensionRef>,
    /// What it says that pack-v1 has no place for, by key.
    pub unplaced: Vec<String>,
}

/// A flow of a [`Legacy`] manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct LegacyFlow {
    /// Its id.
    pub id: Id,
    /// What events it serves, if the manifest says so.
    pub kind: Option<FlowKind>,
    /// The node at which it starts, if the manifest says so.
    pub entry: Option<String>,
    /// The file that holds it in JSON.
    pub file_json: Option<String>,
    /// The file that holds it as its author wrote it.
    pub file_yaml: Option<String>,
    /// The BLAKE3 hash of the file, in hex.
    pub hash: Option<String>,
}

/// A component of a [`Legacy`] manifest. Flows name it without its version.
#[derive(Clone, Debug, PartialEq)]
pub struct LegacyComponent {
    /// Its id.
    pub id: Id,
    /// Its version.
    pub version: Version,
    /// The file that holds it.
    pub file: String,
    /// The BLAKE3 hash of the file, in hex.
    pub hash: Option<String>,
    /// The file that describes it further.
    pub manifest_file: Option<String>,
    /// The world that it names.
    pub world: Option<String>,
    /// The capabilities that it asks for.
    pub capabilities: Option<Value>,
}

#[derive(Deserialize)]
struct Meta {
    pack_id: String,
    version: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    vendor: Option<String>,
    #[serde(default)]
    authors: Vec<String>,
    #[serde(default)]
    imports: Vec<Import>,
    #[serde(default)]
    entry_flows: Vec<String>,
}

#[derive(Deserialize)]
struct Import {
    pack_id: String,
    version_req: String,
}

#[derive(Deserialize)]
struct Flow {
    id: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    entry: Option<String>,
    #[serde(default)]
    file_yaml: Option<String>,
    #[serde(default)]
    file_json: Option<String>,
    #[serde(default)]
    hash_blake3: Option<String>,
}

#[derive(Deserialize)]
struct Component {
    name: String,
    version: String,
    file_wasm: String,
    #[serde(default)]
    hash_blake3: Option<String>,
    #[serde(default)]
    manifest_file: Option<String>,
    #[serde(default)]
    world: Option<String>,
    #[serde(default)]
    capabilities: Option<Value>,
}

/// Tells whether a manifest is of this generation.
pub(super) fn is_legacy(map: &Map<String, Value>) -> bool {
    let meta = map.get("meta");
    !map.contains_key("schema_version")
        && meta.is_some_and(|meta| meta.get("pack_id").is_some() || meta.get("packVersion").is_some())
}

pub(super) fn read(mut map: Map<String, Value>, place: &str, limits: &Limits) -> Result<Legacy> {
    let version = map.get("meta").and_then(|meta| meta.get("packVersion")).and_then(Value::as_u64);
    if version.is_some_and(|version| version != PACK_VERSION) {
        let message = format!("the manifest states packVersion {}", version.unwrap_or_default());
        return Err(Error::new(Code::ManifestGeneration, message)
            .in_file(place)
            .hint("this host reads packVersion 1 and pack-v1"));
    }
    let mut reader = Reader { findings: Findings::new(Code::ManifestInvalid, place), limits };
    let legacy = reader.manifest(&mut map);
    reader.findings.finish("the manifest is not valid")?;
    legacy.ok_or_else(|| Error::new(Code::ManifestInvalid, "the manifest is not valid").in_file(place))
}

struct Reader<'a> {
    findings: Findings,
    limits: &'a Limits,
}

impl Reader<'_> {
    fn manifest(&mut self, map: &mut Map<String, Value>) -> Option<Legacy> {
        let meta = map.remove("meta").unwrap_or_default();
        let unplaced = unplaced(&meta, map);
        let meta: Meta = self.findings.ok("meta", serde_json::from_value(meta))?;
        let id = self.id("meta.pack_id", "pack id", &meta.pack_id);
        let version = self.findings.ok("meta.version", Version::parse(&meta.version));
        let flows = self.flows(map, &meta.entry_flows);
        let components = self.components(map);
        let imports = meta.imports.into_iter().enumerate();
        let imports = imports.filter_map(|(at, import)| self.import(at, import)).collect();
        let extensions = self.extensions(map);
        Some(Legacy {
            id: id?,
            name: meta.name.filter(|name| !name.is_empty()),
            version: version?,
            kind: kind(meta.kind.as_deref()),
            publisher: meta.vendor.or(meta.authors.into_iter().next()).unwrap_or_else(|| "unknown".to_owned()),
            flows,
            components,
            imports,
            extensions,
            unplaced,
        })
    }

    fn id(&mut self, path: &str, what: &str, text: &str) -> Option<Id> {
        self.findings.ok(path, id::parse(what, text).map_err(|error| error.message().to_owned()))
    }

    fn file(&mut self, path: &str, name: String) -> Option<String> {
        let checked = names::check(name.as_bytes(), self.limits).map(drop);
        self.findings.ok(path, checked.map_err(|error| error.message().to_owned()))?;
        Some(name)
    }

    fn each(&mut self, map: &mut Map<String, Value>, key: &str) -> Vec<Value> {
        let list: Option<Vec<Value>> = map.remove(key).and_then(|v| self.findings.ok(key, serde_json::from_value(v)));
        list.unwrap_or_default()
    }

    fn flows(&mut self, map: &mut Map<String, Value>, entries: &[String]) -> Vec<LegacyFlow> {
        let mut flows: IndexMap<Id, LegacyFlow> = IndexMap::new();
        for (at, value) in self.each(map, "flows").into_iter().enumerate() {
            let path = format!("flows[{at}]");
            let Some(flow) = self.flow(&path, value) else { continue };
            if flows.insert(flow.id.clone(), flow).is_some() {
                self.findings.add(path, "its id occurs twice");
            }
        }
        for entry in entries {
            if !flows.contains_key(entry.as_str()) {
                self.findings.add("meta.entry_flows", format_args!("there is no flow {:?}", clip(entry)));
            }
        }
        let mut flows: Vec<_> = flows.into_values().collect();
        // From the back, so that the first mention of a flow counts.
        let ranks: HashMap<&str, usize> = entries.iter().enumerate().rev().map(|(at, id)| (id.as_str(), at)).collect();
        flows.sort_by_key(|flow| ranks.get(&*flow.id).copied().unwrap_or(entries.len()));
        flows
    }

    fn flow(&mut self, path: &str, value: Value) -> Option<LegacyFlow> {
        let wire: Flow = self.findings.ok(path, serde_json::from_value(value))?;
        let id = self.id(path, "flow id", &wire.id);
        let mut file = |name: Option<String>| name.filter(|n| !n.is_empty()).and_then(|name| self.file(path, name));
        let (file_json, file_yaml) = (file(wire.file_json), file(wire.file_yaml));
        if file_json.is_none() && file_yaml.is_none() {
            self.findings.add(path, "it names no file");
        }
        let entry = wire.entry.filter(|entry| !entry.is_empty());
        let kind = wire.kind.and_then(|kind| FlowKind::named(&kind));
        Some(LegacyFlow { id: id?, kind, entry, file_json, file_yaml, hash: wire.hash_blake3 })
    }

    /// Flows name components without a version; of several versions the newest serves them.
    fn components(&mut self, map: &mut Map<String, Value>) -> Vec<LegacyComponent> {
        let mut newest: BTreeMap<Id, LegacyComponent> = BTreeMap::new();
        for (at, value) in self.each(map, "components").into_iter().enumerate() {
            let path = format!("components[{at}]");
            let Some(component) = self.component(&path, value) else { continue };
            match newest.get(&component.id) {
                Some(other) if other.version == component.version => self.findings.add(path, "it occurs twice"),
                Some(other) if other.version > component.version => {}
                _ => drop(newest.insert(component.id.clone(), component)),
            }
        }
        newest.into_values().collect()
    }

    fn component(&mut self, path: &str, value: Value) -> Option<LegacyComponent> {
        let wire: Component = self.findings.ok(path, serde_json::from_value(value))?;
        let id = self.id(path, "component id", &wire.name);
        let version = self.findings.ok(path, Version::parse(&wire.version));
        let file = self.file(path, wire.file_wasm);
        let manifest_file = wire.manifest_file.and_then(|name| self.file(path, name));
        Some(LegacyComponent {
            id: id?,
            version: version?,
            file: file?,
            hash: wire.hash_blake3,
            manifest_file,
            world: wire.world.filter(|world| !world.is_empty()),
            capabilities: wire.capabilities.filter(|block| !block.is_null()),
        })
    }

    fn import(&mut self, at: usize, import: Import) -> Option<Dependency> {
        let pack = self.id(&format!("meta.imports[{at}]"), "pack id", &import.pack_id)?;
        let (alias, version_req) = (import.pack_id, import.version_req);
        Some(Dependency { alias, pack, version_req, required_capabilities: Vec::new() })
    }

    fn extensions(&mut self, map: &mut Map<String, Value>) -> IndexMap<String, ExtensionRef> {
        let entries: Option<Map<String, Value>> = match map.remove("extensions") {
            None | Some(Value::Null) => None,
            Some(value) => self.findings.ok("extensions", serde_json::from_value(value)),
        };
        let read = |(key, value): (String, Value)| {
            let path = format!("extensions[{:?}]", clip(&key));
            Some((key, self.findings.ok(path, serde_json::from_value(value))?))
        };
        entries.unwrap_or_default().into_iter().filter_map(read).collect()
    }
}

/// What pack-v1 has a kind for; what else circulates are parts for others.
fn kind(name: Option<&str>) -> PackKind {
    match name {
        None | Some("application" | "dw-application") => PackKind::Application,
        Some(name) if name.ends_with("provider") => PackKind::Provider,
        Some("policy-engine" | "rollout-strategy" | "infrastructure") => PackKind::Infrastructure,
        Some(_) => PackKind::Library,
    }
}

/// The keys that say something and have no place in the model.
fn unplaced(meta: &Value, top: &Map<String, Value>) -> Vec<String> {
    let says = |value: &&Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    };
    let meta = meta.as_object().into_iter().flatten();
    let meta = meta.filter(|(key, value)| says(value) && !PLACED.contains(&key.as_str()));
    let top =
        top.iter().filter(|(key, value)| says(value) && !["flows", "components", "extensions"].contains(&key.as_str()));
    meta.map(|(key, _)| format!("meta.{key}")).chain(top.map(|(key, _)| key.clone())).collect()
}
