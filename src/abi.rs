//! Calling components: what a prepared component exports, and how an operation of it is called.
//!
//! In: bytes, grants and a [`call::Call`]. Out: a [`call::Answer`] or a [`call::CallFailure`]. `abi` is the only
//! room beside `capabilities` that touches generated bindings. It decides nothing about flows or retries.

pub mod call;
