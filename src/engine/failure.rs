//! Why a guest ended: from what the engine reports to a coded error that names the limit.

use std::fmt;
use std::time::Duration;

use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

use super::guest;
use super::limits::Limits;
use crate::error::{Code, Error};
use crate::id;

/// The engine reports these two only as text.
const FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";
const HANDLES_EXHAUSTED: &str = "handle limit exceeded";

/// Who was running, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The component.
    pub component: &'a str,
    /// The operation.
    pub op: &'a str,
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "component {}, operation {}", self.component, id::clip(self.op))
    }
}

/// Raised in a guest whose time is up.
#[derive(Debug, thiserror::Error)]
#[error("the deadline passed")]
pub(super) struct DeadlinePassed;

/// Translates `cause`. `denied` tells whether the guest was refused memory before it failed.
pub(super) fn explain(subject: Subject<'_>, cause: &wasmtime::Error, denied: bool, limits: &Limits) -> Error {
    if let Some(coded) = cause.downcast_ref::<Error>() {
        let error = Error::new(coded.code(), format!("{subject}: {}", coded.message()));
        return match coded.hint_text() {
            Some(hint) => error.hint(hint),
            None => error,
        };
    }
    let trap = cause.downcast_ref::<Trap>().copied();
    if cause.is::<DeadlinePassed>() || trap == Some(Trap::Interrupt) {
        return timeout(subject, limits.timeout);
    }
    if denied {
        return memory(subject, limits.memory_bytes);
    }
    if trap == Some(Trap::StackOverflow) {
        return Error::new(Code::GuestStack, format!("{subject}: the call stack is full"))
            .hint("the component recurses too deeply; guests have 512 KiB of stack");
    }
    if cause.is::<PoolConcurrencyLimitError>() {
        return guest::busy(Duration::ZERO);
    }
    exhausted(subject, cause, limits).unwrap_or_else(|| trapped(subject, cause))
}

fn timeout(subject: Subject<'_>, allowed: Duration) -> Error {
    Error::new(Code::GuestTimeout, format!("{subject}: did not end in time")).hint(format!(
        "the limit is {} ms or what is left of the event's deadline; see `limits.timeout`",
        allowed.as_millis()
    ))
}

fn memory(subject: Subject<'_>, allowed: usize) -> Error {
    Error::new(Code::GuestMemory, format!("{subject}: asked for more memory than it may use"))
        .hint(format!("the limit is {} KiB over all memories; see `limits.memory`", allowed >> 10))
}

/// Limits on what passes between guest and host.
fn exhausted(subject: Subject<'_>, cause: &wasmtime::Error, limits: &Limits) -> Option<Error> {
    let root = cause.root_cause().to_string();
    if root.contains(FUEL_EXHAUSTED) {
        // Guest code is on the stack while it calls the host, and no longer when its answer is read.
        return Some(match cause.is::<WasmBacktrace>() {
            true => {
                Error::new(Code::GuestHostCalls, format!("{subject}: passed too much data to the host in one call"))
                    .hint(format!("the limit is {} bytes; see `limits.host_call_bytes`", limits.host_call_bytes))
            }
            false => output(subject, limits.output_bytes),
        });
    }
    if root.contains(HANDLES_EXHAUSTED) || matches!(cause.downcast_ref(), Some(ResourceTableError::Full)) {
        return Some(
            Error::new(Code::GuestHostCalls, format!("{subject}: holds more handles than it may"))
                .hint(format!("the limit is {}; see `limits.handles`", limits.handles)),
        );
    }
    None
}

/// An answer that is larger than `allowed` bytes.
pub(crate) fn output(subject: Subject<'_>, allowed: usize) -> Error {
    Error::new(Code::GuestOutput, format!("{subject}: the answer is too large"))
        .hint(format!("the limit is {allowed} bytes; see `limits.output`"))
}

fn trapped(subject: Subject<'_>, cause: &wasmtime::Error) -> Error {
    let root = cause.root_cause().to_string();
    let mut message = format!("{subject}: trapped: {}", id::clip(root.trim_start_matches("wasm trap: ")));
    let frame = cause.downcast_ref::<WasmBacktrace>().and_then(|b| b.frames().first());
    if let Some(name) = frame.and_then(|f| f.func_name()) {
        message.push_str(" in ");
        message.extend(id::clip(name).escape_debug());
    }
    Error::new(Code::GuestTrap, message).hint("this is a defect of the component; its state changes were discarded")
}
