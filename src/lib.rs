//! A WebAssembly component host for conversational and automation packs.
//!
//! A *pack* holds flows and components. An event enters (chat message, webhook, timer, API call), finds its
//! tenant and its flow, and the flow's nodes invoke sandboxed components through interfaces that are generated
//! from the WIT files under `wit/`. A flow may wait for the next event of the same session and resume, also
//! after a crash. `ARCHITECTURE.md` walks through the life of an event, of a pack and of an invocation.
//!
//! ```
//! use greentic_runner_host::{Activity, HostBuilder, HostConfig};
//!
//! # #[tokio::main]
//! # async fn main() -> greentic_runner_host::Result<()> {
//! let config = HostConfig::load_from_path("examples/quickstart/bindings/customera.yaml")?;
//! let host = HostBuilder::new().with_config(config).with_memory_store().build()?;
//! host.start().await?;
//! host.load_pack("customera", "examples/quickstart/packs/customera/index.ygtc".as_ref()).await?;
//! let replies = host.handle_activity("customera", Activity::text("hello").from_user("u-1")).await?;
//! assert_eq!(replies[0].payload()["text"], "You said hello. What is your name?");
//! host.stop().await?;
//! # Ok(())
//! # }
//! ```

pub mod abi;
pub mod activity;
pub mod audit;
pub mod author;
pub mod capabilities;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod conform;
pub mod egress;
pub mod engine;
mod environment;
pub mod error;
pub mod flow;
pub mod host;
pub mod id;
pub mod ingest;
pub mod ingress;
pub mod mcp;
pub mod net;
pub mod oauth;
pub mod outbound;
pub mod pack;
mod private;
pub mod probe;
pub mod reload;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod secrets;
pub mod server;
pub mod session;
pub mod store;
pub mod telemetry;
pub mod tenant;
pub mod timers;
pub mod trust;
pub mod watch;

pub use activity::{Activity, ActivityKind};
pub use config::HostConfig;
pub use engine::EngineOptions;
pub use engine::limits::Limits;
pub use error::{Code, Error, Result};
pub use host::{Health, HostBuilder, RunnerHost, TenantHandle, Work};
pub use ingress::IngressEnvelope;
pub use pack::{LoadOptions, Pack};
pub use run::event::{Event, FlowChoice, ReplyTo};
pub use run::lanes::Submitted;
pub use run::outcome::{Outcome, Status};
pub use run::trace::{Observer, TraceEvent};
pub use session::SessionKey;
pub use store::Store;
pub use tenant::{Loaded, PackSet, Sourced};
pub use timers::Timers;
