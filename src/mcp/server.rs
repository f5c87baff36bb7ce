//! One server: connected when it is first asked, again when its connection ended, and asked within a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rmcp::model::{CallToolRequestParams, CallToolResponse, PaginatedRequestParams};
use rmcp::{Peer, RoleClient};
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::connect::{Running, connect};
use super::failure::{Failure, FailureKind};
use super::listed::{Listed, Listing};
use super::settings::{ServerSettings, Way};
use super::trace::told;
use super::{CALL, fault, outcome};
use crate::secret::Hidden;
use crate::secrets::{SecretScope, SecretsManager};
use crate::telemetry::spans;

/// How long a list of tools is believed, unless its server says that it changed.
const KEPT: Duration = Duration::from_secs(300);

/// Pages in which a server lists its tools.
const MAX_PAGES: usize = 100;

/// Tools that a hint names.
const SHOWN: usize = 12;

/// How long a server may take to end when it is told to.
const FAREWELL: Duration = Duration::from_secs(10);

/// Connections of one server, those included that are ending.
const CONNECTIONS: u32 = 16;

/// A server.
pub(super) struct Server {
    name: String,
    pub(super) settings: ServerSettings,
    secrets: Arc<dyn SecretsManager>,
    scope: SecretScope,
    /// The secrets that the server was given, which stand in nothing that it says.
    hidden: Hidden,
    /// The connection that the next call is made on.
    slot: Mutex<Option<Arc<Connection>>>,
    /// Held by each connection until it has ended.
    places: Arc<Semaphore>,
    stopped: CancellationToken,
}

/// A connection. It ends when nobody holds it any more.
struct Connection {
    peer: Peer<RoleClient>,
    running: Option<Running>,
    place: Option<OwnedSemaphorePermit>,
    changed: Arc<AtomicBool>,
    tools: Mutex<Option<(Instant, Arc<Listed>)>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let (running, place) = (self.running.take(), self.place.take());
        // Without a runtime it ends by being dropped, and nobody waits for it.
        if let (Some(mut running), Ok(runtime)) = (running, Handle::try_current()) {
            runtime.spawn(async move {
                drop(running.close_with_timeout(FAREWELL).await);
                drop(place);
            });
        }
    }
}

impl Server {
    pub(super) fn new(
        name: &str,
        settings: ServerSettings,
        secrets: Arc<dyn SecretsManager>,
        scope: SecretScope,
    ) -> Self {
        let (slot, stopped) = (Mutex::default(), CancellationToken::new());
        let places = Arc::new(Semaphore::new(CONNECTIONS as usize));
        let hidden = Hidden::default();
        Self { name: name.to_owned(), settings, secrets, scope, hidden, slot, places, stopped }
    }

