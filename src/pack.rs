//! Packs: one [`model::Pack`] from a `.gtpack` archive, a materialized directory, an `index.ygtc` beside its
//! components, or a bare `.wasm`.
//!
//! In: a path and where else components may lie. Out: a pack whose every part was read within bounds. Everything
//! in a pack is untrusted; this room compiles nothing and runs nothing.

pub mod model;
