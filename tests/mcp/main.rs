//! Tools, through flows and through components: those in WebAssembly, and those of MCP servers.

#![cfg(feature = "mcp")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;

mod fake;
mod guests;
mod http;
mod needs_mcp_server_everything;
mod programs;
mod store;
mod wasm;

use common::{Sources, event, host_of};
use greentic_runner_host::secret::Secret;
use greentic_runner_host::secrets::{SecretScope, SecretsManager};
use greentic_runner_host::{Result, RunnerHost};
use serde_json::{Value, json};

/// A flow whose one node calls `action` of `tool`, with the event as arguments, and answers a failure with its error.
fn caller(tool: &str, action: &str) -> Sources {
    Sources::of_flow(&format!(
        "id: main\ntype: messaging\nnodes:\n  in:\n    mcp.exec: {{ component: {tool}, action: {action}, args: '{{{{in}}}}' }}\n    \
         err_map: {{ code: '{{{{error.code}}}}', message: '{{{{error.message}}}}' }}\n"
    ))
}

/// The same, where a failure ends the run.
fn strict_caller(tool: &str, action: &str) -> Sources {
    Sources::of_flow(&format!(
        "id: main\ntype: messaging\nnodes:\n  in:\n    mcp.exec: {{ component: {tool}, action: {action}, args: '{{{{in}}}}' }}\n"
    ))
}

/// A started host with `mcp` as that block of the bindings, and the pack loaded.
async fn host(mcp: &str, pack: &Sources) -> Result<RunnerHost> {
    host_of(&format!("tenant: t\nmcp:\n{mcp}"), pack, |builder| builder.with_memory_store()).await
}

/// What the flow answers to an event with this input.
async fn ask(host: &RunnerHost, input: Value) -> Value {
    let outcome = host.submit(event("s", input)).await.unwrap().outcome().await.unwrap();
    outcome.replies.into_iter().next().unwrap_or(json!(null))
}

/// The directory with the compiled fixtures, as a store of tools.
fn fixtures() -> String {
    let dir = common::guest_path("x").parent().unwrap().display().to_string();
    format!("  store: {{ kind: local-dir, path: '{dir}' }}\n")
}

/// A place with one secret.
pub(crate) struct OneSecret;

#[async_trait::async_trait]
impl SecretsManager for OneSecret {
    async fn read(&self, scope: &SecretScope, name: &str) -> Result<Vec<Secret>> {
        let is_it = (&*scope.tenant, name) == ("t", "MCP_TEST_KEY");
        Ok(if is_it { vec![Secret::new("opened")] } else { Vec::new() })
    }
}
