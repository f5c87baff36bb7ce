//! The engine: compiling components and running instances of them within limits.
//!
//! In: component bytes, a linker, limits. Out: prepared components and fresh instances. The room is generic over
//! the store's data; it knows no interface, no tenant and no flow.

pub mod limits;
