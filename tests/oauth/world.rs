//! A host with its server, and a pack whose flows ask for tokens.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use greentic_runner_host::clock::{ManualClock, Timestamp};
use greentic_runner_host::id::Id;
use greentic_runner_host::run::event::FlowChoice;
use greentic_runner_host::run::outcome::Outcome;
use greentic_runner_host::run::trace::{Observer, TraceEvent, TraceFeed};
use greentic_runner_host::secrets::{EnvSecrets, SecretsManager};
use greentic_runner_host::server::{HostBackend, Server, ServerOptions};
use greentic_runner_host::session::SessionKey;
use greentic_runner_host::store::{MemoryStore, Store};
use greentic_runner_host::{HostBuilder, HostConfig, Result, RunnerHost};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tracing_subscriber::layer::Identity;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, Layer, Registry};
use url::Url;

use crate::common::{Sources, event};

/// Where the bindings say that browsers reach the host. The tests take browsers to where it really listens.
pub(crate) const PUBLIC: &str = "https://bots.example.com";

/// A key for stored tokens.
pub(crate) const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// The operations of the guest, each with a flow of its name.
const OPS: [&str; 6] = ["consent", "exchange", "token", "crowd", "lie", "leak"];

/// The tenants that there can be.
const TENANTS: [&str; 2] = ["t", "other"];

pub(crate) struct World {
    pub(crate) host: Arc<RunnerHost>,
    pub(crate) clock: ManualClock,
    pub(crate) traced: Arc<Traced>,
    address: SocketAddr,
    client: reqwest::Client,
    _stop: oneshot::Sender<()>,
}

/// Everything that an observer is told.
#[derive(Default)]
pub(crate) struct Traced(Mutex<String>);

impl Traced {
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Traced {
    fn observe(&self, event: &TraceEvent) {
        // What nodes give is the flow's own; what the host says of its calls is not.
        if let greentic_runner_host::run::trace::What::Node { host_calls, .. } = &event.what {
            self.0.lock().unwrap().push_str(&format!("{host_calls:?}\n"));
        }
    }
}

/// Everything that the process logs.
pub(crate) fn log() -> &'static Log {
    log_beside(None::<Identity>)
}

