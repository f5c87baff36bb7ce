//! From what a compiler leaves to a component.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::Parser;
use wit_component::ComponentEncoder;

use crate::error::{Code, Error, Result};

/// The component in `bytes`: itself, or made of a core module that carries its component type, as bindings generators
/// put it there. What such a module imports of WASI's first preview is adapted.
pub(super) fn component(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if Parser::is_component(&bytes) {
        return Ok(bytes);
    }
    if !Parser::is_core_wasm(&bytes) {
        return Err(Error::new(Code::NotComponentized, "what the build left is no WebAssembly")
            .hint("see that the build's output is the .wasm file"));
    }
    let encoder = ComponentEncoder::default().validate(true).module(&bytes);
    encoder
        .and_then(|encoder| {
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?.encode()
        })
        .map_err(|cause| {
            Error::new(Code::NotComponentized, format!("the core module cannot be made a component: {cause:#}"))
                .hint("its sources have to use bindings made from wit/, whose every export is there")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_stays_as_it_is_and_a_module_needs_a_type() {
        let bytes = wat::parse_str("(component)").unwrap();
        assert_eq!(component(bytes.clone()).unwrap(), bytes);
        for bytes in [b"PK\x03\x04".to_vec(), wat::parse_str(r#"(module (import "a" "b" (func)))"#).unwrap()] {
            let error = component(bytes).unwrap_err();
            assert!(error.code() == Code::NotComponentized && error.hint_text().is_some(), "{error}");
        }
    }
}
