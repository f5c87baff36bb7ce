//! The shapes of a manifest's parts as they are encoded: names are indices into the symbol tables.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ExtensionRef;
use crate::pack::model::{Operation, PackKind, SecretRequirement};

/// A whole manifest, for writing. Reading goes part by part, so that one wrong part does not hide the next.
#[derive(Serialize)]
pub(super) struct Top<'a> {
    pub schema_version: &'a str,
    pub pack_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: &'a Option<String>,
    pub version: String,
    pub kind: PackKind,
    pub publisher: &'a str,
    pub symbols: Symbols,
    pub components: Vec<Component>,
    pub flows: Vec<FlowEntry<Node>>,
    pub dependencies: Vec<Dependency>,
    pub capabilities: Vec<Capability>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub secret_requirements: &'a [SecretRequirement],
    pub signatures: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub bootstrap: &'a Value,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub extensions: &'a IndexMap<String, ExtensionRef>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Symbols {
    pub component_ids: Vec<String>,
    pub node_ids: Vec<String>,
    pub capability_names: Vec<String>,
    pub pack_ids: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Component {
    pub id: u32,
    pub version: String,
    #[serde(default)]
    pub supports: Vec<String>,
    #[serde(default)]
    pub world: String,
    #[serde(default)]
    pub capabilities: Value,
    #[serde(default)]
    pub operations: Vec<Operation>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct FlowEntry<N> {
    pub id: String,
    pub kind: String,
    pub flow: Flow<N>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub entrypoints: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Flow<N> {
    #[serde(default)]
    pub schema_version: String,
    pub id: String,
    pub kind: String,
    #[serde(default)]
    pub entrypoints: IndexMap<String, Value>,
    #[serde(default = "Vec::new")]
    pub nodes: Vec<N>,
    #[serde(default)]
    pub metadata: Metadata,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub tags: Vec<String>,
    pub extra: Value,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Node {
    pub id: u32,
    pub component: ComponentRef,
    #[serde(default)]
    pub input: Mapping,
    #[serde(default)]
    pub output: Mapping,
    pub routing: Routing,
    #[serde(default)]
    pub telemetry: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub err_map: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub retry: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub timeout: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub when: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_operation: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ComponentRef {
    pub id: u32,
    #[serde(default)]
    pub pack_alias: Option<String>,
    #[serde(default)]
    pub operation: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Mapping {
    #[serde(default)]
    pub mapping: Value,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Routing {
    Next {
        node_id: u32,
    },
    Branch {
        #[serde(default)]
        on_status: IndexMap<String, u32>,
        #[serde(default)]
        default: Option<u32>,
    },
    End,
    Reply,
    Custom(Value),
}

#[derive(Serialize, Deserialize)]
pub(super) struct Dependency {
    pub alias: String,
    pub pack_id: u32,
    pub version_req: String,
    #[serde(default)]
    pub required_capabilities: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Capability {
    pub name: u32,
    #[serde(default)]
    pub description: Option<String>,
}
