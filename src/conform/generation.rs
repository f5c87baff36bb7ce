//! The generations of components: the interfaces by which the host calls them, and the shapes that share a version.

use std::fmt;

use serde::{Serialize, Serializer};

use super::shape::ComponentShape;

/// Which of the published shapes of an interface a component exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// The only one.
    Only,
    /// Shape A: a small context without a language.
    A,
    /// Shape B: the context of `greentic:interfaces-types`.
    B,
    /// Shape C: the context of shape A, with a language.
    C,
    /// None of the published ones. The host fills its records by the names of their fields.
    Own,
}

/// A generation of components, as the host calls it. It is shown as
/// `greentic:component/node@0.5.0 (shape B)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Generation {
    /// The interface, with version.
    pub interface: &'static str,
    /// Which of its shapes.
    pub shape: Shape,
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.interface)?;
        match self.shape {
            Shape::Only => Ok(()),
            Shape::A => f.write_str(" (shape A)"),
            Shape::B => f.write_str(" (shape B)"),
            Shape::C => f.write_str(" (shape C)"),
            Shape::Own => f.write_str(" (a shape of its own)"),
        }
    }
}

impl Serialize for Generation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where the WIT of a shape stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In the package of its name, below `wit/`.
    Package,
    /// In this folder of `wit/variants/`.
    Variant(&'static str),
}

/// What new components export.
pub(super) const NODE_0_6: &str = "greentic:component/node@0.6.0";
pub(super) const NODE_0_5: &str = "greentic:component/node@0.5.0";
pub(super) const NODE_0_4: &str = "greentic:component/node@0.4.0";
/// What providers export beside their own contract.
pub(super) const RUNTIME_0_6_1: &str = "greentic:component/runtime@0.6.1";
/// The first package that was published as 0.6.0.
pub(super) const COMPONENT_RUNTIME: &str = "greentic:component/component-runtime@0.6.0";
/// What a component of a package of its own exports.
pub(super) const COMPONENT_API: &str = "greentic:component-v1/component-api@0.1.0";
/// By which a pack in one component gives its flows to be run by the host.
pub const PACK_API: &str = "greentic:pack-export-v1/pack-api@0.1.0";
/// A pack in one component, whose flows run inside it.
pub(super) const PACK_EXEC: &str = "greentic:pack-export/pack-exec@0.4.0";
/// The same, before its functions were sorted into interfaces.
pub(super) const EXPORTS_0_2: &str = "greentic:pack-export/exports@0.2.0";

/// What a node of a flow may export, the best first: a binary with several of them is called by the first that fits.
pub(super) const NODES: &[&str] =
    &[NODE_0_6, RUNTIME_0_6_1, NODE_0_5, NODE_0_4, COMPONENT_RUNTIME, COMPONENT_API, PACK_EXEC, EXPORTS_0_2];

/// What a provider may export, the best first.
pub(super) const PROVIDERS: &[&str] = &[
    "greentic:provider-schema-core/schema-core-api@1.0.0",
    "greentic:provider/schema-core-api@1.0.0",
    "greentic:provider-core/schema-core-api@1.0.0",
];

/// Every shape of every interface that the host calls.
pub(super) const CALLED: &[(&str, Shape, Source)] = &[
    (NODE_0_6, Shape::Only, Source::Package),
    (RUNTIME_0_6_1, Shape::Only, Source::Package),
    (NODE_0_5, Shape::A, Source::Variant("component-0.5.0-a")),
    (NODE_0_5, Shape::B, Source::Variant("component-0.5.0-b")),
    (NODE_0_5, Shape::C, Source::Variant("component-0.5.0-c")),
    (NODE_0_4, Shape::A, Source::Variant("component-0.4.0-a")),
    (NODE_0_4, Shape::B, Source::Variant("component-0.4.0-b")),
    (NODE_0_4, Shape::C, Source::Variant("component-0.4.0-c")),
    (COMPONENT_RUNTIME, Shape::Only, Source::Variant("component-0.6.0-early")),
    (COMPONENT_API, Shape::Only, Source::Package),
    (PACK_EXEC, Shape::Only, Source::Package),
    (EXPORTS_0_2, Shape::Only, Source::Package),
    ("greentic:provider-schema-core/schema-core-api@1.0.0", Shape::Only, Source::Package),
    ("greentic:provider/schema-core-api@1.0.0", Shape::Only, Source::Package),
    ("greentic:provider-core/schema-core-api@1.0.0", Shape::Only, Source::Package),
    #[cfg(feature = "mcp")]
    ("wasix:mcp/router@24.11.5", Shape::Only, Source::Package),
    #[cfg(feature = "mcp")]
    ("wasix:mcp/router@25.3.26", Shape::Only, Source::Package),
    #[cfg(feature = "mcp")]
    ("wasix:mcp/router@25.6.18", Shape::Only, Source::Package),
];

/// Whether a component holds flows that the host runs, and need not be callable itself.
pub fn gives_flows(shape: &ComponentShape) -> bool {
    let functions = shape.exports.get(PACK_API).map(|interface| &interface.functions);
    functions.is_some_and(|functions| ["list-flows", "get-flow-json"].iter().all(|name| functions.contains_key(*name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable() {
        let shown = |interface, shape| Generation { interface, shape }.to_string();
        assert_eq!(shown(NODE_0_5, Shape::B), "greentic:component/node@0.5.0 (shape B)");
        assert_eq!(shown(NODE_0_6, Shape::Only), "greentic:component/node@0.6.0");
        assert_eq!(shown(NODE_0_4, Shape::Own), "greentic:component/node@0.4.0 (a shape of its own)");
        assert_eq!(shown(PROVIDERS[0], Shape::Only), "greentic:provider-schema-core/schema-core-api@1.0.0");
    }

    #[test]
    fn what_is_wanted_is_called() {
        for wanted in NODES.iter().chain(PROVIDERS) {
            assert!(CALLED.iter().any(|(called, ..)| called == wanted), "{wanted}");
        }
    }
}
