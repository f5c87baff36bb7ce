//! Prepared components, shared by everybody who uses the same bytes with the same grants.

use std::sync::Arc;

use super::prepared::Prepared;
use crate::capabilities::grants::Grants;
use crate::capabilities::surface;
use crate::engine::limits::Limits;
use crate::engine::{Binary, Engine, Shared};
use crate::error::{Code, Error, Kind, Result};

/// What a component may use in its trial at load. Its tenant's own limits apply when it is called.
const TRIAL_MEMORY: usize = 256 << 20;

/// Prepares components, each once while anybody holds it.
#[derive(Debug)]
pub struct Registry {
    engine: Engine,
    prepared: Shared<([u8; 32], Grants), Prepared>,
}

impl Registry {
    /// A registry that compiles and runs on `engine`.
    pub fn new(engine: Engine) -> Self {
        Self { engine, prepared: Shared::default() }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles `binary`, links it to what was granted, and makes one instance of it as a trial.
    ///
    /// # Errors
    ///
    /// All that the component asks for and does not get, or why it cannot be compiled or started.
    pub async fn prepare(&self, binary: &Binary<'_>, grants: Grants) -> Result<Arc<Prepared>> {
        self.prepared.get_or_make((binary.digest, grants), self.make(binary, grants)).await
    }

    async fn make(&self, binary: &Binary<'_>, grants: Grants) -> Result<Prepared> {
        let compiled = self.engine.compile(binary).await?;
        let linker = surface::linker(binary.name, &compiled.component, grants)?;
        let pre = linker.instantiate_pre(&compiled.component).map_err(|e| unlinkable(binary.name, &e))?;
        let prepared = Prepared::new(self.engine.clone(), binary.name, pre, compiled);
        let limits = Limits { memory_bytes: TRIAL_MEMORY, ..Limits::default() };
        prepared.smoke_test(binary.name, &limits).await.map_err(|e| not_started(binary.name, e))?;
        Ok(prepared)
    }
}

fn unlinkable(name: &str, cause: &wasmtime::Error) -> Error {
    Error::new(Code::Nonconforming, format!("component {name} does not fit the host's interfaces: {cause:#}"))
        .hint("build it against the published WIT of the versions that it imports")
}

fn not_started(name: &str, cause: Error) -> Error {
    if cause.code().kind() == Kind::Unavailable {
        return cause;
    }
    Error::new(Code::SmokeTest, format!("component {name} cannot be started")).with_details(vec![cause])
}
