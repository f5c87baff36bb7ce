//! Probing adapters without a server: for people who write or test normalizers.
//!
//! In: files with requests as platforms send them. Out: what an adapter makes of them ([`normalize()`]), the headers that
//! would prove where they come from ([`sign`]), and inputs that break what adapters promise ([`fuzz`]). The room does no
//! I/O but for a clock that bounds time, and uses the adapters as the server does, through [`crate::ingress::Adapter`] alone.

pub mod form;
pub mod fuzz;
pub mod kind;
pub mod normalize;
pub mod recording;
pub mod samples;
pub mod sign;
#[cfg(test)]
mod tests;

pub use form::Form;
pub use kind::Kind;
pub use normalize::{Disposition, Normalized, normalize};
pub use recording::Recording;
