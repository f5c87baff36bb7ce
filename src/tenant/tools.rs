//! A tenant's tools: MCP servers, and components from the store that its bindings name.
//!
//! A component is read, verified and prepared once per load, with the engine, the limits and the grants of the tenant's
//! own components, but without tools of its own: a tool calls no tools. Each call gets an instance of its own.

mod store;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::abi::call::{Call, HostCall};
use crate::abi::{Prepared, Registry};
use crate::capabilities::grants::{Grant, Grants};
use crate::capabilities::scope::Scope;
use crate::capabilities::services::Services;
use crate::capabilities::state_view::Overlay;
use crate::capabilities::tools::{ToolAnswer, ToolAttempt, ToolCall, Tools};
use crate::config::HostConfig;
use crate::engine::Binary;
use crate::engine::limits::Limits;
use crate::error::{Code, Error, Result};
use crate::flow::hint::did_you_mean;
use crate::id::{Id, clip};
use crate::mcp::settings::Settings;
use crate::mcp::{Failure, FailureKind, LIST, Servers};
use crate::outbound::{Outbound, Policy};
use store::ToolStore;

/// A tenant's tools, as one load of its packs finds them.
pub(super) struct TenantTools {
    settings: Settings,
    servers: Arc<Servers>,
    store: Option<ToolStore>,
    registry: Arc<Registry>,
    grants: Grants,
    services: Services,
    limits: Limits,
    prepared: Mutex<HashMap<String, Arc<OnceCell<Arc<Prepared>>>>>,
}

/// What one attempt gave.
struct Attempted {
    result: Result<Value, Failure>,
    writes: Overlay,
    host_calls: Vec<HostCall>,
}

impl TenantTools {
    /// The tools of a tenant; none if its bindings speak of none.
    pub(super) fn of(
        config: &HostConfig,
        servers: Arc<Servers>,
        registry: Arc<Registry>,
        services: &Services,
    ) -> Option<Arc<dyn Tools>> {
        let settings = config.mcp()?.clone();
        let limits = Limits {
            timeout: settings.timeout,
            memory_bytes: settings.memory_bytes.unwrap_or(config.limits().memory_bytes),
            ..config.limits()
        };
        Some(Arc::new(Self {
            servers,
            store: settings.store.clone().map(ToolStore::new),
            registry,
            grants: config.grants().without(Grant::Mcp),
            services: own_services(&settings, config.outbound(), services),
            limits,
            prepared: Mutex::default(),
            settings,
        }))
    }

    /// The component `name`, prepared.
    async fn component(&self, name: &str) -> Result<Arc<Prepared>> {
        let Some(store) = self.store.as_ref().filter(|store| store.may_have(name)) else {
            return Err(self.unknown(name).await);
        };
        let cell = Arc::clone(self.prepared.lock().entry(name.to_owned()).or_default());
        let made = cell.get_or_try_init(|| self.load(store, name)).await.cloned();
        if made.is_err() {
            // Names that are none must not stay, whoever makes them up.
            self.prepared.lock().remove(name);
        }
        made
    }

    async fn load(&self, store: &ToolStore, name: &str) -> Result<Arc<Prepared>> {
        let found = store.read(name, &self.settings.security).await?;
        let Some(found) = found else { return Err(self.unknown(name).await) };
        self.settings.security.judge(name, found.digest.0, found.signature)?;
        let binary = Binary { name, bytes: &found.bytes, digest: found.digest.0 };
        self.registry.admit(&binary, &self.limits).await?;
        let prepared = self.registry.prepare(&binary, self.grants).await?;
        prepared.tool_callable()?;
        Ok(prepared)
    }

    async fn unknown(&self, name: &str) -> Error {
        let names = self.names().await;
        let hint = did_you_mean(name, "servers and components", names.iter().map(String::as_str));
        Error::new(Code::ToolUnknown, format!("there is no MCP server and no tool {:?}", clip(name))).hint(hint)
    }

