//! Whether a component is valid, as far as the engine's features go.

use wasmparser::{Validator, WasmFeatures};

use crate::error::{Code, Error, Result};

/// What the asynchronous ABI of the component model needs.
const ASYNCHRONOUS: WasmFeatures =
    WasmFeatures::CM_ASYNC.union(WasmFeatures::CM_ASYNC_STACKFUL).union(WasmFeatures::CM_MORE_ASYNC_BUILTINS);
const ASYNCHRONOUS_HINT: &str = "it uses the asynchronous ABI of the component model, which no published interface \
    needs and the host leaves off; build it without (componentize-qjs: --sync)";

/// The features of WebAssembly that the engine compiles: those of WebAssembly 3.0 without garbage collection,
/// exceptions, threads and 64-bit memories, and the component model without its concurrency. A test holds them to
/// what the engine really takes.
fn features() -> WasmFeatures {
    let without = WasmFeatures::GC_TYPES | WasmFeatures::EXCEPTIONS | WasmFeatures::THREADS | WasmFeatures::MEMORY64;
    (WasmFeatures::WASM3 | WasmFeatures::COMPONENT_MODEL).difference(without)
}

/// Checks every function of the component in `bytes`, called `name` in messages.
///
/// # Errors
///
/// [`Code::CompileFailed`] with the first place that is not valid.
pub(in crate::engine) fn check(name: &str, bytes: &[u8]) -> Result<()> {
    let Err(cause) = Validator::new_with_features(features()).validate_all(bytes) else { return Ok(()) };
    let cause: String = cause.to_string().chars().take(400).flat_map(char::escape_debug).collect();
    let error = rejected(name, &cause);
    // Toolchains that turn the asynchronous ABI on by default are common enough for a word of their own.
    let is_asynchronous = Validator::new_with_features(features().union(ASYNCHRONOUS)).validate_all(bytes).is_ok();
    Err(if is_asynchronous { error.hint(ASYNCHRONOUS_HINT) } else { error })
}

/// The error for a component that cannot be compiled because of `cause`.
pub(in crate::engine) fn rejected(name: &str, cause: &str) -> Error {
    Error::new(Code::CompileFailed, format!("component {name} cannot be compiled: {cause}"))
        .hint("check it with `wasm-tools validate`; threads and 64-bit memories are not supported")
}
