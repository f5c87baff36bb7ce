//! What a component exports, found once at load.

use wasmtime::component::InstancePre;

use super::component::Component;
use super::description::Describer;
use super::flows::FlowLister;
use super::provider::ProviderPre;
use super::tool::Tool;
use crate::capabilities::HostCtx;
use crate::conform::{ComponentShape, Generation, Surface, Want, export, refusal};
use crate::error::{Code, Error, Result};

/// What can be called, and why the rest cannot.
pub(super) struct Exports {
    component: Result<Component>,
    provider: Result<(Generation, ProviderPre)>,
    tool: Result<Tool>,
    pub(super) describer: Option<Describer>,
    pub(super) flows: Option<FlowLister>,
}

impl Exports {
    /// What of the component behind `pre`, called `name` in messages, the host can call.
    pub(super) fn find(name: &str, shape: &ComponentShape, surface: &Surface, pre: &InstancePre<HostCtx>) -> Self {
        let chosen = |want| export(want, shape, surface).map_err(|findings| refusal(name, findings));
        let component = chosen(Want::Node).and_then(|chosen| Component::find(name, chosen, pre));
        let provider = chosen(Want::Provider).and_then(|chosen| {
            let generation = chosen.generation;
            match ProviderPre::named(generation.interface, pre) {
                Some(found) => Ok((generation, found.map_err(|e| lost(name, &e))?)),
                None => Err(Error::new(Code::Internal, format!("nothing calls {generation}, which is looked for"))),
            }
        });
        let tool = Tool::find(name, shape, pre);
        let (describer, flows) = (Describer::find(shape, pre), FlowLister::find(shape, pre));
        Self { component, provider, tool, describer, flows }
    }

    /// The component as a node.
    pub(super) fn component(&self) -> Result<&Component> {
        self.component.as_ref().map_err(Clone::clone)
    }

    /// The component as a provider.
    pub(super) fn provider(&self) -> Result<&ProviderPre> {
        self.provider.as_ref().map(|(_, provider)| provider).map_err(Clone::clone)
    }

    /// The component as a tool.
    pub(super) fn tool(&self) -> Result<&Tool> {
        self.tool.as_ref().map_err(Clone::clone)
    }

    /// The generation that it speaks as a provider.
    pub(super) fn provider_generation(&self) -> Option<Generation> {
        self.provider.as_ref().ok().map(|(generation, _)| *generation)
    }
}

/// An export that conforms but cannot be found again.
fn lost(name: &str, cause: &wasmtime::Error) -> Error {
    Error::new(Code::Internal, format!("component {name} cannot be called: {cause:#}"))
}
