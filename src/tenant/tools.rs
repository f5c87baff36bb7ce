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
use tracing::{Instrument as _, Span};

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
use crate::mcp::{CALL, Failure, FailureKind, LIST, Servers};
use crate::telemetry::{Metrics, spans};
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
    metrics: Arc<Metrics>,
    prepared: Mutex<HashMap<String, Arc<OnceCell<Arc<Prepared>>>>>,
}

/// What one attempt gave.
struct Attempted {
    result: Result<Value, Failure>,
    writes: Overlay,
    host_calls: Vec<HostCall>,
}

impl Attempted {
    /// Of a component that was not called.
    fn refused(error: Error) -> Self {
        Self { result: Err(Failure::of_host(error)), writes: Overlay::new(), host_calls: Vec::new() }
    }
}

impl TenantTools {
    /// The tools of a tenant; none if its bindings speak of none.
    pub(super) fn of(
        config: &HostConfig,
        servers: Arc<Servers>,
        registry: Arc<Registry>,
        services: &Services,
        metrics: Arc<Metrics>,
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
            services: own_services(&settings, services),
            limits,
            metrics,
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

    /// One attempt at a call, which ends at `deadline`, and what is told of it: of every attempt the same, of servers and
    /// components, whether or not they are there.
    async fn attempt(&self, call: &ToolCall<'_>, args: &Map<String, Value>, deadline: Instant) -> Attempted {
        let (begun, attempt) = (Instant::now(), call.scope.attempt);
        let is_server = self.servers.has(call.tool);
        let span = match is_server {
            true if call.action == LIST => {
                spans::server_tool(call.tool, LIST, self.servers.transport(call.tool), attempt)
            }
            true => spans::server_tool(call.tool, CALL, self.servers.transport(call.tool), attempt),
            false => spans::component_tool(attempt),
        };
        let attempted = match is_server {
            true => {
                let result = self.ask_server(call, args.clone(), deadline, &span).instrument(span.clone()).await;
                Attempted { result, writes: Overlay::new(), host_calls: Vec::new() }
            }
            false => self.ask_component(call, args, deadline, &span).instrument(span.clone()).await,
        };
        let failure = attempted.result.as_ref().err().map(|failure| failure.error().code());
        if let Some(code) = failure {
            spans::failed(&span, code);
        }
        let kind = if is_server { "server" } else { "component" };
        self.metrics.tool_tried(&call.scope.tenant, kind, failure, begun.elapsed());
        attempted
    }

    async fn ask_component(
        &self,
        call: &ToolCall<'_>,
        args: &Map<String, Value>,
        deadline: Instant,
        span: &Span,
    ) -> Attempted {
        let component = match tokio::time::timeout_at(deadline.into(), self.component(call.tool)).await {
            Ok(Ok(component)) => component,
            Ok(Err(error)) => return Attempted::refused(error),
            Err(_) => return Attempted::refused(Error::new(Code::DeadlinePassed, "the tool was not ready in time")),
        };
        spans::of_component(span, call.tool);
        let begun = Instant::now();
        let attempted = self.run(&component, call, args, deadline).await;
        let failure = attempted.result.as_ref().err();
        // What it has not is not named: anybody can make names up.
        if failure.is_none_or(|failure| failure.kind() != FailureKind::NotFound) {
            spans::of_tool(span, call.tool, call.action);
        }
        let code = failure.map(|failure| failure.error().code());
        self.metrics.component_called(&call.scope.tenant, "tool", code, begun.elapsed());
        attempted
    }

    /// Calls a component in an instance of its own.
    async fn run(
        &self,
        component: &Prepared,
        call: &ToolCall<'_>,
        args: &Map<String, Value>,
        deadline: Instant,
    ) -> Attempted {
        let timeout = deadline.saturating_duration_since(Instant::now());
        let limits = Limits { timeout, ..self.limits.clone() };
        if call.action == LIST {
            let listed = component.tools(call.tool, &limits).await;
            let result = listed.map_err(Failure::of_host).and_then(|tools| listed_of(call.tool, tools));
            return Attempted { result, writes: Overlay::new(), host_calls: Vec::new() };
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
        span: &Span,
    ) -> Result<Value, Failure> {
        if call.action == LIST {
            let tools = self.servers.tools(call.tool, deadline).await?;
            return Ok(json!({ "tools": *tools }));
        }
        let result = self.servers.call(call.tool, call.action, args, deadline, self.limits.output_bytes, span).await;
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
                let failure = Failure::new(FailureKind::Arguments, message);
                self.metrics.tool_refused(&call.scope.tenant, failure.error().code());
                return ToolAnswer::refused(failure);
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
fn own_services(settings: &Settings, services: &Services) -> Services {
    let http = match settings.http_enabled {
        Some(enabled) => Arc::new(services.http.enabled(enabled)),
        None => Arc::clone(&services.http),
    };
    Services { http, mcp: None, ..services.clone() }
}

impl std::fmt::Debug for TenantTools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TenantTools").field("servers", &self.servers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::{Body, Options, Outbound, Policy, Reason, Request};

    #[tokio::test]
    async fn requests_of_tools_are_the_tenants_whether_or_not_components_may_make_any() {
        for (tenant, own) in [(false, None), (false, Some(true)), (true, Some(false)), (true, Some(true))] {
            let block = own.map_or_else(|| "{}".to_owned(), |own| format!("{{ http_enabled: {own} }}"));
            let bindings = format!("tenant: t\nmcp: {block}");
            let config = HostConfig::from_yaml(&bindings, "t.yaml").unwrap();
            let http = Arc::new(Outbound::new(Policy { enabled: tenant, ..Policy::default() }));
            let services = Services { http: Arc::clone(&http), ..Services::default() };
            let tools = own_services(config.mcp().unwrap(), &services);
            let request = Request {
                method: "GET".to_owned(),
                url: "http://a.example/".to_owned(),
                headers: Vec::new(),
                body: Body::Whole(bytes::Bytes::new()),
                options: Options::default(),
            };
            let failure = tools.http.send(request, Instant::now() + Duration::from_secs(5)).await.unwrap_err();
            let expected = if own.unwrap_or(tenant) { Reason::HostNotAllowed } else { Reason::Disabled };
            assert_eq!(failure.reason(), expected, "{tenant} {own:?}");
            assert_eq!(http.tally().counts().failed, [(expected, 1)], "it is counted as the tenant's");
        }
    }
}
