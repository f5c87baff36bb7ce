//! Reaching a server: starting its program, or asking its address, until it says what it is.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, RoleClient, serve_client};
use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, Command};

use super::failure::{Failure, FailureKind};
use super::fault;
use super::program::whole;
use super::settings::{Given, Way};
use super::trace::Traced;
use crate::net::tls;
use crate::secret::{Cutter, Hidden, Secret};
use crate::secrets::{SecretScope, SecretsManager};

/// The largest message that is taken from a server, in bytes.
pub(super) const MAX_MESSAGE: usize = 16 << 20;

/// How long a connection may take, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// What of a program's error stream is read at once, in bytes.
const READ: usize = 1 << 10;

/// The host's side of a connection: it offers servers nothing, and notes when their tools change.
#[derive(Debug)]
pub(super) struct Client {
    changed: Arc<AtomicBool>,
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let host = Implementation::new("greentic-runner-host", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), host)
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.store(true, Ordering::Relaxed);
    }
}

/// A connection that both sides have greeted on.
pub(super) type Running = RunningService<RoleClient, Client>;

/// Reaches the server `name`, which is given secrets that are noted in `hidden`. When this is dropped before its end, the
/// program ends too.
pub(super) async fn connect(
    name: &str,
    way: &Way,
    secrets: &dyn SecretsManager,
    scope: &SecretScope,
    changed: Arc<AtomicBool>,
    hidden: &Hidden,
) -> Result<Running, Failure> {
    let client = Client { changed };
    let running = match way {
        Way::Http { url, headers } => {
            let headers = given(name, headers, secrets, scope, hidden).await?;
            serve_client(client, over_http(name, url, headers)?).await
        }
        Way::Program { command, args, env } => {
            let env = given(name, env, secrets, scope, hidden).await?;
            serve_client(client, started(name, command, args, env, hidden)?).await
        }
    };
    running.map_err(|error| fault::of_greeting(name, &error))
}

fn over_http(
    name: &str,
    url: &str,
    headers: Vec<(String, Secret)>,
) -> Result<StreamableHttpClientTransport<Traced>, Failure> {
    tls::install();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        .user_agent(concat!("greentic-runner-host/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| unreachable(name, "there is no HTTP client"))?;
    let mut custom = HashMap::new();
    for (header, value) in headers {
        let header_name = HeaderName::try_from(header.as_str());
        let value = HeaderValue::try_from(value.expose());
        let (Ok(header_name), Ok(mut value)) = (header_name, value) else {
            return Err(unreachable(name, &format!("the header {header:?} cannot be sent: it has no such value")));
        };
        value.set_sensitive(true);
        custom.insert(header_name, value);
    }
    let config = StreamableHttpClientTransportConfig::with_uri(url)
        .custom_headers(custom)
        .max_sse_event_size(MAX_MESSAGE)
        .max_json_response_size(MAX_MESSAGE);
    Ok(StreamableHttpClientTransport::with_client(Traced(client), config))
}

/// Starts a program with nothing of this process's environment.
fn started(
    name: &str,
    command: &str,
    args: &[String],
    env: Vec<(String, Secret)>,
    hidden: &Hidden,
) -> Result<TokioChildProcess, Failure> {
    let mut program = Command::new(command);
    program.args(args).env_clear().envs(env.iter().map(|(name, value)| (name, value.expose()))).kill_on_drop(true);
    let spawned = TokioChildProcess::builder(whole(program)).stderr(Stdio::piped()).spawn();
    let (process, stderr) = spawned.map_err(|error| {
        let message = format!("MCP server {name}: its program cannot be started: {}", error.kind());
        let failure = Failure::new(FailureKind::Unavailable, message).untaken();
        failure.hint("give the whole path of the program in mcp.servers, and the PATH that it needs in its env")
    })?;
    if let Some(stderr) = stderr {
        tokio::spawn(log(name.to_owned(), stderr, hidden.clone()));
    }
    Ok(process)
}

/// Writes what a program says on its error stream to the log, for who looks for it there.
async fn log(name: String, mut stderr: ChildStderr, hidden: Hidden) {
    let (mut bytes, mut cutter) = ([0; READ], Cutter::default());
    let line = |line: &str, _| tracing::debug!(target: "greentic::mcp", server = %name, "{}", line.escape_debug());
    while let Ok(read @ 1..) = stderr.read(&mut bytes).await {
        cutter.push(bytes.get(..read).unwrap_or_default(), &[&hidden], line);
    }
    cutter.end(&[&hidden], line);
}

/// The values that a server is given, secrets looked up now: what was replaced counts from the next connection on. They
/// are noted in `hidden`.
async fn given(
    name: &str,
    wanted: &[(String, Given)],
    secrets: &dyn SecretsManager,
    scope: &SecretScope,
    hidden: &Hidden,
) -> Result<Vec<(String, Secret)>, Failure> {
    let mut values = Vec::new();
    for (key, value) in wanted {
        let value = match value {
            Given::Text(text) => Secret::new(text.as_str()),
            Given::Secret(secret) => match secrets.read(scope, secret).await {
                Ok(found) => {
                    let found = found.into_iter().next().ok_or_else(|| missing(name, secret, secrets, scope))?;
                    hidden.note_text(found.expose());
                    found
                }
                Err(error) => return Err(unreachable(name, &format!("the secret {secret}: {}", error.message()))),
            },
        };
        values.push((key.clone(), value));
    }
    Ok(values)
}

fn missing(name: &str, secret: &str, secrets: &dyn SecretsManager, scope: &SecretScope) -> Failure {
    let place = secrets.place(scope, secret);
    let message = format!("the secret {secret} of tenant {} is missing: looked for at {place}", scope.tenant);
    unreachable(name, &message).hint("store it where the host reads the tenant's secrets")
}

fn unreachable(name: &str, why: &str) -> Failure {
    Failure::new(FailureKind::Unavailable, format!("MCP server {name}: {why}")).untaken()
}
