//! What components are granted of WASI and of the host, what is told of its use, and providers that are stored while the
//! host runs: through the routes that operators and clients use.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "grants/cli.rs"]
mod cli;
mod common;
#[path = "grants/stored.rs"]
mod stored;
#[path = "grants/wasi.rs"]
mod wasi;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use common::Sources;
use greentic_runner_host::audit::AuditLog;
use greentic_runner_host::run::trace::TraceFeed;
use greentic_runner_host::server::{AdminOptions, HostBackend, Server, ServerOptions};
use greentic_runner_host::{HostBuilder, HostConfig, RunnerHost};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A host of one tenant `t` behind its server. Every webhook is open.
struct Running {
    host: Arc<RunnerHost>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    client: Client,
}

impl Running {
    /// Serves `pack` over `overlays`, with its data in `data`.
    async fn start(bindings: &str, pack: &Sources, overlays: &[&Sources], data: &Path) -> Self {
        let config = HostConfig::from_yaml(&format!("tenant: t\n{bindings}"), "t.yaml").unwrap();
        Self::of(config, pack, overlays, data).await
    }

    async fn of(config: HostConfig, pack: &Sources, overlays: &[&Sources], data: &Path) -> Self {
        let feed = TraceFeed::new(16);
        let host = HostBuilder::new().with_config(config).with_data_dir(data).with_observer(Arc::new(feed.clone()));
        let host = Arc::new(host.build().unwrap());
        host.start().await.unwrap();
        let overlays: Vec<_> = overlays.iter().map(|overlay| overlay.path()).collect();
        host.load_packs("t", &pack.path(), &overlays).await.unwrap();
        let backend = HostBackend::loopback(Arc::clone(&host), feed);
        let options = ServerOptions {
            listen: ([127, 0, 0, 1], 0).into(),
            default_tenant: Some("t".into()),
            admin: AdminOptions { token: None, audit: Arc::new(AuditLog::open(data).unwrap()) },
            ..ServerOptions::default()
        };
        let server = Server::bind(options, Arc::new(backend)).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server.run(async { drop(stopped.await) }));
        greentic_runner_host::net::tls::install();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { host, address, stop: Some(stop), server, client }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.send(Method::GET, path, None).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// What a flow of the type `http` answers to a request: its status and its body.
    async fn call(&self, flow: &str, body: &Value) -> (u16, Value) {
        let response = self.send(Method::POST, &format!("/webhook/{flow}"), Some(body)).await;
        let (status, body) = (response.status().as_u16(), response.text().await.unwrap());
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    async fn stop(mut self) {
        drop(self.stop.take());
        self.server.await.unwrap();
        self.host.stop().await.unwrap();
    }
}

/// A flow of one node, whose result is the body that its webhook is answered with.
fn flow(id: &str, node: &str) -> String {
    let answer = "  b:\n    emit.response: { body: '{{node.a}}' }\n";
    format!("id: {id}\ntype: http\nnodes:\n  a:\n{node}\n    routing: [{{ to: b }}]\n{answer}")
}

/// What is told of a grant.
async fn grant(running: &Running, kind: &str, name: &str) -> Value {
    let status = running.get("/admin/grants?tenant=t").await;
    let grants = status["tenants"][0]["grants"].as_array().unwrap().clone();
    let of = |grant: &&Value| grant["kind"] == kind && grant["name"] == name;
    grants.iter().find(of).unwrap_or_else(|| panic!("no {kind} {name} in {status}")).clone()
}

/// The code and message of an answer that is an error.
async fn error(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    let text = |key: &str| body["error"][key].as_str().unwrap_or_default().to_owned();
    (status, text("code"), text("message"))
}
