//! What a component exports, found once at load.

use greentic_runner_bindings::node_v0_6::NodePre;
use wasmtime::component::InstancePre;

use super::provider::ProviderPre;
use crate::capabilities::HostCtx;
use crate::conform::{ComponentShape, Surface, Want, export, refusal};
use crate::error::{Code, Error, Result};

/// What can be called, and why the rest cannot.
pub(super) struct Exports {
    node: Result<NodePre<HostCtx>>,
    provider: Result<ProviderPre>,
}

impl Exports {
    /// What of the component behind `pre`, called `name` in messages, has the types that the host calls.
    pub(super) fn find(name: &str, shape: &ComponentShape, surface: &Surface, pre: &InstancePre<HostCtx>) -> Self {
        let chosen = |want| export(want, shape, surface).map_err(|findings| refusal(name, findings));
        let node = chosen(Want::Node).and_then(|_| NodePre::new(pre.clone()).map_err(|e| lost(name, &e)));
        let provider = chosen(Want::Provider).and_then(|interface| match ProviderPre::named(interface, pre) {
            Some(found) => found.map_err(|e| lost(name, &e)),
            None => Err(Error::new(Code::Internal, format!("nothing calls {interface}, which is looked for"))),
        });
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

/// An export that conforms but cannot be found again.
fn lost(name: &str, cause: &wasmtime::Error) -> Error {
    Error::new(Code::Internal, format!("component {name} cannot be called: {cause:#}"))
}
