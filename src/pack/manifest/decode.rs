//! Reading a manifest.

use std::collections::HashSet;

use indexmap::IndexMap;
use semver::Version;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    Capability, ComponentEntry, Decoded, Dependency, ExtensionRef, Findings, Manifest, PARAMETERS, SCHEMA, legacy, wire,
};
use crate::error::{Code, Error, Location, Result};
use crate::flow::doc::{FlowDoc, FlowKind, NodeDoc, RoutingDoc};
use crate::id::{self, Id, clip};
use crate::pack::cbor;
use crate::pack::limits::Limits;
use crate::pack::model::SecretRequirement;

pub(super) fn any(bytes: &[u8], place: &str, limits: &Limits) -> Result<Decoded> {
    let value = cbor::decode(bytes, limits).map_err(|error| {
        Error::new(error.code(), format!("the manifest cannot be read: {}", error.message())).in_file(place)
    })?;
    let Value::Object(map) = value else {
        return Err(Error::new(Code::ManifestInvalid, "the manifest is not a map").in_file(place));
    };
    if legacy::is_legacy(&map) {
        return legacy::read(map, place, limits).map(Decoded::Legacy);
    }
    check_generation(&map).map_err(|error| error.in_file(place))?;
    let mut top = Top { map, findings: Findings::new(Code::ManifestInvalid, place) };
    let manifest = top.manifest(place);
    top.findings.finish("the manifest is not valid")?;
    manifest
        .map(Decoded::Current)
        .ok_or_else(|| Error::new(Code::ManifestInvalid, "the manifest is not valid").in_file(place))
}

/// Tells pack-v1 from generations to come.
fn check_generation(map: &Map<String, Value>) -> Result<()> {
    match map.get("schema_version") {
        Some(Value::String(version)) if version == SCHEMA => Ok(()),
        Some(Value::String(version)) => {
            let message = format!("the manifest is of generation {:?}; this host reads {SCHEMA}", clip(version));
            Err(Error::new(Code::ManifestGeneration, message).hint("use a newer host, or rebuild the pack"))
        }
        _ => Err(Error::new(Code::ManifestInvalid, "the manifest has no schema_version")),
    }
}

struct Top {
    map: Map<String, Value>,
    findings: Findings,
}

/// The symbol tables, checked.
struct Symbols {
    components: Vec<Option<Id>>,
    nodes: Vec<Option<Id>>,
    packs: Vec<Option<Id>>,
    capabilities: Vec<String>,
}

impl Top {
    fn manifest(&mut self, place: &str) -> Option<Manifest> {
        let symbols = self.symbols();
        let id = self.pack_id(&symbols);
        let version = self.required::<String>("version");
        let version = version.and_then(|text| self.findings.ok("version", Version::parse(&text)));
        let kind = self.required("kind");
        let publisher = self.required("publisher");
        let components = self.each("components", |findings, path, value| component(findings, path, value, &symbols));
        let flows = self.each("flows", |findings, path, value| flow(findings, path, value, &symbols, place));
        self.distinct("components", components.iter().map(|component| &component.id));
        let dependencies = self.each("dependencies", |findings, path, value| {
            let wire: wire::Dependency = findings.ok(path, serde_json::from_value(value))?;
            dependency(findings, path, wire, &symbols)
        });
        let capabilities = self.each("capabilities", |findings, path, value| {
            let wire: wire::Capability = findings.ok(path, serde_json::from_value(value))?;
            let name = symbol(findings, path, "capability_names", &symbols.capabilities, wire.name)?.clone();
            Some(Capability { name, description: wire.description })
        });
        let secret_requirements: Vec<SecretRequirement> =
            self.each("secret_requirements", |findings, path, value| findings.ok(path, serde_json::from_value(value)));
        let extensions = self.extensions();
        Some(Manifest {
            id: id?,
            name: self.optional("name").flatten(),
            version: version?,
            kind: kind?,
            publisher: publisher?,
            components,
            flows,
            dependencies,
            capabilities,
            secret_requirements,
            signatures: self.map.remove("signatures").unwrap_or_default(),
            bootstrap: self.map.remove("bootstrap").unwrap_or_default(),
            extensions,
        })
    }

