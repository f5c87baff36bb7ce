//! Components and packs that others published, and guests on the published SDK: each is read and explained, and those
//! whose imports exist run. What happened stands in `docs/compatibility.md`, which a test here writes:
//! `UPDATE_COMPATIBILITY=1` writes it anew.
//!
//! Everything here needs crates that nothing else needs, so it stands in one module, by whose name
//! `cargo xtask test` leaves the tests out where the crates cannot be fetched.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod published;
