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
    /// The secrets that the server was given for it, which stand in nothing that it says there.
    hidden: Hidden,
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
        Self { name: name.to_owned(), settings, secrets, scope, slot, places, stopped }
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
            let answer = self.call_on(&connection, tool, arguments, max, span).await;
            answer.map_err(|failure| failure.without(&connection.hidden))
        };
        let answer = self.within(deadline, call).await;
        if let (Err(failure), Some(used)) = (&answer, used) {
            self.doubt(&used, failure.kind());
        }
        answer
    }

    async fn call_on(
        &self,
        connection: &Connection,
        tool: &str,
        arguments: Map<String, Value>,
        max: usize,
        span: &Span,
    ) -> Result<Value, Failure> {
        if self.known(connection, tool).await? {
            spans::of_server(span, CALL, tool);
        }
        let params = told(CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments));
        let answer = connection.peer.call_tool_once(params).await;
        let answer = answer.map_err(|error| fault::of_call(&self.name, tool, &error))?;
        self.read(tool, answer, max, &connection.hidden)
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
            let listed = self.list(&connection).await.map_err(|failure| failure.without(&connection.hidden))?;
            Ok(Arc::clone(&listed.tools))
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
        tokio::select! {
            biased;
            () = self.stopped.cancelled() => Err(self.stops()),
            done = tokio::time::timeout_at(deadline.into(), work) => done.unwrap_or_else(|_| late()),
        }
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
        // One that is for the whole server would know every key that ever was, and at last show nothing.
        let (changed, hidden) = (Arc::new(AtomicBool::new(false)), Hidden::default());
        let (name, way) = (&self.name, &self.settings.way);
        let running = connect(name, way, &*self.secrets, &self.scope, Arc::clone(&changed), &hidden).await;
        let running = running.map_err(|failure| failure.without(&hidden))?;
        tracing::info!(target: "greentic::mcp", server = %name, tenant = %self.scope.tenant, again, "connected");
        let (peer, tools) = (running.peer().clone(), Mutex::default());
        let live = Arc::new(Connection { peer, running: Some(running), place: Some(place), hidden, changed, tools });
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
        // For good: the new list may not be had this time.
        if connection.changed.swap(false, Ordering::Relaxed) {
            *kept = None;
        }
        if let Some((_, tools)) = kept.as_ref().filter(|(since, _)| since.elapsed() < KEPT) {
            return Ok(Arc::clone(tools));
        }
        let (mut listing, mut cursor) = (Listing::default(), None);
        for _ in 0..MAX_PAGES {
            let params = told(PaginatedRequestParams::default().with_cursor(cursor));
            let page = connection.peer.list_tools(Some(params)).await;
            let page = page.map_err(|error| fault::of_call(&self.name, super::LIST, &error))?;
            let tools = page.tools.iter().filter_map(|tool| serde_json::to_value(tool).ok());
            let tools: Vec<_> = tools.map(|tool| connection.hidden.hide_in(tool)).collect();
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

    fn read(&self, tool: &str, answer: CallToolResponse, max: usize, hidden: &Hidden) -> Result<Value, Failure> {
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
        outcome::of_result(tool, hidden.hide_in(result))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::error::Result;
    use crate::id::Id;
    use crate::mcp::settings::Given;
    use crate::secret::Secret;

    /// A secret of many lines, which is another one each time.
    #[derive(Default)]
    struct Replaced(AtomicUsize);

    #[async_trait::async_trait]
    impl SecretsManager for Replaced {
        async fn read(&self, _: &SecretScope, _: &str) -> Result<Vec<Secret>> {
            let n = self.0.fetch_add(1, Ordering::Relaxed);
            let lines: String = (0..300).map(|line| format!("canary-{n}-{line}\n")).collect();
            Ok(vec![Secret::new(lines)])
        }
    }

    /// Lists the tool `x`, fails to list, and lists `y` from then on. Its tools quote the secret.
    const QUOTING: &str = r#"
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *'"method":"initialize"'*) answer '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}' ;;
    *'"method":"tools/list"'*)
      n=$((n+1))
      case $n in
        1) answer '{"tools":[{"name":"x","inputSchema":{"type":"object"}}]}' ;;
        2) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":"not now"}}\n' "$id" ;;
        *) answer '{"tools":[{"name":"y","inputSchema":{"type":"object"}}]}' ;;
      esac ;;
    *'"method":"tools/call"'*)
      key=$(printf '%s\n' "$KEY" | sed -n 1p)
      answer "{\"content\":[{\"type\":\"text\",\"text\":\"key $key\"}]}" ;;
  esac
done
"#;

    fn server() -> Server {
        let env = [("PATH", Given::Text("/usr/bin:/bin".to_owned())), ("KEY", Given::Secret("KEY".to_owned()))];
        let way = Way::Program {
            command: "/bin/sh".to_owned(),
            args: vec!["-c".to_owned(), QUOTING.to_owned()],
            env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        let settings = ServerSettings { way, repeatable: Vec::new(), timeout: None };
        let scope = SecretScope::of_tenant(&Id::from("dev"), &Id::from("t"));
        Server::new("s", settings, Arc::new(Replaced::default()), scope)
    }

    fn end() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn a_secret_is_hidden_and_nothing_else_however_often_it_is_replaced() {
        let server = server();
        for n in 0..5 {
            let answer = server.call("x", Map::new(), end(), 1000, &Span::none()).await.unwrap();
            assert_eq!(answer["content"][0]["text"], "key [redacted]", "connection {n}");
            drop(server.slot.lock().await.take());
        }
        server.stop().await;
    }

    #[tokio::test]
    async fn a_list_that_changed_is_old_although_the_new_one_cannot_be_had_at_once() {
        let server = server();
        assert_eq!(server.tools(end()).await.unwrap()[0]["name"], "x");
        server.slot.lock().await.as_ref().unwrap().changed.store(true, Ordering::Relaxed);
        let failure = server.tools(end()).await.unwrap_err();
        assert!(failure.error().message().contains("not now"), "{failure:?}");
        assert_eq!(server.tools(end()).await.unwrap()[0]["name"], "y");
        server.stop().await;
    }
}
