//! Everything that is tried.

use serde_json::{Value, json};

/// Something that was published.
pub(crate) struct Artefact {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// Where it comes from.
    pub(crate) origin: Origin,
    /// What it is called as, and with what.
    pub(crate) calls: Calls,
}

/// Where something comes from.
pub(crate) enum Origin {
    /// A file or directory in a published crate.
    Crate {
        /// The directory under `tests/interop/published` whose manifest names the crate.
        manifest: &'static str,
        /// The crate.
        name: &'static str,
        /// Its version.
        version: &'static str,
        /// Where in the crate it lies.
        path: &'static str,
    },
    /// A guest under `guest-fixtures/sdk`, by this name.
    Sdk {
        /// The version of the SDK.
        version: &'static str,
        /// The guest.
        guest: &'static str,
    },
}

/// How something is called.
pub(crate) enum Calls {
    /// By flows, as a node: operations and inputs.
    Node(fn() -> Vec<(&'static str, Value)>),
    /// By flows, as a provider.
    Provider(fn() -> Vec<(&'static str, Value)>),
    /// Not at all: it is a directory with the sources of a pack without flows.
    Sources,
    /// Not at all: it is such a directory, and what its tool built of it is loaded, with this component.
    Built(&'static str),
}

const fn state(path: &'static str) -> Origin {
    Origin::Crate { manifest: "state", name: "greentic-state", version: "1.3.0-research.1", path }
}

const fn sdk(version: &'static str, guest: &'static str) -> Origin {
    Origin::Sdk { version, guest }
}

/// What the nodes on the SDK are asked. They count twice, in one session.
fn node_calls() -> Vec<(&'static str, Value)> {
    vec![
        ("echo", json!({ "text": "grüezi", "list": [1, 2.5, null] })),
        ("context", json!({})),
        ("count", json!({})),
        ("fail", json!({ "why": "because" })),
    ]
}

/// What a provider of state answers beside its state, which its operator keeps.
fn state_provider_calls() -> Vec<(&'static str, Value)> {
    vec![("qa-spec", json!({ "mode": "setup" })), ("apply-answers", json!({ "mode": "setup", "answers": {} }))]
}

/// Everything, in the order of the table.
pub(crate) const ARTEFACTS: &[Artefact] = &[
    Artefact {
        name: "an action of a page",
        origin: Origin::Crate {
            manifest: "interfaces-wasmtime",
            name: "greentic-interfaces-wasmtime",
            version: "0.4.113",
            path: "tests/assets/repo_ui_actions_dummy.component.wasm",
        },
        calls: Calls::Node(|| vec![("handle-action", json!({}))]),
    },
    Artefact {
        name: "the adapter for MCP routers",
        origin: Origin::Crate {
            manifest: "pack",
            name: "greentic-pack",
            version: "1.3.0-research.11",
            path: "assets/mcp_adapter_25_06_18.component.wasm",
        },
        calls: Calls::Node(|| vec![("list-tools", json!({}))]),
    },
    Artefact {
        name: "a component that answers messages",
        origin: state("packs/state-memory/components/templates/templates.wasm"),
        calls: Calls::Node(|| {
            vec![("handle_message", json!({ "text": "hello" })), ("text", json!({ "text": "hello" }))]
        }),
    },
    Artefact {
        name: "a provider of state",
        origin: state("packs/state-memory/components/state-provider-memory/state-provider-memory.wasm"),
        calls: Calls::Provider(state_provider_calls),
    },
    Artefact {
        name: "the same as a component",
        origin: state("packs/state-memory/components/state-provider-memory/state-provider-memory.wasm"),
        calls: Calls::Node(|| vec![("state.dispatch", json!({}))]),
    },
    Artefact {
        name: "another provider of state",
        origin: state("packs/state-redis/components/state-provider-redis/state-provider-redis.wasm"),
        calls: Calls::Provider(state_provider_calls),
    },
    Artefact { name: "the sources of a pack", origin: state("packs/state-memory"), calls: Calls::Sources },
    Artefact {
        name: "that pack as it was built",
        origin: state("packs/state-memory"),
        calls: Calls::Built("state-provider-memory"),
    },
    Artefact { name: "the sources of another", origin: state("packs/state-redis"), calls: Calls::Sources },
    Artefact {
        name: "the other as it was built",
        origin: state("packs/state-redis"),
        calls: Calls::Built("state-provider-redis"),
    },
    Artefact { name: "node, first shape", origin: sdk("0.4.78", "sdk-0-4-78-node"), calls: Calls::Node(node_calls) },
    Artefact { name: "node, second shape", origin: sdk("0.4.90", "sdk-0-4-90-node"), calls: Calls::Node(node_calls) },
    Artefact { name: "node, third shape", origin: sdk("0.4.113", "sdk-0-4-113-node"), calls: Calls::Node(node_calls) },
    Artefact {
        name: "the early 0.6.0",
        origin: sdk("0.4.94", "sdk-0-4-94-run"),
        calls: Calls::Node(|| vec![("run", json!({ "text": "grüezi" }))]),
    },
    Artefact { name: "node 0.6.0", origin: sdk("0.4.113", "sdk-0-4-113-node-0-6"), calls: Calls::Node(node_calls) },
    Artefact {
        name: "provider",
        origin: sdk("0.4.78", "sdk-0-4-78-provider"),
        calls: Calls::Provider(|| vec![("echo", json!({ "text": "grüezi" })), ("fail", json!({}))]),
    },
    Artefact {
        name: "node with web and secrets",
        origin: sdk("0.4.113", "sdk-0-4-113-web"),
        calls: Calls::Node(|| vec![("fetch", json!("https://example.com"))]),
    },
];
