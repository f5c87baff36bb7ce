//! A WebAssembly component host for conversational and automation packs.
//!
//! A *pack* holds flows and components. An event enters (chat message, webhook, timer, API call), finds its
//! tenant and its flow, and the flow's nodes invoke sandboxed components through interfaces that are generated
//! from the WIT files under `wit/`. A flow may wait for the next event of the same session and resume, also
//! after a crash. `ARCHITECTURE.md` walks through the life of an event, of a pack and of an invocation.

pub mod abi;
pub mod activity;
pub mod capabilities;
pub mod cli;
pub mod clock;
pub mod config;
pub mod conform;
pub mod engine;
pub mod error;
pub mod flow;
pub mod host;
pub mod id;
pub mod ingress;
pub mod pack;
pub mod run;
pub mod server;
pub mod session;
pub mod store;
pub mod tenant;

pub use activity::{Activity, ActivityKind};
pub use config::HostConfig;
pub use error::{Code, Error, Result};
pub use host::{HostBuilder, RunnerHost};
