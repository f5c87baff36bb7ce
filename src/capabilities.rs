//! What guests may ask of the host: one file per interface implements its generated host trait.
//!
//! In: generated traits from `bindings`, and the [`scope::Scope`] that the host decided. Out: calls of the domain
//! services behind them. This room knows nothing of flows or HTTP, and believes nothing that a guest says about
//! its tenant, session or identity: the contexts that guests pass along are ignored.

mod assets;
mod calls;
mod context;
mod control;
mod convert;
mod fetch;
pub mod grants;
mod host_import;
mod host_import_0_2;
mod host_import_http;
mod host_import_secrets;
mod http;
mod http_client;
mod http_fields;
mod http_handle;
mod http_v1;
mod interfaces_host;
mod kv;
pub mod ledger;
mod lines;
mod log;
mod mcp;
mod oauth_broker;
pub mod scope;
mod secret_store;
mod secrets;
mod secrets_store;
pub mod served;
pub mod services;
mod session;
pub(crate) mod state;
mod state_store;
pub mod state_view;
mod stderr;
pub mod surface;
mod tally;
mod telemetry;
pub mod tools;
pub mod wasi;
mod written;

pub use assets::AssetsDir;
pub use context::HostCtx;
pub use tally::HostCalls;
