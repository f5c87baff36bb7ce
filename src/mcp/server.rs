//! One server: connected when it is first asked, again when its connection ended, and asked within a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rmcp::model::{CallToolRequestParams, CallToolResponse, PaginatedRequestParams};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::connect::{Running, connect};
use super::failure::{Failure, FailureKind};
use super::settings::{ServerSettings, Way};
use super::{fault, outcome};
use crate::secret::Hidden;
use crate::secrets::{SecretScope, SecretsManager};

/// How long a list of tools is believed, unless its server says that it changed.
const KEPT: Duration = Duration::from_secs(300);

/// Tools of one server, and pages in which it lists them.
const MAX_TOOLS: usize = 2_000;
const MAX_PAGES: usize = 100;

/// Tools that a hint names.
const SHOWN: usize = 12;

/// How long a server may take to end when it is told to.
const FAREWELL: Duration = Duration::from_secs(10);

/// A server.
pub(super) struct Server {
    name: String,
    pub(super) settings: ServerSettings,
    secrets: Arc<dyn SecretsManager>,
    scope: SecretScope,
    /// The secrets that the server was given, which stand in nothing that it says.
    hidden: Hidden,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    live: Option<Arc<Connection>>,
    stopped: bool,
}

struct Connection {
    running: Running,
    changed: Arc<AtomicBool>,
    tools: Mutex<Option<(Instant, Arc<Vec<Value>>)>>,
}

impl Connection {
    fn is_over(&self) -> bool {
        self.running.is_closed() || self.running.peer().is_transport_closed()
    }
}

impl Server {
    pub(super) fn new(
        name: &str,
        settings: ServerSettings,
        secrets: Arc<dyn SecretsManager>,
        scope: SecretScope,
    ) -> Self {
        Self { name: name.to_owned(), settings, secrets, scope, hidden: Hidden::default(), slot: Mutex::default() }
    }

