//! The engine: compiling components and running instances of them within limits.
//!
//! In: component bytes, a linker, limits. Out: compiled components and, for each invocation, a [`Guest`] (a store with
//! its limits armed and a place in the instance pool). The room is generic over the store's data: it must never know
//! an interface, a tenant or a flow. Nothing of an invocation outlives its store.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::error::{Code, Error, Result};

mod artifacts;
mod bounds;
mod compile;
mod config;
mod failure;
mod guest;
mod limiter;
pub mod limits;
mod options;
mod shared;
mod ticker;

#[cfg(test)]
mod tests;

pub use bounds::{CompileBounds, Needs};
pub use compile::{Binary, Compiled};
pub use failure::Subject;
pub(crate) use failure::output as output_too_large;
pub use guest::{Guest, GuestData, until};
pub use limiter::Limiter;
pub use options::{Allocation, EngineOptions};
pub use shared::Shared;

/// The service engine: synchronous component model, asynchronous host calls, epoch interruption, pooled instances.
/// Cheap to clone; all clones share the pool, the compiler and the ticker.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    wasm: wasmtime::Engine,
    compiler: compile::Compiler,
    admission: Arc<Semaphore>,
    admission_wait: Duration,
    pooled: bool,
}

impl Engine {
    /// Builds the engine and starts its ticker, which stops when the last clone is dropped.
    ///
    /// # Errors
    ///
    /// [`Code::Io`] if the directory for compiled components cannot be used, [`Code::Internal`] if the engine cannot
    /// run on this machine.
    pub fn new(options: EngineOptions) -> Result<Self> {
        let (wasm, pooled) = config::build(&options)?;
        ticker::start(&wasm)?;
        let artifacts =
            options.artifact_dir.as_deref().map(|dir| artifacts::Artifacts::open(dir, &wasm)).transpose()?;
        let compiler = compile::Compiler::new(wasm.clone(), options.bounds, options.parallel_compiles, artifacts);
        Ok(Self(Arc::new(Inner {
            wasm,
            compiler,
            admission: Arc::new(Semaphore::new(config::admitted(options.instances))),
            admission_wait: options.admission_wait,
            pooled,
        })))
    }

    /// The wasmtime engine, for linkers.
    pub fn wasm(&self) -> &wasmtime::Engine {
        &self.0.wasm
    }

    /// Whether instances come from the pool; if not, the address space was too small for it.
    pub fn is_pooled(&self) -> bool {
        self.0.pooled
    }

    /// How many guests may run now in addition to those that do.
    pub fn free_guests(&self) -> usize {
        self.0.admission.available_permits()
    }

    /// Checks that `bytes`, called `name` in messages, are a component that the engine is willing to compile and has
    /// room for, and tells what an instance of it begins with.
    ///
    /// # Errors
    ///
    /// [`Code::NotAComponent`], [`Code::CompileBounds`], [`Code::PoolTooSmall`] or [`Code::CompileFailed`] for a
    /// damaged one.
    pub fn check(&self, name: &str, bytes: &[u8]) -> Result<Needs> {
        let needs = self.0.compiler.check(name, bytes)?;
        if self.0.pooled {
            bounds::fits_pool(name, &needs)?;
        }
        Ok(needs)
    }

    /// The compiled form of `binary`: the one that somebody holds already, else from the artifact cache, else
    /// compiled now. Callers that ask for the same digest at the same time share one compilation.
    ///
    /// # Errors
    ///
    /// [`Code::NotAComponent`], [`Code::CompileBounds`], [`Code::CompileFailed`] or [`Code::PoolTooSmall`].
    pub async fn compile(&self, binary: &Binary<'_>) -> Result<Arc<Compiled>> {
        self.0.compiler.get(binary).await
    }

    /// How many components this engine has compiled. Those that it found in the artifact cache do not count.
    pub fn compiled(&self) -> u64 {
        self.0.compiler.count()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("pooled", &self.0.pooled).finish_non_exhaustive()
    }
}

/// Checks `bytes` as an engine of these `options` does before and while it compiles them, without an engine and
/// without compiling; `name` stands for them in messages. The pool is taken to have its address space.
///
/// # Errors
///
/// As [`Engine::check`], and [`Code::CompileFailed`] for what is not valid.
pub fn examine(options: &EngineOptions, name: &str, bytes: &[u8]) -> Result<Needs> {
    let needs = options.bounds.check(name, bytes)?;
    if options.allocation == Allocation::Auto {
        bounds::fits_pool(name, &needs)?;
    }
    bounds::validate(name, bytes)?;
    Ok(needs)
}

/// A defect or a condition of the machine that the engine cannot work around.
fn internal(what: &str, cause: impl std::fmt::Display) -> Error {
    Error::new(Code::Internal, format!("{what}: {cause}"))
}
