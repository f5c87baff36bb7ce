//! Packs from registries and object stores, fetched from real servers on loopback.
//!
//! Each module starts the server whose name it bears, on a port of its own, and puts things there with plain requests.
//! Between the fetcher and the server stands a relay that can break a connection off. `cargo xtask tools` installs the
//! servers, but Debian's registry, which `.ci/run` does.

#![cfg(all(feature = "oci", feature = "object-store"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod fetching;
mod needs_azurite;
mod needs_docker_registry;
mod needs_fake_gcs_server;
mod needs_moto_server;
#[cfg(feature = "aws")]
mod needs_moto_server_secrets;
mod relay;
mod server;
