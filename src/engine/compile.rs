//! From the bytes of a component to machine code: once per digest, bounded, and few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Semaphore;
use wasmtime::component::Component;

use super::artifacts::{self, Artifacts};
use super::bounds::{self, CompileBounds, Needs};
use super::shared::Shared;
use crate::error::{Code, Error, Result};

/// A component as it was found.
#[derive(Clone, Copy, Debug)]
pub struct Binary<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// SHA-256 of the bytes, checked by whoever read them.
    pub digest: [u8; 32],
    /// The bytes.
    pub bytes: &'a Bytes,
}

/// A compiled component. Those who hold it keep it from being compiled again.
pub struct Compiled {
    /// The component, to be linked.
    pub component: Component,
    /// The digest of the bytes it was compiled from.
    pub digest: [u8; 32],
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiled").field("digest", &hex::encode(self.digest)).finish_non_exhaustive()
    }
}

pub(super) struct Compiler {
    engine: wasmtime::Engine,
    bounds: CompileBounds,
    places: Arc<Semaphore>,
    artifacts: Option<Arc<Artifacts>>,
    compiled: Shared<[u8; 32], Compiled>,
    count: Arc<AtomicU64>,
}

impl Compiler {
    pub(super) fn new(
        engine: wasmtime::Engine,
        bounds: CompileBounds,
        parallel: usize,
        artifacts: Option<Artifacts>,
    ) -> Self {
        let places = Arc::new(Semaphore::new(parallel.max(1)));
        let artifacts = artifacts.map(Arc::new);
        Self { engine, bounds, places, artifacts, compiled: Shared::default(), count: Arc::default() }
    }

    /// How many components were compiled, those that were found in the artifact cache left out.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn check(&self, name: &str, bytes: &[u8]) -> Result<Needs> {
        self.bounds.check(name, bytes)
    }

    pub(super) async fn get(&self, binary: &Binary<'_>) -> Result<Arc<Compiled>> {
        self.compiled.get_or_make(binary.digest, self.make(binary)).await
    }

    async fn make(&self, binary: &Binary<'_>) -> Result<Compiled> {
        let place =
            Arc::clone(&self.places).acquire_owned().await.map_err(|e| super::internal("compiler stopped", e))?;
        let task = Task {
            engine: self.engine.clone(),
            bounds: self.bounds,
            artifacts: self.artifacts.clone(),
            name: binary.name.to_owned(),
            digest: binary.digest,
            bytes: binary.bytes.clone(),
            count: Arc::clone(&self.count),
        };
        // The place moves along: a caller that gives up must not let further compilations start beside this one.
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            task.run()
        });
        done.await.map_err(|e| super::internal("compiling a component failed", e))?
    }
}

struct Task {
    engine: wasmtime::Engine,
    bounds: CompileBounds,
    artifacts: Option<Arc<Artifacts>>,
    name: String,
    digest: [u8; 32],
    bytes: Bytes,
    count: Arc<AtomicU64>,
}

impl Task {
    fn run(self) -> Result<Compiled> {
        self.bounds.check(&self.name, &self.bytes)?;
        let component = match self.cached() {
            Some(component) => component,
            None => self.compile()?,
        };
        component
            .initialize_copy_on_write_image()
            .map_err(|e| super::internal("cannot make the memory image of a component", e))?;
        Ok(Compiled { component, digest: self.digest })
    }

    fn cached(&self) -> Option<Component> {
        let artifact = self.artifacts.as_ref()?.load(&self.digest)?;
        artifacts::instantiate(&self.engine, &artifact)
            .inspect_err(|error| tracing::debug!(component = self.name, %error, "a compiled component does not fit"))
            .ok()
    }

    fn compile(&self) -> Result<Component> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let artifact = self.engine.precompile_component(&self.bytes).map_err(|e| self.rejected(&e))?;
        // What was compiled just now always loads, unless the pool has no place of the size that it needs.
        let component = artifacts::instantiate(&self.engine, &artifact).map_err(|e| self.too_large(&e))?;
        if let Some(artifacts) = &self.artifacts {
            artifacts.store(&self.digest, &artifact);
        }
        Ok(component)
    }

    /// Said in the words of `check`, which validates and does not compile, wherever the component is not valid.
    fn rejected(&self, cause: &wasmtime::Error) -> Error {
        let invalid = bounds::validate(&self.name, &self.bytes).err();
        invalid.unwrap_or_else(|| bounds::rejected(&self.name, &shown(cause)))
    }

    fn too_large(&self, cause: &wasmtime::Error) -> Error {
        Error::new(
            Code::PoolTooSmall,
            format!("component {} does not fit the instance pool: {}", self.name, shown(cause)),
        )
        .hint(bounds::POOL_HINT)
    }
}

/// An error's text for messages: it may quote what the component holds.
fn shown(cause: &wasmtime::Error) -> String {
    const MAX: usize = 400;
    format!("{cause:#}").chars().take(MAX).flat_map(char::escape_debug).collect()
}
