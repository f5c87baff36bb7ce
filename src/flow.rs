//! Flows: what a pack's flows say, checked and compiled once at load.
//!
//! In: [`doc::FlowDoc`]s from a manifest, a `.ygtc` file or JSON, and a [`compile::Catalog`] of what the pack offers.
//! Out: [`model::Flow`]s that `run` executes. This room does no I/O, runs no component and keeps no state.

pub mod cards;
pub mod compile;
pub mod condition;
mod dialect;
pub mod doc;
pub(crate) mod hint;
pub mod json;
pub mod model;
pub mod pick;
pub mod route;
pub mod routing;
pub mod template;
mod written;
pub mod ygtc;