/// The same, beside what `layer` does with it. The first call in a process decides.
pub(crate) fn log_beside<L: Layer<Registry> + Send + Sync>(layer: Option<L>) -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        let filter = EnvFilter::new(format!("trace,{}", greentic_runner_host::oauth::LOG_BOUND));
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer).with(lines.with_filter(filter));
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    })
}

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<(Vec<u8>, usize)>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap().0).into_owned()
    }

    /// The codes of this group that were logged about a component's calls since this was last asked.
    pub(crate) fn codes(&self, of: &str) -> Vec<String> {
        let mut log = self.0.lock().unwrap();
        let text = String::from_utf8_lossy(&log.0[log.1..]).into_owned();
        log.1 = log.0.len();
        let lines = text.lines().filter(|line| line.contains("greentic::guest") && line.contains(of));
        lines.filter_map(|line| Some(line.split_once("GRH-11")?.1.get(..2)?.to_owned())).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The pack.
pub(crate) fn pack() -> Sources {
    let flows = OPS.iter().fold(Sources::new(), |pack, op| {
        let flow = format!(
            "id: {op}\ntype: messaging\nnodes:\n  ask:\n    tokens: '{{{{in}}}}'\n    operation: {op}\n    routing: [{{ to: tell }}]\n  \
             tell:\n    emit.response: '{{{{node.ask}}}}'\n"
        );
        pack.file(&format!("{op}.ygtc"), &flow)
    });
    flows.component("tokens", "token-user")
}

impl World {
    /// A host of the tenants `t` and, if there is a second block, `other`, each with its `oauth` block.
    pub(crate) async fn start(blocks: &[&str], secrets: &'static [(&'static str, &'static str)]) -> Self {
        Self::with(blocks, secrets, Arc::new(MemoryStore::default())).await
    }

    pub(crate) async fn with(
        blocks: &[&str],
        secrets: &'static [(&'static str, &'static str)],
        store: Arc<dyn Store>,
    ) -> Self {
        let secrets = EnvSecrets::with_vars(&TENANTS.map(Id::from), move |name| {
            secrets.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        });
        Self::over(blocks, Arc::new(secrets.unwrap()), |builder| builder.with_store(store)).await
    }

    /// The same with secrets of this place, and a host that is set up further.
    pub(crate) async fn over(
        blocks: &[&str],
        secrets: Arc<dyn SecretsManager>,
        set_up: impl FnOnce(HostBuilder) -> HostBuilder,
    ) -> Self {
        log();
        let tenants = TENANTS.map(Id::from);
        let clock = ManualClock::new(Timestamp(1_800_000_000_000));
        let traced = Arc::new(Traced::default());
        let mut builder = set_up(HostBuilder::new().with_memory_store())
            .with_clock(Arc::new(clock.clone()))
            .with_observer(Arc::clone(&traced) as _)
            .with_secrets_manager(secrets);
        for (tenant, block) in tenants.iter().zip(blocks) {
            let bindings = format!("tenant: {tenant}\nlimits: {{ timeout: 5s }}\noauth:\n{block}");
            builder = builder.with_config(HostConfig::from_yaml(&bindings, "bindings.yaml").unwrap());
        }
        let host = Arc::new(builder.build().unwrap());
        host.start().await.unwrap();
        let pack = pack();
        for (tenant, _) in tenants.iter().zip(blocks) {
            host.load_pack(tenant, &pack.path()).await.unwrap();
        }
        let backend = HostBackend::new(Arc::clone(&host), TraceFeed::new(16));
        let options = ServerOptions {
            listen: ([127, 0, 0, 1], 0).into(),
            default_tenant: Some("t".into()),
            ..ServerOptions::default()
        };
        let server = Server::bind(options, Arc::new(backend)).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(server.run(async { drop(stopped.await) }));
        Self { host, clock, traced, address, client: crate::server::client(), _stop: stop }
    }

    /// What the guest is answered by `op`, through a flow of the tenant `t`.
    pub(crate) async fn ask(&self, op: &str, input: Value) -> String {
        self.ask_as("t", op, input).await
    }

    pub(crate) async fn ask_as(&self, tenant: &str, op: &str, input: Value) -> String {
        let output = self.run(tenant, op, input).await;
        output["answer"].as_str().unwrap_or_else(|| panic!("{op}: {output}")).to_owned()
    }

    pub(crate) async fn run(&self, tenant: &str, op: &str, input: Value) -> Value {
        let outcome = self.try_run(tenant, op, input).await.unwrap();
        outcome.replies.into_iter().next().unwrap_or(Value::Null)
    }

    pub(crate) async fn try_run(&self, tenant: &str, op: &str, input: Value) -> Result<Outcome> {
        static SESSIONS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let session = SESSIONS.fetch_add(1, std::sync::atomic::Ordering::SeqCst).to_string();
        let mut event = event("s", input);
        event.tenant = Id::from(tenant);
        event.session = SessionKey::of([tenant, "test", &session]);
        event.flow = FlowChoice::Id(Id::from(op));
        self.host.submit(event).await?.outcome().await
    }

    /// The tokens of a subject; null if there are none.
    pub(crate) async fn token(&self, provider: &str, subject: &str, scopes: &[&str]) -> Value {
        read(&self.ask("token", json!({"provider": provider, "subject": subject, "scopes": scopes})).await)
    }

    /// Where a subject consents.
    pub(crate) async fn consent(&self, provider: &str, subject: &str, scopes: &[&str], path: &str) -> Url {
        let input = json!({"provider": provider, "subject": subject, "scopes": scopes, "path": path});
        Url::parse(&self.ask("consent", input).await).unwrap()
    }

    /// Takes a browser to an address of the host's, as it is known outside.
    pub(crate) async fn browse(&self, url: &str) -> (u16, String) {
        let answer = self.client.get(self.here(url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Has something look at an address of the host's without going there, as scanners of links do.
    pub(crate) async fn look(&self, url: &str) -> u16 {
        self.client.head(self.here(url)).send().await.unwrap().status().as_u16()
    }

    fn here(&self, url: &str) -> String {
        let path = url.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("{url} is not the host's"));
        format!("http://{}{path}", self.address)
    }
}

/// JSON as a component would read it; an empty text is null.
pub(crate) fn read(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { serde_json::from_str(text).unwrap() }
}

/// A parameter of an address.
pub(crate) fn param(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