    /// Calls `tool`, and takes an answer of at most `max` bytes.
    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        deadline: Instant,
        max: usize,
    ) -> Result<Value, Failure> {
        let mut used = None;
        let call = async {
            let connection = self.connected().await?;
            used = Some(Arc::clone(&connection));
            self.known(&connection, tool).await?;
            let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
            let answer = connection.running.peer().call_tool_once(params).await;
            self.read(tool, answer.map_err(|error| fault::of_call(&self.name, tool, &error))?, max)
        };
        let answer = self.within(deadline, call).await;
        if let (Err(failure), Some(used)) = (&answer, used) {
            self.doubt(&used, failure.kind());
        }
        answer
    }

    /// Gives a connection up on which a call failed, where the next is better made on another one. A server over HTTP may
    /// have forgotten who asks it; a program that is slow is not started anew for that.
    fn doubt(&self, used: &Arc<Connection>, failure: FailureKind) {
        let over_http = matches!(self.settings.way, Way::Http { .. });
        let gone = failure == FailureKind::Unavailable || failure == FailureKind::Timeout && over_http;
        // Who holds the lock makes a new connection.
        if gone && let Ok(mut slot) = self.slot.try_lock() {
            slot.live.take_if(|live| Arc::ptr_eq(live, used));
        }
    }

    /// The tools that the server lists.
    pub(super) async fn tools(&self, deadline: Instant) -> Result<Arc<Vec<Value>>, Failure> {
        let list = async {
            let connection = self.connected().await?;
            self.list(&connection).await
        };
        self.within(deadline, list).await
    }

    /// Ends the connection for good; a program ends with it.
    pub(super) async fn stop(&self) {
        let live = {
            let mut slot = self.slot.lock().await;
            slot.stopped = true;
            slot.live.take()
        };
        let Some(mut live) = live else { return };
        // Calls that are under way hold it too: then it ends when they let go of it.
        match Arc::get_mut(&mut live) {
            Some(connection) => drop(connection.running.close_with_timeout(FAREWELL).await),
            None => live.running.cancellation_token().cancel(),
        }
    }

    async fn within<T>(&self, deadline: Instant, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let done = tokio::time::timeout_at(deadline.into(), work).await.unwrap_or_else(|_| {
            let failure =
                Failure::new(FailureKind::Timeout, format!("MCP server {} did not answer in time", self.name));
            Err(failure.hint("see mcp.runtime.timeout_ms, the server's own timeout, and limits.event_deadline"))
        });
        done.map_err(|failure| failure.without(&self.hidden))
    }

    /// The connection, made if there is none. Whoever comes meanwhile waits for it.
    async fn connected(&self) -> Result<Arc<Connection>, Failure> {
        let mut slot = self.slot.lock().await;
        if slot.stopped {
            let stopped = Failure::new(FailureKind::Unavailable, format!("MCP server {}: the host stops", self.name));
            return Err(stopped.untaken());
        }
        if let Some(live) = slot.live.as_ref().filter(|live| !live.is_over()) {
            return Ok(Arc::clone(live));
        }
        let again = slot.live.take().is_some();
        let changed = Arc::new(AtomicBool::new(false));
        let (name, way) = (&self.name, &self.settings.way);
        let running = connect(name, way, &*self.secrets, &self.scope, Arc::clone(&changed), &self.hidden).await?;
        tracing::info!(target: "greentic::mcp", server = %name, tenant = %self.scope.tenant, again, "connected");
        let live = Arc::new(Connection { running, changed, tools: Mutex::default() });
        slot.live = Some(Arc::clone(&live));
        Ok(live)
    }

    /// Whether the server has `tool`. Calls of others are refused in many ways; its own list says it in one.
    async fn known(&self, connection: &Connection, tool: &str) -> Result<(), Failure> {
        let tools = match self.list(connection).await {
            Ok(tools) => tools,
            Err(failure) if failure.kind() == FailureKind::NotFound => return Ok(()),
            Err(failure) => return Err(failure.untaken()),
        };
        let names = || tools.iter().filter_map(|tool| tool.get("name")?.as_str());
        if names().any(|name| name == tool) {
            return Ok(());
        }
        let message = format!("MCP server {} has no tool {:?}", self.name, crate::id::clip(tool));
        let some: Vec<&str> = names().take(SHOWN).collect();
        Err(Failure::new(FailureKind::NotFound, message).hint(format!("its tools: {}", some.join(", "))))
    }

    async fn list(&self, connection: &Connection) -> Result<Arc<Vec<Value>>, Failure> {
        let mut kept = connection.tools.lock().await;
        let changed = connection.changed.swap(false, Ordering::Relaxed);
        if let Some((_, tools)) = kept.as_ref().filter(|(since, _)| !changed && since.elapsed() < KEPT) {
            return Ok(Arc::clone(tools));
        }
        let (mut tools, mut cursor) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor);
            let page = connection.running.peer().list_tools(Some(params)).await;
            let page = page.map_err(|error| fault::of_call(&self.name, super::LIST, &error))?;
            tools.extend(
                page.tools.iter().filter_map(|tool| Some(self.hidden.hide_in(serde_json::to_value(tool).ok()?))),
            );
            cursor = page.next_cursor;
            if cursor.is_none() || tools.len() >= MAX_TOOLS {
                break;
            }
        }
        tools.truncate(MAX_TOOLS);
        let tools = Arc::new(tools);
        *kept = Some((Instant::now(), Arc::clone(&tools)));
        Ok(tools)
    }

    fn read(&self, tool: &str, answer: CallToolResponse, max: usize) -> Result<Value, Failure> {
        let unusable = |why: &str| {
            Failure::new(
                FailureKind::Answer,
                format!("MCP server {}, tool {}: {why}", self.name, crate::id::clip(tool)),
            )
        };
        let CallToolResponse::Complete(result) = answer else {
            return Err(unusable("it asks for more than it was given"));
        };
        let size = serde_json::to_vec(&result).map_or(usize::MAX, |bytes| bytes.len());
        if size > max {
            let failure = unusable(&format!("its answer has {size} bytes"));
            return Err(failure.hint(format!("the limit is {max} bytes; see `limits.output`")));
        }
        let result = serde_json::to_value(result).map_err(|_| unusable("its answer is no JSON"))?;
        // Flows and guests may call the tool, and that gives them none of its secrets.
        outcome::of_result(tool, self.hidden.hide_in(result))
    }
}
