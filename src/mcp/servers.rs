//! A tenant's servers. They outlive its packs; their programs end with the host.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::failure::{Failure, FailureKind};
use super::server::Server;
use super::settings::{ServerSettings, Settings};
use crate::secrets::{SecretScope, SecretsManager};

/// A tenant's servers.
pub struct Servers(IndexMap<String, Server>);

impl Servers {
    /// The servers that `settings` name. None is asked before its first call.
    pub fn new(settings: &Settings, secrets: &Arc<dyn SecretsManager>, scope: &SecretScope) -> Self {
        let server = |(name, settings): (&String, &ServerSettings)| {
            (name.clone(), Server::new(name, settings.clone(), Arc::clone(secrets), scope.clone()))
        };
        Self(settings.servers.iter().map(server).collect())
    }

    /// Whether there is a server of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.keys().map(String::as_str)
    }

    /// Whether `tool` of a server may be called again where nobody knows whether it took the call.
    pub fn may_repeat(&self, name: &str, tool: &str) -> bool {
        self.0.get(name).is_some_and(|server| server.settings.may_repeat(tool))
    }

    /// The time that the server has for one attempt, if it has one of its own.
    pub fn timeout(&self, name: &str) -> Option<Duration> {
        self.0.get(name)?.settings.timeout
    }

    /// Calls `tool` of a server once, and takes an answer of at most `max` bytes.
    ///
    /// # Errors
    ///
    /// The tool's own failure, or why there is no result.
    pub async fn call(
        &self,
        name: &str,
        tool: &str,
        arguments: Map<String, Value>,
        deadline: Instant,
        max: usize,
    ) -> Result<Value, Failure> {
        self.server(name)?.call(tool, arguments, deadline, max).await
    }

    /// The tools that a server lists.
    ///
    /// # Errors
    ///
    /// Why it could not be asked.
    pub async fn tools(&self, name: &str, deadline: Instant) -> Result<Arc<Vec<Value>>, Failure> {
        self.server(name)?.tools(deadline).await
    }

    /// Ends all connections for good, and the programs behind them.
    pub async fn stop(&self) {
        futures::future::join_all(self.0.values().map(Server::stop)).await;
    }

    fn server(&self, name: &str) -> Result<&Server, Failure> {
        self.0.get(name).ok_or_else(|| Failure::new(FailureKind::NotFound, format!("there is no MCP server {name}")))
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
