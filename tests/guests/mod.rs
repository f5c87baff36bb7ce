//! Running the guest fixtures on a real engine, with a real store behind their state.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use greentic_runner_host::abi::call::{Answer, Call, CallFailure};
use greentic_runner_host::abi::{Prepared, Registry};
use greentic_runner_host::capabilities::grants::Grants;
use greentic_runner_host::capabilities::scope::Scope;
use greentic_runner_host::capabilities::services::Services;
use greentic_runner_host::capabilities::state_view::{Overlay, StateView};
use greentic_runner_host::engine::limits::Limits;
use greentic_runner_host::engine::{Binary, Engine, EngineOptions};
use greentic_runner_host::id::Id;
use greentic_runner_host::session::SessionKey;
use greentic_runner_host::store::MemoryStore;
use serde_json::Value;

/// The bytes of a fixture.
pub(crate) fn bytes(name: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/guests").join(name).with_extension("wasm");
    match std::fs::read(&path) {
        Ok(bytes) => bytes.into(),
        Err(error) => panic!("{}: {error}; `cargo xtask guests` builds the fixtures", path.display()),
    }
}

/// An engine that is small enough for many tests in one process.
pub(crate) fn engine() -> Engine {
    Engine::new(EngineOptions { instances: 16, ..EngineOptions::default() }).unwrap()
}

/// Limits that a hostile guest meets soon.
pub(crate) fn limits() -> Limits {
    Limits {
        memory_bytes: 8 << 20,
        output_bytes: 64 << 10,
        host_call_bytes: 64 << 10,
        host_calls: 200,
        state_bytes: 32 << 10,
        ..Limits::default()
    }
}

/// On whose behalf a guest runs.
pub(crate) fn scope(tenant: &str, session: &str) -> Scope {
    let key = SessionKey::canonical(tenant, "test", session, "user");
    Scope {
        tenant: Id::from(tenant),
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

/// A place to run fixtures in: what calls write is seen by later calls, as the rest of a run sees it.
pub(crate) struct Rig {
    pub(crate) registry: Registry,
    pub(crate) written: Arc<Overlay>,
    pub(crate) limits: Limits,
    pub(crate) services: Services,
    store: Arc<MemoryStore>,
}

impl Rig {
    pub(crate) fn new(limits: Limits) -> Self {
        // Long enough for every guest that ends, on a busy machine too.
        let trial = Limits { timeout: Duration::from_secs(2), ..Limits::default() };
        let registry = Registry::with_trial_limits(engine(), trial);
        Self { registry, written: Arc::default(), limits, services: Services::default(), store: Arc::default() }
    }

    pub(crate) async fn prepare(&self, name: &str, grants: Grants) -> greentic_runner_host::Result<Arc<Prepared>> {
        let bytes = bytes(name);
        let binary = Binary { name, digest: *blake3::hash(&bytes).as_bytes(), bytes: &bytes };
        self.registry.prepare(&binary, grants).await
    }

    pub(crate) async fn guest(&self, name: &str) -> Arc<Prepared> {
        self.prepare(name, Grants::all()).await.unwrap()
    }

    /// Calls a guest, as a provider if it is no node, without keeping what it writes.
    pub(crate) async fn call(
        &self,
        guest: &Prepared,
        scope: Scope,
        op: &str,
        input: &Value,
    ) -> Result<Answer, Box<CallFailure>> {
        self.call_within(&self.limits, guest, scope, op, input).await
    }

    /// The same within other limits than the rig's.
    pub(crate) async fn call_within(
        &self,
        limits: &Limits,
        guest: &Prepared,
        scope: Scope,
        op: &str,
        input: &Value,
    ) -> Result<Answer, Box<CallFailure>> {
        let call = Call {
            scope,
            op,
            input,
            state: StateView::new(self.store.clone(), Arc::clone(&self.written)),
            assets: None,
            services: self.services.clone(),
            limits,
            deadline: Instant::now() + Duration::from_secs(60),
            trace: true,
        };
        match guest.component_callable() {
            Ok(()) => guest.invoke_component(call).await,
            Err(_) => guest.invoke_provider(call).await,
        }
    }

    /// Calls a node and keeps what it writes.
    pub(crate) async fn node(&mut self, guest: &Prepared, scope: Scope, op: &str, input: Value) -> Value {
        let answer = self.call(guest, scope, op, &input).await.unwrap_or_else(|f| panic!("{op}: {}", f.error));
        Arc::make_mut(&mut self.written).extend(answer.state.into_writes());
        answer.output
    }
}
