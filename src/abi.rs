//! Calling components: what a prepared component exports, and how an operation of it is called.
//!
//! In: bytes, grants and a [`call::Call`]. Out: a [`call::Answer`] or a [`call::CallFailure`]. `abi` is the only
//! room beside `capabilities` that touches generated bindings. It decides nothing about flows or retries, and never
//! lets one instance serve two invocations.

mod answer;
pub mod call;
mod cbor;
mod circumstances;
mod component;
mod description;
mod exports;
mod flows;
mod named;
mod node;
mod prepared;
mod provider;
mod registry;
mod tool;
mod val;

pub use flows::ExportedFlow;
pub use prepared::{Prepared, Surroundings, ToolRun};
pub use registry::Registry;