    /// One attempt at a call, which ends at `deadline`.
    async fn attempt(&self, call: &ToolCall<'_>, args: &Map<String, Value>, deadline: Instant) -> Attempted {
        if self.servers.has(call.tool) {
            let result = self.ask_server(call, args.clone(), deadline).await;
            return Attempted { result, writes: Overlay::new(), host_calls: Vec::new() };
        }
        let refused =
            |error| Attempted { result: Err(Failure::of_host(error)), writes: Overlay::new(), host_calls: Vec::new() };
        let component = match tokio::time::timeout_at(deadline.into(), self.component(call.tool)).await {
            Ok(Ok(component)) => component,
            Ok(Err(error)) => return refused(error),
            Err(_) => return refused(Error::new(Code::DeadlinePassed, "the tool was not ready in time")),
        };
        let timeout = deadline.saturating_duration_since(Instant::now());
        let limits = Limits { timeout, ..self.limits.clone() };
        if call.action == LIST {
            let listed = component.tools(call.tool, &limits).await;
            return match listed {
                Ok(tools) => {
                    Attempted { result: listed_of(call.tool, tools), writes: Overlay::new(), host_calls: Vec::new() }
                }
                Err(error) => refused(error),
            };
        }
        let input = Value::Object(args.clone());
        let run = component.invoke_tool(Call {
            scope: Scope { component: Id::from(call.tool), ..call.scope.clone() },
            op: call.action,
            input: &input,
            state: call.state.clone(),
            assets: None,
            services: self.services.clone(),
            limits: &limits,
            deadline,
            trace: call.trace,
        });
        let run = run.await;
        Attempted { result: run.result, writes: run.writes, host_calls: run.host_calls }
    }

    async fn ask_server(
        &self,
        call: &ToolCall<'_>,
        args: Map<String, Value>,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        if call.action == LIST {
            let tools = self.servers.tools(call.tool, deadline).await?;
            return Ok(json!({ "tools": *tools }));
        }
        let result = self.servers.call(call.tool, call.action, args, deadline, self.limits.output_bytes).await;
        result.map_err(|failure| {
            let passes = matches!(failure.kind(), FailureKind::Unavailable | FailureKind::Timeout);
            let again = passes && self.servers.may_repeat(call.tool, call.action);
            if again { failure.untaken() } else { failure }
        })
    }

    /// How long one attempt may take.
    fn timeout(&self, call: &ToolCall<'_>) -> Duration {
        let own = self.servers.timeout(call.tool).unwrap_or(self.settings.timeout);
        call.timeout.map_or(own, |timeout| timeout.min(own))
    }
}

#[async_trait]
impl Tools for TenantTools {
    async fn prepare(&self, tool: &str) -> Result<()> {
        if self.servers.has(tool) { Ok(()) } else { self.component(tool).await.map(drop) }
    }

    async fn call(&self, mut call: ToolCall<'_>) -> ToolAnswer {
        let args = match std::mem::take(&mut call.args) {
            Value::Object(args) => args,
            Value::Null => Map::new(),
            _ => {
                let message = format!("tool {}: the arguments are no object", clip(call.action));
                return ToolAnswer::refused(Failure::new(FailureKind::Arguments, message));
            }
        };
        let retry = call.retry.unwrap_or(self.settings.retry);
        let mut attempts = Vec::new();
        let mut made = 0;
        loop {
            made += 1;
            let begun = Instant::now();
            let deadline = call.deadline.min(begun + self.timeout(&call));
            call.scope.attempt = made;
            let Attempted { result, writes, host_calls } = self.attempt(&call, &args, deadline).await;
            let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            let error = result.as_ref().err().map(|failure| failure.error().clone());
            attempts.push(ToolAttempt { micros, host_calls, error });
            let again = result.as_ref().is_err_and(Failure::is_untaken);
            match again.then(|| retry.pause(made)).flatten() {
                Some(pause) if Instant::now() + pause < call.deadline => tokio::time::sleep(pause).await,
                _ => return ToolAnswer { result, writes, attempts },
            }
        }
    }

    async fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.servers.names().map(str::to_owned).collect();
        if let Some(store) = &self.store {
            names.extend(store.names().await);
        }
        names
    }
}

/// What a component's tools are, as `tools/list` answers.
fn listed_of(name: &str, tools: Option<Vec<Value>>) -> Result<Value, Failure> {
    let tools = tools.ok_or_else(|| {
        let failure = Failure::new(FailureKind::NotFound, format!("component {} does not list its tools", clip(name)));
        failure.hint("see its documentation for the actions that its `exec` takes")
    })?;
    Ok(json!({ "tools": tools }))
}

/// What tools in WebAssembly may ask: what the tenant's components may, but no tools, and requests over HTTP as
/// `mcp.http_enabled` says.
fn own_services(settings: &Settings, outbound: Policy, services: &Services) -> Services {
    let http = match settings.http_enabled {
        Some(enabled) if enabled != outbound.enabled => Arc::new(Outbound::new(Policy { enabled, ..outbound })),
        _ => Arc::clone(&services.http),
    };
    Services { http, mcp: None, ..services.clone() }
}

impl std::fmt::Debug for TenantTools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TenantTools").field("servers", &self.servers).finish_non_exhaustive()
    }
}
