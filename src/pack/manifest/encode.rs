//! Writing a manifest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{ComponentEntry, Manifest, PARAMETERS, SCHEMA, wire};
use crate::error::{Code, Error, Result};
use crate::flow::doc::{FlowDoc, NodeDoc, RoutingDoc};
use crate::id;
use crate::pack::cbor;

/// The generation of flows inside a manifest.
const FLOW_SCHEMA: &str = "flow-v1";

pub(super) fn manifest(manifest: &Manifest) -> Result<Vec<u8>> {
    let tables = Tables::of(manifest)?;
    let mut flows = Vec::with_capacity(manifest.flows.len());
    for doc in &manifest.flows {
        flows.push(flow(doc, &tables)?);
    }
    let components: Result<_> = manifest.components.iter().map(|entry| component(entry, &tables)).collect();
    let dependencies: Result<_> = manifest.dependencies.iter().map(|entry| dependency(entry, &tables)).collect();
    let mut capabilities = Vec::with_capacity(manifest.capabilities.len());
    for entry in &manifest.capabilities {
        let name = tables.capabilities.index(&entry.name)?;
        capabilities.push(wire::Capability { name, description: entry.description.clone() });
    }
    let signatures = &manifest.signatures;
    cbor::encode(&wire::Top {
        schema_version: SCHEMA,
        pack_id: tables.packs.index(&manifest.id)?,
        name: &manifest.name,
        version: manifest.version.to_string(),
        kind: manifest.kind,
        publisher: &manifest.publisher,
        components: components?,
        flows,
        dependencies: dependencies?,
        capabilities,
        secret_requirements: &manifest.secret_requirements,
        signatures: if signatures.is_null() { json!({ "signatures": [] }) } else { signatures.clone() },
        bootstrap: &manifest.bootstrap,
        extensions: &manifest.extensions,
        symbols: wire::Symbols {
            component_ids: tables.components.names(),
            node_ids: tables.nodes.names(),
            capability_names: tables.capabilities.names(),
            pack_ids: tables.packs.names(),
        },
    })
}

/// A symbol table: every name once, in order.
struct Table(BTreeMap<String, u32>);

impl Table {
    fn of(names: BTreeSet<&str>) -> Self {
        Self((0..).zip(names).map(|(index, name)| (name.to_owned(), index)).collect())
    }

