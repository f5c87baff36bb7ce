//! What an embedder can choose about the engine.

use std::path::PathBuf;
use std::time::Duration;

use super::bounds::CompileBounds;

/// Where the memory of instances comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocation {
    /// From the pool where the address space is large enough for it, else on demand.
    #[default]
    Auto,
    /// On demand: slower, but next to no address space.
    OnDemand,
}

/// Options of an [`super::Engine`].
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where the memory of instances comes from.
    pub allocation: Allocation,
    /// How many component instances the pool holds. Slightly fewer run at the same time.
    pub instances: u32,
    /// How long an invocation waits for a free place before it fails with `EngineBusy`.
    pub admission_wait: Duration,
    /// A private directory for compiled components; none compiles anew in every process.
    pub artifact_dir: Option<PathBuf>,
    /// What the engine is willing to compile.
    pub bounds: CompileBounds,
    /// How many components are compiled at the same time.
    pub parallel_compiles: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            allocation: Allocation::Auto,
            instances: 512,
            admission_wait: Duration::from_secs(2),
            artifact_dir: None,
            bounds: CompileBounds::default(),
            parallel_compiles: 2,
        }
    }
}
