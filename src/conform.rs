//! Conformance: does a component fit the host's interfaces?
//!
//! In: the bytes of a component, what it was granted, what is wanted of it. Out: every finding, each with the item it
//! is about, what one side asks for, what the other offers, and the rule that decides. The host's side is read from
//! the WIT files that the bindings are generated from, so what conforms here links there.
//!
//! The room does no I/O, compiles nothing and instantiates nothing. What a component says about itself is bounded
//! before it is read, and shortened before it is shown.

mod absent;
mod bridge;
mod compare;
mod export;
pub mod filling;
mod finding;
mod generation;
mod import;
mod model;
mod names;
mod plan;
mod read;
mod record;
mod shape;
mod surface;
mod trail;
mod type_text;
mod types;
mod upgrade;
mod wit;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use compare::keep;
pub use compare::{Compared, compare};
pub use export::{Chosen, Want, export};
pub use finding::{Finding, Rule, Severity, refusal, verdict};
pub use generation::{Generation, PACK_API, Shape, gives_flows};
pub use import::{How, Link, links, needs};
pub use model::{Function, Interface, Type, TypeRef};
pub(crate) use names::shown;
pub use plan::{Cases, Conversion, Field, Named, Plan};
pub use record::Record;
pub use shape::{ComponentShape, inspect};
pub use surface::{Offer, Surface};
pub use upgrade::upgrade;
pub use wit::surface_wit;
