//! Tools over the Model Context Protocol: what bindings say of them, the servers that have them, and what their answers
//! mean.
//!
//! In: the name of a server, of a tool, and arguments that a flow or a guest gives. Out: the tool's result in the
//! protocol's own form, or a [`Failure`] that says of which kind it is and whether the call was surely not taken. The room
//! knows no flow and no guest, and runs no WebAssembly: whoever does gives what its tools answered to [`router`] and
//! [`outcome`], so that all tools answer alike. Which programs are started and which addresses are asked is the
//! operator's word alone.

#[cfg(feature = "mcp")]
mod connect;
mod failure;
#[cfg(feature = "mcp")]
mod fault;
#[cfg(feature = "mcp")]
mod listed;
pub mod outcome;
#[cfg(feature = "mcp")]
mod program;
pub mod router;
pub mod seal;
#[cfg(feature = "mcp")]
mod server;
#[cfg(feature = "mcp")]
mod servers;
pub mod settings;
#[cfg(feature = "mcp")]
mod trace;

pub use failure::{Failure, FailureKind};
#[cfg(feature = "mcp")]
pub use servers::Servers;
pub use settings::Settings;

/// Directives for filters of logs, parted by a comma: what speaks the protocol logs whole messages of servers, which may
/// quote the secrets that they were given, and what starts their programs logs the environment that these get. What its
/// user has to know of them stands in failures.
pub const LOG_BOUND: &str = "rmcp=off,process_wrap=off";

/// The action that answers which tools there are, by the name of the protocol's own method.
pub const LIST: &str = "tools/list";

/// The protocol's method of a call.
#[cfg(feature = "mcp")]
pub(crate) const CALL: &str = "tools/call";

/// Whether this host was built to call tools.
pub const OFFERED: bool = cfg!(feature = "mcp");
