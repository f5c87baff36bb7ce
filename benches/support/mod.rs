//! What the benches share: the guests, the host's way of running them, and wasmtime alone on the same engine.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use greentic_runner_host::abi::Registry;
use greentic_runner_host::capabilities::scope::Scope;
use greentic_runner_host::capabilities::services::Services;
use greentic_runner_host::capabilities::state_view::StateView;
use greentic_runner_host::engine::limits::Limits;
use greentic_runner_host::engine::{Binary, Compiled, Engine, EngineOptions};
use greentic_runner_host::id::Id;
use greentic_runner_host::session::SessionKey;
use greentic_runner_host::store::MemoryStore;
use wasmtime::component::{InstancePre, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// A guest: its name and its bytes.
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    bytes: Bytes,
}

impl Guest {
    /// The hand-written provider.
    pub(crate) fn wat() -> anyhow::Result<Self> {
        Ok(Self { name: "wat", bytes: wat::parse_str(include_str!("echo.wat"))?.into() })
    }

    /// A fixture written in Rust.
    pub(crate) fn fixture(name: &'static str) -> anyhow::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/guests").join(name).with_extension("wasm");
        let bytes = std::fs::read(path).context("`cargo xtask guests` builds the fixtures")?;
        Ok(Self { name, bytes: bytes.into() })
    }

    /// The guest for the host.
    pub(crate) fn binary(&self) -> Binary<'_> {
        Binary { name: self.name, digest: *blake3::hash(&self.bytes).as_bytes(), bytes: &self.bytes }
    }
}

/// The host, as the service runs it.
pub(crate) struct Host {
    pub(crate) registry: Registry,
    pub(crate) limits: Limits,
    pub(crate) services: Services,
    store: Arc<MemoryStore>,
}

impl Host {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let engine = Engine::new(EngineOptions::default())?;
        let (limits, services) = (Limits::default(), Services::default());
        Ok(Self { registry: Registry::new(engine), limits, services, store: Arc::default() })
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.registry.engine()
    }

    pub(crate) fn state(&self) -> StateView {
        StateView::new(self.store.clone(), Arc::default())
    }
}

/// When an event that is accepted now must be done.
pub(crate) fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// On whose behalf the benches run. The host makes a scope once per event and clones it per call.
pub(crate) fn scope() -> Scope {
    let key = SessionKey::canonical("tenant", "bench", "place", "user");
    Scope {
        tenant: Id::from("tenant"),
        env: Id::from("local"),
        pack: Id::from("pack"),
        component: Id::from("component"),
        provider: None,
        flow: Id::from("flow"),
        flow_type: Some("messaging"),
        node: Id::from("node"),
        lane: key.lane("pack"),
        session: key.shown(),
        user: Some(Id::from("user")),
        locale: None,
        attempt: 1,
        idempotency_key: "key".to_owned(),
        correlation_id: "correlation".to_owned(),
    }
}

/// What a store holds when wasmtime runs alone.
pub(crate) struct Bare {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl Bare {
    pub(crate) fn new() -> Self {
        Self { wasi: WasiCtx::builder().build(), table: ResourceTable::new() }
    }

    /// The same component on the same engine, linked to WASI alone.
    pub(crate) fn link(engine: &Engine, compiled: &Compiled) -> wasmtime::Result<InstancePre<Self>> {
        let mut linker = Linker::new(engine.wasm());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        linker.instantiate_pre(&compiled.component)
    }
}

impl WasiView for Bare {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A store for one instance when wasmtime runs alone; the epoch is set because the shared engine asks for it.
pub(crate) fn bare_store(engine: &Engine) -> wasmtime::Store<Bare> {
    let mut store = wasmtime::Store::new(engine.wasm(), Bare::new());
    store.set_epoch_deadline(1_000_000);
    store
}

/// The value, or the end of the bench: what fails is not worth measuring.
pub(crate) fn must<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => {
            eprintln!("{error:?}");
            std::process::exit(1)
        }
    }
}
