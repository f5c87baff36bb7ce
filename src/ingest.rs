//! Ingestion: the index that says which packs a tenant runs, and the way of their bytes to this machine.
//!
//! In: a locator. Out: a file in the cache whose digest is known, or why there is none. Everything that comes from
//! elsewhere is bounded while it is read; nothing is half written. This room parses no pack and runs nothing.

pub mod cache;
pub mod fetch;
pub mod index;
pub mod locator;
mod source;

pub use crate::environment::Environment;
pub use cache::Cache;
pub use fetch::{Document, FetchOptions, Fetched, Fetcher, Origin, Outcome};
pub use index::Index;
pub use locator::Locator;
