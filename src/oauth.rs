//! Tokens of other services, for the packs of one tenant.
//!
//! In: what a tenant's bindings say ([`OAuthBroker`]), and questions of somebody who is not trusted: where does a subject
//! consent, what is a code worth, which token is valid now. Out: an address, or tokens as JSON. Two ways lead there: a
//! broker that does it all (`broker`), over HTTP or NATS, and providers that the host asks itself (`direct`). Tenant,
//! team and environment are this service's own and cannot be said; what is kept is encrypted for exactly one
//! owner. Nothing waits beyond the caller's time, but what was begun with a code or a refresh token, which are
//! worth something once, is brought to its end in a bounded time of its own. This room knows no wasm and no flows.

mod ask;
mod broker;
mod direct;
mod flights;
mod means;
mod owner;
mod pace;
mod seal;
mod secrets;
mod service;
mod settings;
mod tokens;
mod vault;
mod web;
mod works;

pub(crate) use ask::MAX_CODE;
pub use ask::is_reserved;
pub use direct::Landing;
pub use service::{Host, OAuth};
pub use settings::{OAuthBroker, OAuthEndpoints, OAuthProvider, is_private};

/// A directive for filters of logs: what lies beyond it would show whole messages of a broker, and with them tokens.
pub const LOG_BOUND: &str = "async_nats::connection=debug";

/// The `tracing` target of what has no caller that it could be told to.
const TARGET: &str = "greentic::oauth";