    /// Calls `tool`, and takes an answer of at most `max` bytes. The tool is named in `span` once the server is known to
    /// have it.
    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        deadline: Instant,
        max: usize,
        span: &Span,
    ) -> Result<Value, Failure> {
        let mut used = None;
        let call = async {
            let connection = self.connected().await?;
            used = Some(Arc::clone(&connection));
            if self.known(&connection, tool).await? {
                spans::of_server(span, CALL, tool);
            }
            let params = told(CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments));
            let answer = connection.peer.call_tool_once(params).await;
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
            slot.take_if(|live| Arc::ptr_eq(live, used));
        }
    }

    /// The tools that the server lists.
    pub(super) async fn tools(&self, deadline: Instant) -> Result<Arc<Vec<Value>>, Failure> {
        let list = async {
            let connection = self.connected().await?;
            Ok(Arc::clone(&self.list(&connection).await?.tools))
        };
        self.within(deadline, list).await
    }

    /// Breaks off calls that are under way, and waits until every connection has ended, for good; a program ends with its
    /// own. The host lets go of its events first, so such calls are of events that go on at its next start.
    pub(super) async fn stop(&self) {
        self.stopped.cancel();
        drop(self.slot.lock().await.take());
        // Whoever ends a connection waits no longer than that either.
        if tokio::time::timeout(FAREWELL, self.places.acquire_many(CONNECTIONS)).await.is_err() {
            tracing::warn!(target: "greentic::mcp", server = %self.name, "it did not end in time");
        }
    }

    async fn within<T>(&self, deadline: Instant, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let late = || {
            let failure =
                Failure::new(FailureKind::Timeout, format!("MCP server {} did not answer in time", self.name));
            Err(failure.hint("see mcp.runtime.timeout_ms, the server's own timeout, and limits.event_deadline"))
        };
        if self.stopped.is_cancelled() {
            return Err(self.stops().untaken());
        }
        let done = tokio::select! {
            biased;
            () = self.stopped.cancelled() => Err(self.stops()),
            done = tokio::time::timeout_at(deadline.into(), work) => done.unwrap_or_else(|_| late()),
        };
        done.map_err(|failure| failure.without(&self.hidden))
    }

    fn stops(&self) -> Failure {
        Failure::new(FailureKind::Unavailable, format!("MCP server {}: the host stops", self.name))
    }

    /// The connection, made if there is none. Whoever comes meanwhile waits for it.
    async fn connected(&self) -> Result<Arc<Connection>, Failure> {
        let mut slot = self.slot.lock().await;
        if self.stopped.is_cancelled() {
            return Err(self.stops().untaken());
        }
        if let Some(live) = slot.as_ref().filter(|live| !live.peer.is_transport_closed()) {
            return Ok(Arc::clone(live));
        }
        let again = slot.take().is_some();
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| self.stops().untaken())?;
        let changed = Arc::new(AtomicBool::new(false));
        let (name, way) = (&self.name, &self.settings.way);
        let running = connect(name, way, &*self.secrets, &self.scope, Arc::clone(&changed), &self.hidden).await?;
        tracing::info!(target: "greentic::mcp", server = %name, tenant = %self.scope.tenant, again, "connected");
        let (peer, tools) = (running.peer().clone(), Mutex::default());
        let live = Arc::new(Connection { peer, running: Some(running), place: Some(place), changed, tools });
        *slot = Some(Arc::clone(&live));
        Ok(live)
    }

    /// Whether the server lists `tool`. Calls of others are refused in many ways; its own list says it in one. Where the
    /// list says not all, the server has to say it.
    async fn known(&self, connection: &Connection, tool: &str) -> Result<bool, Failure> {
        let listed = match self.list(connection).await {
            Ok(listed) => listed,
            Err(failure) if failure.kind() == FailureKind::NotFound => return Ok(false),
            Err(failure) => return Err(failure.untaken()),
        };
        if listed.names().any(|name| name == tool) {
            return Ok(true);
        }
        if !listed.is_whole {
            return Ok(false);
        }
        let message = format!("MCP server {} has no tool {:?}", self.name, crate::id::clip(tool));
        let some: Vec<&str> = listed.names().take(SHOWN).collect();
        Err(Failure::new(FailureKind::NotFound, message).hint(format!("its tools: {}", some.join(", "))))
    }

    async fn list(&self, connection: &Connection) -> Result<Arc<Listed>, Failure> {
        let mut kept = connection.tools.lock().await;
        let changed = connection.changed.swap(false, Ordering::Relaxed);
        if let Some((_, tools)) = kept.as_ref().filter(|(since, _)| !changed && since.elapsed() < KEPT) {
            return Ok(Arc::clone(tools));
        }
        let (mut listing, mut cursor) = (Listing::default(), None);
        for _ in 0..MAX_PAGES {
            let params = told(PaginatedRequestParams::default().with_cursor(cursor));
            let page = connection.peer.list_tools(Some(params)).await;
            let page = page.map_err(|error| fault::of_call(&self.name, super::LIST, &error))?;
            let tools = page.tools.iter().filter_map(|tool| serde_json::to_value(tool).ok());
            let tools: Vec<_> = tools.map(|tool| self.hidden.hide_in(tool)).collect();
            cursor = page.next_cursor;
            let fits = listing.add(tools);
            if cursor.is_none() || !fits {
                break;
            }
        }
        let listed = listing.end(cursor.is_none());
        if !listed.is_whole {
            let kept = listed.tools.len();
            tracing::warn!(target: "greentic::mcp", server = %self.name, kept, "its list of tools is cut off");
        }
        let listed = Arc::new(listed);
        *kept = Some((Instant::now(), Arc::clone(&listed)));
        Ok(listed)
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
