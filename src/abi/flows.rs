//! Flows that a component holds: a pack in one component tells them, and either gives each as JSON or runs it itself.

use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, InstancePre, Val};

use super::{named, val};
use crate::capabilities::HostCtx;
use crate::conform::{ComponentShape, Function, PACK_API, Type};

/// Where flows are listed: the interface, and the function that gives one as JSON if there is one. The first that the
/// component has is used.
const INTERFACES: &[(&str, Option<&str>)] = &[
    (PACK_API, Some("get-flow-json")),
    ("greentic:pack-export/pack-queries@0.4.0", None),
    ("greentic:pack-export/exports@0.2.0", None),
];

/// Flows that one component may hold.
const MAX_FLOWS: usize = 256;

/// A flow that a component holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFlow {
    /// Its id.
    pub id: String,
    /// What starts it (`messaging`, `job`, …), if the component says so.
    pub kind: Option<String>,
    /// The flow as JSON text, to be compiled and run by the host. None if the flow runs inside the component: then the
    /// component is called like any other, with the flow's id as the operation.
    pub json: Option<String>,
}

/// The functions by which a component tells its flows.
pub(super) struct FlowLister {
    list: ComponentExportIndex,
    get: Option<ComponentExportIndex>,
}

impl FlowLister {
    /// Those of the first interface that the component has.
    pub(super) fn find(shape: &ComponentShape, pre: &InstancePre<HostCtx>) -> Option<Self> {
        INTERFACES.iter().find_map(|(interface, get)| {
            let functions = &shape.exports.get(*interface)?.functions;
            let (_, instance) = pre.component().get_export(None, *interface)?;
            let index = |name: &str| pre.component().get_export(Some(&instance), name).map(|(_, index)| index);
            if !functions.get("list-flows").is_some_and(lists) {
                return None;
            }
            let get = match get {
                Some(get) if functions.get(*get).is_some_and(gives_text) => Some(index(get)?),
                Some(_) => return None,
                None => None,
            };
            Some(Self { list: index("list-flows")?, get })
        })
    }

    /// Makes an instance in `store` and lists the flows.
    pub(super) async fn ask(
        &self,
        pre: &InstancePre<HostCtx>,
        store: &mut Store<HostCtx>,
    ) -> wasmtime::Result<(Vec<ExportedFlow>, usize)> {
        let list = named::invoke(pre, store, &self.list, &[]).await?;
        let size = val::size(&list);
        let entries = match list {
            Val::List(entries) => entries,
            Val::Result(Ok(Some(entries))) => match *entries {
                Val::List(entries) => entries,
                _ => Vec::new(),
            },
            Val::Result(Err(error)) => {
                let error = error.map_or(Value::Null, |error| val::to_json(*error));
                return Err(wasmtime::Error::msg(format!("it does not tell its flows: {error}")));
            }
            _ => Vec::new(),
        };
        Ok((entries.into_iter().take(MAX_FLOWS).filter_map(flow).collect(), size))
    }

    /// Makes an instance in `store` and gets the JSON of a flow; none if the component runs its flows itself.
    pub(super) async fn get(
        &self,
        pre: &InstancePre<HostCtx>,
        store: &mut Store<HostCtx>,
        id: &str,
    ) -> wasmtime::Result<Option<String>> {
        let Some(get) = &self.get else { return Ok(None) };
        named::invoke(pre, store, get, &[Val::String(id.to_owned())]).await.map(val::text)
    }

    /// Whether flows come as JSON.
    pub(super) fn gives_json(&self) -> bool {
        self.get.is_some()
    }
}

fn flow(entry: Val) -> Option<ExportedFlow> {
    let mut fields = val::fields(entry);
    let id = val::take(&mut fields, "id").and_then(val::text)?;
    let kind = match val::take(&mut fields, "kind").or_else(|| val::take(&mut fields, "type")) {
        Some(Val::Enum(kind)) => Some(kind.replace('-', "_")),
        other => other.and_then(val::text),
    };
    Some(ExportedFlow { id, kind, json: None })
}

/// Whether a function takes nothing and gives a list of records, in a result or not.
fn lists(function: &Function) -> bool {
    let is_list = |ty: &Type| matches!(ty, Type::List(item) if matches!(&**item, Type::Record(..)));
    let gives = match function.result.as_deref() {
        Some(Type::Result(Some(ok), _)) => is_list(ok),
        Some(ty) => is_list(ty),
        None => false,
    };
    gives && function.params.is_empty() && !function.is_async
}

/// Whether a function takes a text and gives one.
fn gives_text(function: &Function) -> bool {
    let is_text = |ty: &Type| matches!(ty, Type::Primitive("string"));
    let takes = matches!(function.params.as_slice(), [(_, ty)] if is_text(ty));
    takes && !function.is_async && function.result.as_deref().is_some_and(is_text)
}
