//! Whether a component is valid, as far as the engine's features go.

use wasmparser::{Validator, WasmFeatures};

use crate::error::{Code, Error, Result};

/// The features of WebAssembly that the engine compiles: those of WebAssembly 3.0 without garbage collection,
/// exceptions, threads and 64-bit memories, and the component model without its concurrency. A test holds them to
/// what the engine really takes.
fn features() -> WasmFeatures {
    let without =
        WasmFeatures::GC_TYPES | WasmFeatures::EXCEPTIONS | WasmFeatures::THREADS | WasmFeatures::MEMORY64;
    (WasmFeatures::WASM3 | WasmFeatures::COMPONENT_MODEL).difference(without)
}

/// Checks every function of the component in `bytes`, called `name` in messages.
///
/// # Errors
///
/// [`Code::CompileFailed`] with the first place that is not valid.
pub(in crate::engine) fn check(name: &str, bytes: &[u8]) -> Result<()> {
    match Validator::new_with_features(features()).validate_all(bytes) {
        Ok(_) => Ok(()),
        Err(cause) => {
            let cause: String = cause.to_string().chars().take(400).flat_map(char::escape_debug).collect();
            Err(rejected(name, &cause))
        }
    }
}

/// The error for a component that cannot be compiled because of `cause`.
pub(in crate::engine) fn rejected(name: &str, cause: &str) -> Error {
    Error::new(Code::CompileFailed, format!("component {name} cannot be compiled: {cause}"))
        .hint("check it with `wasm-tools validate`; threads and 64-bit memories are not supported")
}
