//! What the engine is willing to compile. Compiling cannot be interrupted, so its cost is bounded before it starts.

use wasmparser::{Encoding, Parser, Payload};

use crate::error::{Code, Error, Result};

mod expansion;
mod pool;
mod valid;

pub use expansion::Needs;
pub(super) use pool::{HINT as POOL_HINT, fits as fits_pool};
pub(super) use valid::{check as validate, rejected};

/// Bounds of a component that is to be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileBounds {
    /// Bytes of the component.
    pub bytes: usize,
    /// Functions with a body, over all its modules.
    pub functions: usize,
    /// Bytes of the largest body; some compiler passes take more than linear time in it.
    pub body_bytes: usize,
    /// How deep components and modules are nested in each other.
    pub nesting: usize,
    /// Modules and components in all.
    pub parts: usize,
    /// Instances that one instance of the component consists of.
    pub instances: u64,
}

impl Default for CompileBounds {
    fn default() -> Self {
        Self { bytes: 48 << 20, functions: 150_000, body_bytes: 1 << 20, nesting: 8, parts: 500, instances: 2_000 }
    }
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    functions: usize,
    depth: usize,
    parts: usize,
    instances: expansion::Expansion,
}

impl CompileBounds {
    /// Checks that `bytes` are a component within the bounds, and tells what an instance of it begins with. It is not
    /// validated here: the compiler does that.
    pub(super) fn check(&self, name: &str, bytes: &[u8]) -> Result<Needs> {
        self.within(name, "bytes", bytes.len(), self.bytes)?;
        if !Parser::is_component(bytes) {
            return Err(not_a_component(name, bytes));
        }
        let mut seen = Seen::default();
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(|e| invalid(name, &e))?;
            self.step(name, &mut seen, &payload)?;
            seen.instances.step(&payload).map_err(|e| invalid(name, &e))?;
            self.within(name, "instances inside it", seen.instances.total().instances, self.instances)?;
        }
        Ok(seen.instances.total())
    }

    fn step(&self, name: &str, seen: &mut Seen, payload: &Payload<'_>) -> Result<()> {
        match payload {
            Payload::Version { encoding: Encoding::Module | Encoding::Component, .. } => {
                seen.depth += 1;
                seen.parts += 1;
                self.within(name, "levels of nesting", seen.depth, self.nesting)?;
                self.within(name, "nested modules and components", seen.parts, self.parts)
            }
            Payload::End(_) => {
                seen.depth = seen.depth.saturating_sub(1);
                Ok(())
            }
            Payload::CodeSectionStart { count, .. } => {
                seen.functions = seen.functions.saturating_add(*count as usize);
                self.within(name, "functions", seen.functions, self.functions)
            }
            Payload::CodeSectionEntry(body) => {
                self.within(name, "bytes in one function", body.range().len(), self.body_bytes)
            }
            _ => Ok(()),
        }
    }

    fn within<N: Ord + std::fmt::Display>(&self, name: &str, what: &str, found: N, allowed: N) -> Result<()> {
        if found <= allowed {
            return Ok(());
        }
        Err(Error::new(
            Code::CompileBounds,
            format!("component {name} has {found} {what}; at most {allowed} are compiled"),
        )
        .hint("build it optimised and without debug sections, or split it"))
    }
}

fn not_a_component(name: &str, bytes: &[u8]) -> Error {
    if Parser::is_core_wasm(bytes) {
        return Error::new(Code::NotAComponent, format!("{name} is a core WebAssembly module, not a component"))
            .hint("build it for wasm32-wasip2, or wrap it with `wasm-tools component new`");
    }
    Error::new(Code::NotAComponent, format!("{name} is not a WebAssembly component"))
        .hint("expected a file that begins with the component preamble `\\0asm`, layer 1")
}

fn invalid(name: &str, cause: &wasmparser::BinaryReaderError) -> Error {
    Error::new(Code::CompileFailed, format!("component {name} is damaged: {cause}")).hint("build or copy it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NESTED: &str = r#"(component (component
        (core module $m (func) (func (drop (i32.const 1)))) (core instance (instantiate $m))))"#;

    fn code(bounds: CompileBounds, bytes: &[u8]) -> Option<Code> {
        bounds.check("c", bytes).err().map(|e| e.code())
    }

    #[test]
    fn each_bound_is_enforced() {
        let bytes = wat::parse_str(NESTED).unwrap();
        let fits =
            CompileBounds { bytes: bytes.len(), functions: 2, body_bytes: 5, nesting: 3, parts: 3, instances: 1 };
        assert_eq!(code(fits, &bytes), None);
        for tight in [
            CompileBounds { bytes: bytes.len() - 1, ..fits },
            CompileBounds { functions: 1, ..fits },
            CompileBounds { body_bytes: 4, ..fits },
            CompileBounds { nesting: 2, ..fits },
            CompileBounds { parts: 2, ..fits },
            CompileBounds { instances: 0, ..fits },
        ] {
            assert_eq!(code(tight, &bytes), Some(Code::CompileBounds), "{tight:?}");
        }
    }

    #[test]
    fn what_is_no_component_is_named() {
        let bounds = CompileBounds::default();
        assert_eq!(code(bounds, b""), Some(Code::NotAComponent));
        assert_eq!(code(bounds, b"PK\x03\x04"), Some(Code::NotAComponent));
        let module = wat::parse_str("(module)").unwrap();
        let error = bounds.check("c", &module).unwrap_err();
        assert!(error.message().contains("core WebAssembly module"), "{error}");
        let mut cut = wat::parse_str(NESTED).unwrap();
        cut.truncate(cut.len() - 3);
        assert_eq!(code(bounds, &cut), Some(Code::CompileFailed));
    }
}
