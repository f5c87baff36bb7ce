//! Tokens of other services as components get them: from a broker over HTTP and NATS, and from providers that the host
//! asks itself. Servers are on this machine; those that are not written here are in modules with their markers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod broker;
#[cfg(feature = "telemetry")]
#[path = "../telemetry/collector.rs"]
#[allow(dead_code, reason = "made for tests of telemetry")]
mod collector;
#[path = "../common/mod.rs"]
mod common;
mod direct;
mod keys;
#[cfg(feature = "telemetry")]
mod leaks;
mod needs_nats_server;
mod needs_nats_server_login;
mod needs_oidc_provider;
mod peer;
#[path = "../remotes/server.rs"]
#[allow(dead_code, reason = "made for servers that packs come from")]
mod server;
mod shelf;
#[path = "../common/store.rs"]
mod store;
mod world;
