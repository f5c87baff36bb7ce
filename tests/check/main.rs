//! `check` and `surface`: every finding has a fixture and a golden text, every format fits its schema, what loading
//! says is what `check` says, and nothing that a component or pack holds makes it panic.

// The lints' exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod bad_input;
mod command;
mod findings;
mod fixtures;
mod formats;
mod surface;
#[path = "../pack/util.rs"]
#[allow(dead_code, reason = "the tests of packs use the rest")]
mod util;
mod words;