    fn required<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        match self.map.remove(key) {
            Some(value) => self.findings.ok(key, serde_json::from_value(value)),
            None => {
                self.findings.add(key, "is missing");
                None
            }
        }
    }

    fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = self.map.remove(key)?;
        self.findings.ok(key, serde_json::from_value(value))
    }

    /// Reads the items of a list one by one; a missing list is empty.
    fn each<T>(&mut self, key: &str, mut read: impl FnMut(&mut Findings, &str, Value) -> Option<T>) -> Vec<T> {
        let items: Vec<Value> = self.optional::<Option<Vec<Value>>>(key).flatten().unwrap_or_default();
        let mut out = Vec::with_capacity(items.len());
        for (at, item) in items.into_iter().enumerate() {
            out.extend(read(&mut self.findings, &format!("{key}[{at}]"), item));
        }
        out
    }

    fn symbols(&mut self) -> Symbols {
        let tables: wire::Symbols = self.required("symbols").unwrap_or_default();
        let mut ids = |table: &str, what: &str, names: Vec<String>| {
            let check = |(at, name): (usize, String)| {
                self.findings.ok(format_args!("symbols.{table}[{at}]"), id::parse(what, &name).map_err(short))
            };
            names.into_iter().enumerate().map(check).collect()
        };
        Symbols {
            components: ids("component_ids", "component id", tables.component_ids),
            nodes: ids("node_ids", "node id", tables.node_ids),
            packs: ids("pack_ids", "pack id", tables.pack_ids),
            capabilities: tables.capability_names,
        }
    }

    fn pack_id(&mut self, symbols: &Symbols) -> Option<Id> {
        match self.required::<Value>("pack_id")? {
            Value::String(text) => self.findings.ok("pack_id", id::parse("pack id", &text).map_err(short)),
            value => {
                let index = self.findings.ok("pack_id", serde_json::from_value(value))?;
                known(&mut self.findings, "pack_id", "pack_ids", &symbols.packs, index)
            }
        }
    }

    fn distinct<'a>(&mut self, key: &str, ids: impl Iterator<Item = &'a Id>) {
        let mut seen = HashSet::new();
        for id in ids {
            if !seen.insert(id) {
                self.findings.add(key, format_args!("{id:?} occurs twice"));
            }
        }
    }

    fn extensions(&mut self) -> IndexMap<String, ExtensionRef> {
        let entries: Map<String, Value> = self.optional::<Option<_>>("extensions").flatten().unwrap_or_default();
        let mut out = IndexMap::with_capacity(entries.len());
        for (key, value) in entries {
            let path = format!("extensions[{:?}]", clip(&key));
            out.extend(self.findings.ok(path, serde_json::from_value(value)).map(|extension| (key, extension)));
        }
        out
    }
}

/// An error's text without code and hint, to stand inside a finding.
fn short(error: Error) -> String {
    error.message().to_owned()
}

fn symbol<'a, T>(findings: &mut Findings, path: &str, table: &str, symbols: &'a [T], index: u32) -> Option<&'a T> {
    let found = usize::try_from(index).ok().and_then(|index| symbols.get(index));
    if found.is_none() {
        findings.add(path, format_args!("index {index} is outside of symbols.{table} ({} names)", symbols.len()));
    }
    found
}

/// A checked name out of a symbol table; a name that broke the rule is a finding already.
fn known(findings: &mut Findings, path: &str, table: &str, symbols: &[Option<Id>], index: u32) -> Option<Id> {
    symbol(findings, path, table, symbols, index)?.clone()
}

fn component(findings: &mut Findings, path: &str, value: Value, symbols: &Symbols) -> Option<ComponentEntry> {
    let wire: wire::Component = findings.ok(path, serde_json::from_value(value))?;
    let id = known(findings, path, "component_ids", &symbols.components, wire.id);
    let version = findings.ok(format_args!("{path}.version"), Version::parse(&wire.version));
    Some(ComponentEntry {
        id: id?,
        version: version?,
        world: Some(wire.world).filter(|world| !world.is_empty()),
        operations: wire.operations,
        capabilities: Some(wire.capabilities).filter(says_something),
        supports: wire.supports,
        rest: wire.rest,
    })
}

/// Tells whether a capability block names anything: writers that know nothing of the component leave both halves empty.
fn says_something(capabilities: &Value) -> bool {
    match capabilities {
        Value::Object(halves) => halves.values().any(|half| half.as_object().is_none_or(|half| !half.is_empty())),
        other => !other.is_null(),
    }
}

fn dependency(findings: &mut Findings, path: &str, wire: wire::Dependency, symbols: &Symbols) -> Option<Dependency> {
    let pack = known(findings, path, "pack_ids", &symbols.packs, wire.pack_id);
    let mut names = Vec::with_capacity(wire.required_capabilities.len());
    for index in wire.required_capabilities {
        names.extend(symbol(findings, path, "capability_names", &symbols.capabilities, index).cloned());
    }
    Some(Dependency { alias: wire.alias, pack: pack?, version_req: wire.version_req, required_capabilities: names })
}

