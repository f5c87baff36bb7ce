//! What several integration tests need.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use greentic_runner_host::run::event::{Event, FlowChoice, ReplyTo};
use greentic_runner_host::run::outcome::{Outcome, Status};
use greentic_runner_host::session::SessionKey;
use greentic_runner_host::{HostBuilder, HostConfig, Result, RunnerHost};
use serde_json::{Value, json};

/// The bytes of a guest fixture, as `cargo xtask guests` makes them.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = guest_path(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask guests` first", path.display()))
}

/// The path of a guest fixture.
pub(crate) fn guest_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/guests").join(format!("{name}.wasm"))
}

/// A directory with a pack of sources: flows by file name, components by id and fixture, and a `pack.yaml`.
pub(crate) struct Sources {
    dir: tempfile::TempDir,
}

impl Sources {
    /// An empty pack.
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A pack of one flow.
    pub(crate) fn of_flow(text: &str) -> Self {
        Self::new().file("index.ygtc", text)
    }

    /// Adds a file.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Adds a component from a guest fixture.
    pub(crate) fn component(self, id: &str, fixture: &str) -> Self {
        let dir = self.dir.path().join("components");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::copy(guest_path(fixture), dir.join(format!("{id}.wasm")))
            .unwrap_or_else(|e| panic!("guest fixture {fixture}: {e}; run `cargo xtask guests` first"));
        self
    }

    /// Adds a component from a file.
    pub(crate) fn component_file(self, id: &str, file: &Path) -> Self {
        let dir = self.dir.path().join("components");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::copy(file, dir.join(format!("{id}.wasm"))).unwrap();
        self
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }
}

/// A started host in memory with one tenant `t`, and the pack loaded.
pub(crate) async fn host_with(pack: &Sources) -> Result<RunnerHost> {
    host_of("tenant: t", pack, |builder| builder.with_memory_store()).await
}

/// A started host of these bindings (tenant `t`), set up further by `set_up`, and the pack loaded.
pub(crate) async fn host_of(
    bindings: &str,
    pack: &Sources,
    set_up: impl FnOnce(HostBuilder) -> HostBuilder,
) -> Result<RunnerHost> {
    let config = HostConfig::from_yaml(bindings, "bindings.yaml")?;
    let host = set_up(HostBuilder::new().with_config(config)).build()?;
    host.start().await?;
    host.load_pack("t", &pack.path()).await?;
    Ok(host)
}

/// An event of session `session`.
pub(crate) fn event(session: &str, input: Value) -> Event {
    Event {
        tenant: Arc::from("t"),
        pack: None,
        flow: FlowChoice::Default,
        session: SessionKey::of(["t", "test", session]),
        user: None,
        provider: None,
        dedupe: Vec::new(),
        remember: None,
        input,
        reply_to: ReplyTo::Caller,
        correlation_id: "test".to_owned(),
    }
}

/// Sends a message in session `session` and waits for the outcome.
pub(crate) async fn say(host: &RunnerHost, session: &str, text: &str) -> Result<Outcome> {
    host.submit(event(session, json!({ "text": text }))).await?.outcome().await
}

/// The texts of the replies.
pub(crate) fn texts(outcome: &Outcome) -> Vec<String> {
    let text = |reply: &Value| reply["text"].as_str().map_or_else(|| reply.to_string(), str::to_owned);
    outcome.replies.iter().map(text).collect()
}

/// Whether the run waits.
pub(crate) fn waits(outcome: &Outcome) -> bool {
    matches!(outcome.status, Status::Waiting { .. })
}
