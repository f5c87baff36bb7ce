//! A tenant's servers. They outlive its packs; their programs end with the host.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde_json::{Map, Value};
use tracing::Span;

use super::failure::{Failure, FailureKind};
use super::server::Server;
use super::settings::{ServerSettings, Settings, Way};
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

    /// The transport to a server, as telemetry names it.
    pub(crate) fn transport(&self, name: &str) -> &'static str {
        match self.0.get(name).map(|server| &server.settings.way) {
            Some(Way::Program { .. }) => "pipe",
            _ => "tcp",
        }
    }

    /// Calls `tool` of a server once, and takes an answer of at most `max` bytes. The tool is named in `span` once it is
    /// known.
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
        span: &Span,
    ) -> Result<Value, Failure> {
        self.server(name)?.call(tool, arguments, deadline, max, span).await
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::error::Result;
    use crate::id::Id;
    use crate::mcp::settings::Given;
    use crate::secret::Secret;

    struct NoSecrets;

    #[async_trait::async_trait]
    impl SecretsManager for NoSecrets {
        async fn read(&self, _: &SecretScope, _: &str) -> Result<Vec<Secret>> {
            Ok(Vec::new())
        }
    }

    /// Greets, lists the tool `x` on two pages, writes its id to `$PID` when it is called, and never answers.
    const HANGING: &str = r#"
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *'"method":"initialize"'*) answer '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}' ;;
    *'"cursor":"2"'*) answer '{"tools":[{"name":"x","inputSchema":{"type":"object"}}]}' ;;
    *'"method":"tools/list"'*) answer '{"tools":[{"name":"y","inputSchema":{"type":"object"}}],"nextCursor":"2"}' ;;
    *'"method":"tools/call"'*) echo $$ > "$PID.new"; mv "$PID.new" "$PID" ;;
  esac
done
"#;

    #[tokio::test]
    async fn a_stop_breaks_calls_off_and_waits_until_the_program_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let given = |name: &str, value: &str| (name.to_owned(), Given::Text(value.to_owned()));
        let way = Way::Program {
            command: "/bin/sh".to_owned(),
            args: vec!["-c".to_owned(), HANGING.to_owned()],
            env: vec![given("PATH", "/usr/bin:/bin"), given("PID", &pid.display().to_string())],
        };
        let server = ServerSettings { way, repeatable: Vec::new(), timeout: None };
        let secrets: Arc<dyn SecretsManager> = Arc::new(NoSecrets);
        let scope = SecretScope::of_tenant(&Id::from("dev"), &Id::from("t"));
        let server = Server::new("s", server, secrets, scope);
        let servers = Servers([("s".to_owned(), server)].into_iter().collect());
        let end = Instant::now() + Duration::from_secs(600);
        let call = || async {
            let began = Instant::now();
            let failure = servers.call("s", "x", Map::new(), end, 1000, &Span::none()).await.unwrap_err();
            (failure, began.elapsed())
        };
        let stop = async {
            while !pid.exists() {
                tokio::task::yield_now().await;
            }
            let process = format!("/proc/{}/exe", std::fs::read_to_string(&pid).unwrap().trim());
            assert!(std::fs::read_link(&process).is_ok());
            servers.stop().await;
            assert!(std::fs::read_link(&process).is_err(), "it has ended when the stop is done");
        };
        let ((broken_off, took), ()) = tokio::join!(call(), stop);
        assert_eq!((broken_off.kind(), broken_off.is_untaken()), (FailureKind::Unavailable, false), "{broken_off:?}");
        assert!(broken_off.error().message().contains("the host stops") && took < Duration::from_secs(300));
        let (refused, _) = call().await;
        assert_eq!((refused.kind(), refused.is_untaken()), (FailureKind::Unavailable, true), "{refused:?}");
        servers.stop().await;
    }
}
