//! Packs through the public door: every form, every way in which they can be wrong, and the way back.

// The lints' exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod components;
mod forms;
mod hostile;
mod interop;
mod legacy;
mod locks;
mod remote;
mod roundtrip;
mod signed;
mod util;
