//! Ingress: from the bytes of a platform's request to events in one canonical form.
//!
//! In: a request as it was received ([`adapter::Request`]), the tenant that it was addressed to, the time. Out: an
//! [`adapter::Intake`]: the [`envelope::IngressEnvelope`]s that the request stands for, or the reason why it stands
//! for none. The room does no I/O, keeps no state and starts nothing: an adapter verifies, then normalizes, and the
//! same functions serve the server, the tests, the benches and the fuzzers. Nothing in a request is believed before
//! it is verified, and the tenant is never taken from a body.

mod activity;
pub mod adapter;
pub mod channels;
pub mod envelope;
mod gate;
pub mod headers;
mod json;
pub mod keys;
pub mod registry;
pub mod slack;
pub mod teams;
pub mod telegram;
pub mod timer;
pub mod verify;
pub mod webchat;
pub mod webex;
pub mod webhook;
pub mod whatsapp;

pub use adapter::{Adapter, Answer, Channel, Context, Inbound, Intake, Request, Respond};
pub use channels::{Channels, PathVerification, Verification};
pub use envelope::IngressEnvelope;
pub use registry::Adapters;

#[cfg(test)]
mod corpus;
#[cfg(test)]
pub(crate) mod testing;
