//! Reloading: from an index, or a fixed list of packs, to what each tenant runs.
//!
//! In: word that something may have changed: the interval, a file, an operator. Out: tenants on their new packs, and a
//! report of what happened to each. One tenant's failure leaves the others, and its own last good packs, alone. What is
//! unchanged is not touched. This room decides when and what; `ingest` gets the bytes, `trust` judges them, the host
//! prepares and swaps.

pub mod handle;
pub mod status;

pub use handle::{NotReady, Readiness, Reloads};