    fn index(&self, name: &str) -> Result<u32> {
        let unknown = || Error::new(Code::PackBuild, format!("{:?} is not in the pack", id::clip(name)));
        self.0.get(name).copied().ok_or_else(unknown)
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

struct Tables {
    components: Table,
    nodes: Table,
    capabilities: Table,
    packs: Table,
}

impl Tables {
    fn of(manifest: &Manifest) -> Result<Self> {
        let mut components: BTreeSet<&str> = manifest.components.iter().map(|entry| &*entry.id).collect();
        let mut nodes = BTreeSet::new();
        for flow in &manifest.flows {
            for (name, node) in &flow.nodes {
                if !id::is_valid(name) || !id::is_valid(&node.component) {
                    let message = format!(
                        "node {:?} of flow {:?} runs {:?}: a manifest holds only names of ASCII letters, digits, '.', '-' and '_'",
                        id::clip(name),
                        flow.id,
                        id::clip(&node.component)
                    );
                    return Err(Error::new(Code::PackBuild, message).at(flow.origin.clone()));
                }
                nodes.insert(name.as_str());
                components.insert(&node.component);
            }
        }
        let mut packs = BTreeSet::from([&*manifest.id]);
        let mut capabilities: BTreeSet<&str> = manifest.capabilities.iter().map(|entry| &*entry.name).collect();
        for entry in &manifest.dependencies {
            packs.insert(&entry.pack);
            capabilities.extend(entry.required_capabilities.iter().map(String::as_str));
        }
        Ok(Self {
            components: Table::of(components),
            nodes: Table::of(nodes),
            capabilities: Table::of(capabilities),
            packs: Table::of(packs),
        })
    }
}

fn component(entry: &ComponentEntry, tables: &Tables) -> Result<wire::Component> {
    let mut rest = entry.rest.clone();
    // Other readers insist on these blocks.
    for key in ["profiles", "resources"] {
        rest.entry(key).or_insert_with(|| Value::Object(Map::new()));
    }
    Ok(wire::Component {
        id: tables.components.index(&entry.id)?,
        version: entry.version.to_string(),
        supports: entry.supports.clone(),
        world: entry.world.clone().unwrap_or_default(),
        capabilities: capabilities(entry.capabilities.as_ref()),
        operations: entry.operations.clone(),
        rest,
    })
}

/// The capability block with both halves, which other readers insist on.
fn capabilities(block: Option<&Value>) -> Value {
    let mut halves = match block {
        Some(Value::Object(halves)) => halves.clone(),
        _ => Map::new(),
    };
    for key in ["wasi", "host"] {
        halves.entry(key).or_insert_with(|| Value::Object(Map::new()));
    }
    Value::Object(halves)
}

fn dependency(entry: &super::Dependency, tables: &Tables) -> Result<wire::Dependency> {
    let names: Result<_> = entry.required_capabilities.iter().map(|name| tables.capabilities.index(name)).collect();
    Ok(wire::Dependency {
        alias: entry.alias.clone(),
        pack_id: tables.packs.index(&entry.pack)?,
        version_req: entry.version_req.clone(),
        required_capabilities: names?,
    })
}

fn flow(doc: &FlowDoc, tables: &Tables) -> Result<wire::FlowEntry<wire::Node>> {
    let kind = serde_json::to_value(doc.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned));
    let kind = kind.ok_or_else(|| Error::new(Code::Internal, "a flow kind has no name"))?;
    let mut nodes = Vec::with_capacity(doc.nodes.len());
    for (name, entry) in &doc.nodes {
        let node = node(name, entry, tables);
        nodes.push(node.map_err(|error| {
            Error::new(Code::PackBuild, format!("node {name:?} of flow {:?}: {}", doc.id, error.message()))
                .at(entry.location.clone().unwrap_or_else(|| doc.origin.clone()))
        })?);
    }
    Ok(wire::FlowEntry {
        id: doc.id.to_string(),
        kind: kind.clone(),
        flow: wire::Flow {
            schema_version: FLOW_SCHEMA.to_owned(),
            id: doc.id.to_string(),
            kind,
            entrypoints: doc.entrypoints.iter().map(|(name, node)| (name.clone(), json!(node))).collect(),
            nodes,
            metadata: wire::Metadata {
                title: doc.title.clone(),
                description: doc.description.clone(),
                tags: doc.tags.clone(),
                extra: match &doc.parameters {
                    Value::Null => Value::Null,
                    parameters => json!({ PARAMETERS: parameters }),
                },
            },
        },
        tags: doc.tags.clone(),
        entrypoints: doc.entrypoints.keys().cloned().collect(),
    })
}

fn node(name: &str, doc: &NodeDoc, tables: &Tables) -> Result<wire::Node> {
    let err_map = &doc.err_map;
    Ok(wire::Node {
        id: tables.nodes.index(name)?,
        component: wire::ComponentRef {
            id: tables.components.index(&doc.component)?,
            pack_alias: None,
            operation: doc.operation.clone(),
        },
        input: wire::Mapping { mapping: doc.input.clone() },
        output: wire::Mapping { mapping: doc.output.clone() },
        routing: routing(&doc.routing, tables)?,
        telemetry: Map::new(),
        err_map: if err_map.is_null() { Value::Null } else { json!({ "mapping": err_map }) },
        retry: doc.retry.clone(),
        timeout: doc.timeout.clone(),
        when: doc.when.clone(),
        default_operation: doc.default_operation.clone(),
    })
}

fn routing(doc: &RoutingDoc, tables: &Tables) -> Result<wire::Routing> {
    Ok(match doc {
        RoutingDoc::End => wire::Routing::End,
        RoutingDoc::Reply => wire::Routing::Reply,
        RoutingDoc::Next(node) => wire::Routing::Next { node_id: tables.nodes.index(node)? },
        RoutingDoc::Branch { on_status, default } => {
            let statuses = on_status.iter().map(|(status, node)| Ok((status.clone(), tables.nodes.index(node)?)));
            wire::Routing::Branch {
                on_status: statuses.collect::<Result<_>>()?,
                default: default.as_deref().map(|node| tables.nodes.index(node)).transpose()?,
            }
        }
        RoutingDoc::Custom(value) => wire::Routing::Custom(value.clone()),
    })
}
