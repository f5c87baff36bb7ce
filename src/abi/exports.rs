//! What a component exports, found once at load.

use greentic_runner_bindings::node_v0_6::NodePre;
use wasmtime::component::InstancePre;

use super::provider::ProviderPre;
use crate::capabilities::HostCtx;
use crate::error::{Code, Error, Result};

/// The interface of component nodes that the host calls.
const NODE: &str = "greentic:component/node@0.6.0";
/// Interfaces of older components, named so that their authors learn why they are not called.
const OLDER: &[&str] = &[
    "greentic:component/node@0.4.0",
    "greentic:component/node@0.5.0",
    "greentic:component/component-runtime@0.6.0",
    "greentic:component/runtime@0.6.1",
];

/// What can be called, and why the rest cannot.
pub(super) struct Exports {
    node: Result<NodePre<HostCtx>>,
    provider: Result<ProviderPre>,
}

impl Exports {
    /// Looks through the exports of the component behind `pre`, called `name` in messages.
    pub(super) fn find(name: &str, pre: &InstancePre<HostCtx>) -> Self {
        let component = pre.component();
        let exported: Vec<_> =
            component.component_type().exports(component.engine()).map(|(name, _)| name.to_owned()).collect();
        let node = match exported.iter().any(|e| e == NODE) {
            true => NodePre::new(pre.clone()).map_err(|e| wrong_type(name, NODE, &e)),
            false => Err(no_node(name, &exported)),
        };
        let provider = match exported.iter().find_map(|e| ProviderPre::named(e, pre)) {
            Some((interface, found)) => found.map_err(|e| wrong_type(name, interface, &e)),
            None => Err(missing(name, "a provider interface (schema-core-api@1.0.0)", &exported)),
        };
        Self { node, provider }
    }

    /// The component as a node.
    pub(super) fn node(&self) -> Result<&NodePre<HostCtx>> {
        self.node.as_ref().map_err(Clone::clone)
    }

    /// The component as a provider.
    pub(super) fn provider(&self) -> Result<&ProviderPre> {
        self.provider.as_ref().map_err(Clone::clone)
    }
}

fn no_node(name: &str, exported: &[String]) -> Error {
    match exported.iter().find(|e| OLDER.contains(&e.as_str())) {
        Some(older) => {
            Error::new(Code::ExportMissing, format!("component {name} exports {older}, which this host does not call"))
                .hint(format!("build it against {NODE}"))
        }
        None => missing(name, NODE, exported),
    }
}

fn missing(name: &str, wanted: &str, exported: &[String]) -> Error {
    if exported.is_empty() {
        return Error::new(Code::ExportMissing, format!("component {name} is empty: it exports nothing"))
            .hint("put a component with an implementation in its place");
    }
    Error::new(Code::ExportMissing, format!("component {name} does not export {wanted}"))
        .hint(format!("it exports {}", exported.join(", ")))
}

fn wrong_type(name: &str, interface: &str, cause: &wasmtime::Error) -> Error {
    Error::new(Code::ExportType, format!("component {name} exports {interface} with other types: {cause:#}"))
        .hint("build it against the published WIT of this version")
}
