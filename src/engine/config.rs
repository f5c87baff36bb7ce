//! The one place where wasmtime is configured, so that compiling and running can never disagree.

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::options::{Allocation, EngineOptions};
use crate::error::Result;

/// Bytes of a linear memory or table that are zeroed by hand instead of given back to the system when an instance
/// ends. More than this costs a guest with a megabyte of memory more than the page faults that it saves.
const KEEP_RESIDENT: usize = 64 << 10;
/// The same for the stack on which a guest runs; guests use a few pages of it.
const STACK_KEEP_RESIDENT: usize = 16 << 10;
/// Stack that a guest may use. What is left of [`ASYNC_STACK`] is for host functions that it calls.
const WASM_STACK: usize = 512 << 10;
const ASYNC_STACK: usize = 2 << 20;

/// Per component: composed components and those of interpreted languages hold several core instances, memories and
/// tables. The pool has room for the usual component in every place and for some of the large ones.
pub(super) const MAX_CORE_INSTANCES: u32 = 100;
pub(super) const MAX_MEMORIES: u32 = 16;
pub(super) const MAX_TABLES: u32 = 32;
pub(super) const MAX_TABLE_ELEMENTS: usize = 100_000;
const MAX_VMCTX: usize = 4 << 20;

/// How many guests run at the same time on a pool of `instances`: a few places stay free, because a place is given
/// back a moment after its guest has ended.
pub(super) fn admitted(instances: u32) -> usize {
    let spare = (instances / 16).clamp(1, 8);
    usize::try_from(instances.saturating_sub(spare).max(1)).unwrap_or(1)
}

/// Builds the engine and tells whether it is pooled.
pub(super) fn build(options: &EngineOptions) -> Result<(wasmtime::Engine, bool)> {
    if options.allocation == Allocation::Auto {
        let mut config = base();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options.instances.max(2))));
        // Building the pool reserves its whole address space, which makes it the exact probe for itself.
        match wasmtime::Engine::new(&config) {
            Ok(engine) => return Ok((engine, true)),
            Err(error) => tracing::warn!(%error, "no address space for an instance pool; instances are made on demand"),
        }
    }
    let mut config = base();
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    let engine = wasmtime::Engine::new(&config)
        .map_err(|e| super::internal("the WebAssembly engine does not run on this machine", e))?;
    Ok((engine, false))
}

/// What both allocation strategies share.
fn base() -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        .async_stack_zeroing(true)
        .memory_init_cow(true)
        .wasm_memory64(false)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16));
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_stacks(instances)
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(4))
        .max_core_instances_per_component(MAX_CORE_INSTANCES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_memories_per_module(MAX_MEMORIES)
        .max_tables_per_component(MAX_TABLES)
        .max_tables_per_module(MAX_TABLES)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_component_instance_size(MAX_VMCTX)
        .max_core_instance_size(MAX_VMCTX)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT)
        // Scanning which pages are dirty can carry swapped-out pages over into the next instance.
        .pagemap_scan(Enabled::No);
    pool
}
