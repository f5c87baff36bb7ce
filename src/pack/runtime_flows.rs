//! Flows that stand in an extension instead of the manifest's own: three keys and three shapes circulate.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Code, Error, Location, Result};
use crate::flow::doc::{FlowDoc, FlowKind, NodeDoc};
use crate::flow::routing;
use crate::id::{self, clip};
use crate::pack::manifest::{ExtensionRef, Findings};

/// The keys, the first that holds flows counts.
pub(super) const KEYS: [&str; 3] =
    ["greentic.pack.runtime_flow", "greentic.pack.flow_runtime", "greentic.pack.runtime_flows"];

/// A flow; the aliases are spellings of different tools.
#[derive(Deserialize)]
struct Flow {
    id: String,
    #[serde(alias = "flow_type", alias = "type")]
    kind: String,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    entrypoints: IndexMap<String, Value>,
    #[serde(default)]
    nodes: IndexMap<String, Value>,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    title: Option<String>,
    description: Option<String>,
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(alias = "component_id")]
    component: Component,
    #[serde(default, alias = "operation_name")]
    operation: Option<String>,
    #[serde(default, alias = "operation_payload", alias = "payload", alias = "in_map")]
    input: Value,
    #[serde(default, alias = "out_map")]
    output: Value,
    #[serde(default)]
    err_map: Value,
    #[serde(default)]
    routing: Value,
    #[serde(default)]
    retry: Value,
    #[serde(default)]
    timeout: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Component {
    Id(String),
    Full {
        id: String,
        #[serde(default)]
        pack_alias: Option<String>,
        #[serde(default)]
        operation: Option<String>,
    },
}

/// The flows of the extension that holds some; none if none does. `place` is the manifest's.
pub(super) fn read(extensions: &IndexMap<String, ExtensionRef>, place: &str) -> Result<Option<Vec<FlowDoc>>> {
    for key in KEYS {
        let Some(extension) = extensions.get(key) else { continue };
        let mut findings = Findings::new(Code::FlowInvalid, place);
        let list = list(&mut findings, key, &extension.inline);
        let mut flows: IndexMap<_, FlowDoc> = IndexMap::with_capacity(list.len());
        for (at, value) in list.iter().enumerate() {
            let path = format!("{key}[{at}]");
            let Some(doc) = flow(&mut findings, &path, value, place) else { continue };
            if flows.insert(doc.id.clone(), doc).is_some() {
                findings.add(path, "its id occurs twice");
            }
        }
        findings.finish("the pack's runtime flows are not valid")?;
        if !flows.is_empty() {
            return Ok(Some(flows.into_values().collect()));
        }
    }
    Ok(None)
}

/// The flows in a payload: under `flows`, or the payload itself.
fn list<'a>(findings: &mut Findings, key: &str, inline: &'a Value) -> &'a [Value] {
    let list = match inline {
        Value::Object(map) => map.get("flows").unwrap_or(&Value::Null),
        other => other,
    };
    match list {
        Value::Array(list) => list,
        Value::Null => &[],
        _ => {
            findings.add(key, "its flows are not a list");
            &[]
        }
    }
}

fn flow(findings: &mut Findings, path: &str, value: &Value, place: &str) -> Option<FlowDoc> {
    // Entries of a manifest's own list hold the flow below its id and kind.
    let inner = value.get("flow").filter(|flow| flow.is_object()).unwrap_or(value);
    let flow: Flow = findings.ok(path, Flow::deserialize(inner))?;
    let path = &format!("{path} ({})", clip(&flow.id));
    let message = |error: Error| error.message().to_owned();
    let id = findings.ok(path, id::parse("flow id", &flow.id).map_err(message));
    let kind = FlowKind::named(&flow.kind);
    if kind.is_none() {
        findings.add(path, format_args!("there is no flow kind {:?}", clip(&flow.kind)));
    }
    let mut nodes = IndexMap::with_capacity(flow.nodes.len());
    for (name, value) in &flow.nodes {
        nodes.extend(node(findings, &format!("{path}.nodes.{}", clip(name)), value).map(|doc| (name.clone(), doc)));
    }
    let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
    let mut entrypoints: IndexMap<_, _> = flow.entrypoints.into_iter().filter_map(text).collect();
    if let Some(start) = flow.start {
        entrypoints.insert("default".to_owned(), start);
    }
    let mut tags = flow.tags;
    tags.extend(flow.metadata.tags);
    Some(FlowDoc {
        id: id?,
        kind: kind?,
        title: flow.metadata.title,
        description: flow.metadata.description,
        tags,
        entrypoints,
        parameters: Value::Null,
        nodes,
        origin: Location { file: place.to_owned(), position: None },
    })
}

fn node(findings: &mut Findings, path: &str, value: &Value) -> Option<NodeDoc> {
    let node: Node = findings.ok(path, Node::deserialize(value))?;
    let (component, operation) = match node.component {
        Component::Id(id) => (id, None),
        Component::Full { id, pack_alias: Some(alias), operation } => (format!("{alias}/{id}"), operation),
        Component::Full { id, pack_alias: None, operation } => (id, operation),
    };
    let routing = findings.ok(format_args!("{path}.routing"), routing::read(node.routing))?;
    Some(NodeDoc {
        component,
        operation: node.operation.or(operation),
        default_operation: None,
        input: unwrap(node.input),
        output: unwrap(node.output),
        err_map: unwrap(node.err_map),
        routing,
        retry: node.retry,
        timeout: node.timeout,
        when: Value::Null,
        location: None,
    })
}

/// The mapping in `{mapping: …}`, or a bare one.
fn unwrap(value: Value) -> Value {
    match value {
        Value::Object(mut map) if map.len() == 1 && map.contains_key("mapping") => {
            map.remove("mapping").unwrap_or_default()
        }
        other => other,
    }
}