fn flow(findings: &mut Findings, path: &str, value: Value, symbols: &Symbols, place: &str) -> Option<FlowDoc> {
    let wire: wire::FlowEntry<Value> = findings.ok(path, serde_json::from_value(value))?;
    let path = &format!("{path} ({})", clip(&wire.id));
    let id = findings.ok(path, id::parse("flow id", &wire.id).map_err(short));
    let kind = flow_kind(findings, path, &wire.kind);
    let mut nodes = IndexMap::with_capacity(wire.flow.nodes.len());
    for (at, value) in wire.flow.nodes.into_iter().enumerate() {
        let path = format!("{path}.nodes[{at}]");
        let Some((id, node)) = node(findings, &path, value, symbols) else { continue };
        if nodes.insert(id.to_string(), node).is_some() {
            findings.add(&path, format_args!("the flow has two nodes {id:?}"));
        }
    }
    let mut metadata = wire.flow.metadata;
    let mut tags = wire.tags;
    for tag in metadata.tags {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Some(FlowDoc {
        id: id?,
        kind: kind?,
        title: metadata.title,
        description: metadata.description,
        tags,
        entrypoints: entrypoints(wire.flow.entrypoints),
        parameters: metadata.extra.get_mut(PARAMETERS).map(Value::take).unwrap_or_default(),
        nodes,
        origin: Location { file: place.to_owned(), position: None },
    })
}

/// Entry points that name a node. Some tools store other things here (patterns, null) for their own use.
fn entrypoints(entries: IndexMap<String, Value>) -> IndexMap<String, String> {
    let text = |value| if let Value::String(node) = value { Some(node) } else { None };
    entries.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect()
}

fn flow_kind(findings: &mut Findings, path: &str, kind: &str) -> Option<FlowKind> {
    let normal = Value::String(kind.replace('-', "_"));
    findings.ok(format_args!("{path}.kind"), serde_json::from_value(normal))
}

fn node(findings: &mut Findings, path: &str, value: Value, symbols: &Symbols) -> Option<(Id, NodeDoc)> {
    let wire: wire::Node = findings.ok(path, serde_json::from_value(value))?;
    let id = known(findings, path, "node_ids", &symbols.nodes, wire.id);
    let component = known(findings, path, "component_ids", &symbols.components, wire.component.id);
    let routing = routing(findings, &format!("{path}.routing"), wire.routing, symbols);
    let component = match wire.component.pack_alias {
        // A component of another pack is none of this pack's: the alias keeps the name from meaning one.
        Some(alias) => format!("{alias}/{}", component?),
        None => component?.to_string(),
    };
    let doc = NodeDoc {
        component,
        operation: wire.component.operation,
        default_operation: wire.default_operation,
        input: wire.input.mapping,
        output: wire.output.mapping,
        err_map: unwrap_mapping(wire.err_map),
        routing: routing?,
        retry: wire.retry,
        timeout: wire.timeout,
        when: wire.when,
        location: None,
    };
    Some((id?, doc))
}

/// An error mapping stands in the node like input and output, as `{mapping: …}`, or bare.
fn unwrap_mapping(value: Value) -> Value {
    match value {
        Value::Object(mut map) if map.len() == 1 && map.contains_key("mapping") => {
            map.remove("mapping").unwrap_or_default()
        }
        other => other,
    }
}

fn routing(findings: &mut Findings, path: &str, wire: wire::Routing, symbols: &Symbols) -> Option<RoutingDoc> {
    let mut node = |index| Some(known(findings, path, "node_ids", &symbols.nodes, index)?.to_string());
    Some(match wire {
        wire::Routing::End => RoutingDoc::End,
        wire::Routing::Reply => RoutingDoc::Reply,
        wire::Routing::Next { node_id } => RoutingDoc::Next(node(node_id)?),
        wire::Routing::Branch { on_status, default } => {
            let mut statuses = IndexMap::with_capacity(on_status.len());
            for (status, index) in on_status {
                statuses.insert(status, node(index)?);
            }
            let default = match default {
                Some(index) => Some(node(index)?),
                None => None,
            };
            RoutingDoc::Branch { on_status: statuses, default }
        }
        wire::Routing::Custom(value) => RoutingDoc::Custom(value),
    })
}
