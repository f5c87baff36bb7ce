//! Tools, as flows and guests call them.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::Value;

use super::scope::Scope;
use super::state_view::{Overlay, StateView};
use crate::abi::call::HostCall;
use crate::error::{Error, Result};
use crate::mcp::Failure;
use crate::mcp::settings::Retry;

/// A call of a tool.
#[derive(Debug)]
pub struct ToolCall<'a> {
    /// The server, or the component, by its name.
    pub tool: &'a str,
    /// Which of its tools.
    pub action: &'a str,
    /// An object, or null for none.
    pub args: Value,
    /// On whose behalf.
    pub scope: Scope,
    /// The state that a tool in WebAssembly sees.
    pub state: StateView,
    /// When the caller's time is up.
    pub deadline: Instant,
    /// The time of one attempt, where the caller bounds it further.
    pub timeout: Option<Duration>,
    /// How often it is tried, where the caller says so.
    pub retry: Option<Retry>,
    /// Whether host calls of tools in WebAssembly are recorded.
    pub trace: bool,
}

/// What became of a call.
#[derive(Debug)]
pub struct ToolAnswer {
    /// The tool's result, or why there is none.
    pub result: Result<Value, Failure>,
    /// What a tool in WebAssembly wrote to the state. Nothing if it failed.
    pub writes: Overlay,
    /// The attempts that were made.
    pub attempts: Vec<ToolAttempt>,
}

/// One attempt at a call.
#[derive(Debug)]
pub struct ToolAttempt {
    /// How long it took.
    pub micros: u64,
    /// The host calls of a tool in WebAssembly.
    pub host_calls: Vec<HostCall>,
    /// What went wrong.
    pub error: Option<Error>,
}

impl ToolAnswer {
    /// A call that was refused before it was one.
    pub fn refused(failure: Failure) -> Self {
        Self { result: Err(failure), writes: Overlay::new(), attempts: Vec::new() }
    }
}

/// A tenant's tools.
#[async_trait]
pub trait Tools: fmt::Debug + Send + Sync {
    /// Makes a tool ready, as far as that is possible before it is called: a component is read, verified and prepared; of
    /// a server only the name is looked up.
    ///
    /// # Errors
    ///
    /// Why it cannot be called.
    async fn prepare(&self, tool: &str) -> Result<()>;

    /// Calls a tool, again where that is right.
    async fn call(&self, call: ToolCall<'_>) -> ToolAnswer;

    /// The names of all servers and components, as far as they are known.
    async fn names(&self) -> Vec<String>;
}
