//! What a guest's store holds: whose behalf it runs on, what it may use, and an empty WASI world.

use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::calls::{Begun, Calls, Function};
use super::scope::Scope;
use super::state_view::StateView;
use crate::abi::call::HostCall;
use crate::engine::limits::Limits;
use crate::engine::{GuestData, Limiter};
use crate::error::Result;

/// Bytes that a guest gets from one call for random bytes.
const MAX_RANDOM: u64 = 1 << 20;
/// How long before the end a guest can learn of it.
const MAX_NOTICE: Duration = Duration::from_secs(1);

/// The host as one invocation sees it.
pub struct HostCtx {
    pub(super) scope: Scope,
    pub(super) state: StateView,
    pub(super) calls: Calls,
    pub(super) cancel_at: Instant,
    limiter: Limiter,
    table: ResourceTable,
    wasi: Option<Box<WasiCtx>>,
}

impl HostCtx {
    /// The host for an invocation on behalf of `scope`, which sees and changes `state`.
    pub fn new(scope: Scope, state: StateView, limits: &Limits, deadline: Instant, trace: bool) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self {
            scope,
            state,
            calls: Calls::new(limits, trace),
            cancel_at: cancel_at(limits.timeout, deadline),
            limiter: Limiter::new(limits.memory_bytes),
            table,
            wasi: None,
        }
    }

    /// The host calls that were recorded.
    pub fn take_calls(&mut self) -> Vec<HostCall> {
        self.calls.take()
    }

    /// The state with the guest's writes.
    pub fn into_state(self) -> StateView {
        self.state
    }

    /// Counts a host call; an error traps the guest.
    pub(super) fn begin(&mut self, function: Function, bytes: usize) -> Result<Begun> {
        self.calls.begin(function, bytes)
    }
}

impl GuestData for HostCtx {
    fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }
}

impl WasiView for HostCtx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        // Most guests import WASI and few call it, so its context is made on the first call.
        WasiCtxView { ctx: self.wasi.get_or_insert_with(|| Box::new(empty_wasi())), table: &mut self.table }
    }
}

/// When a guest that asks hears that it should stop: shortly before it is stopped.
fn cancel_at(timeout: Duration, deadline: Instant) -> Instant {
    let notice = (timeout / 10).min(MAX_NOTICE);
    let end = deadline.min(Instant::now() + timeout);
    end.checked_sub(notice).unwrap_or(end)
}

/// No files, arguments, variables, standard streams, sockets or names; clocks and random numbers.
fn empty_wasi() -> WasiCtx {
    WasiCtx::builder().allow_tcp(false).allow_udp(false).max_random_size(MAX_RANDOM).build()
}

impl std::fmt::Debug for HostCtx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostCtx").field("scope", &self.scope).finish_non_exhaustive()
    }
}
