//! The program that is observed, and the server that its guest asks.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::any;
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::common::guest_path;

const ORDER: &str = "
id: order
type: http
nodes:
  note:
    component.exec:
      component: web
      operation: log
      input: { note: '{\"name\":\"look up\",\"start_ms\":{{in.raw.body.started}},\"end_ms\":{{in.raw.body.started}} }' }
    routing: [{ to: ask }]
  ask:
    component.exec:
      component: web
      operation: ask
      input: { by: http-client@1.1.0, url: '{{in.raw.body.url}}' }
    routing: [{ to: answer }]
  answer:
    emit.response: { done: true }
";

const CHAT: &str = "
id: chat
type: messaging
nodes:
  ask:
    emit.response: { text: 'Hello {{in.text}}, your name?' }
    routing: [{ to: wait }]
  wait:
    session.wait: { reason: a name }
    routing: [{ to: bye }]
  bye:
    emit.response: { text: 'Bye {{in.text}}' }
";

/// A server that notes which trace its requests belong to.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<[String; 2]>>>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        let note = any(move |headers: HeaderMap| async move {
            let said = |name| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
            notes.lock().unwrap().push(["traceparent", "tracestate"].map(said));
            "rows"
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/rows", note)).await });
        Self { address, seen }
    }

    pub(crate) fn traceparents(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|[parent, _]| parent.clone()).collect()
    }

    pub(crate) fn tracestates(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|[_, state]| state.clone()).collect()
    }
}

/// The program, serving the tenant `acme`.
pub(crate) struct Program {
    _dir: TempDir,
    process: Child,
    pub(crate) url: String,
    pub(crate) client: Client,
}

pub(crate) fn command(dir: &Path, vars: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greentic-runner"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["OTEL_", "OTLP_", "TELEMETRY_", "PII_", "PACK_", "ADMIN_"].iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
    command.env_remove("RUST_LOG").env("NO_COLOR", "1").envs(vars.iter().copied()).current_dir(dir);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Program {
    pub(crate) fn start(upstream: &Upstream, vars: &[(&str, &str)]) -> Self {
        Self::with(upstream, vars, |_| {})
    }

    /// The same, with what is `put` into its pack.
    pub(crate) fn with(upstream: &Upstream, vars: &[(&str, &str)], put: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        std::fs::create_dir_all(dir.path().join("pack/components")).unwrap();
        std::fs::copy(guest_path("web-client"), dir.path().join("pack/components/web.wasm")).unwrap();
        write("pack/index.ygtc", CHAT);
        write("pack/order.ygtc", ORDER);
        put(&dir.path().join("pack"));
        let address = upstream.address;
        write(
            "acme.yaml",
            &format!(
                "
tenant: acme
http: {{ allow: ['http://{address}'] }}
flow_type_bindings:
  messaging: {{ adapter: webchat, config: {{ insecure: true }} }}
  webhook: {{ adapter: generic, config: {{ insecure: true }}, secrets: [CRM_KEY] }}
"
            ),
        );
        let arguments = "serve --bindings acme.yaml --pack pack --port 0 --listen 127.0.0.1";
        let mut process = command(dir.path(), vars).args(arguments.split(' ')).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        if url.is_empty() {
            let mut report = String::new();
            process.stderr.as_mut().unwrap().read_to_string(&mut report).unwrap();
            panic!("{report}");
        }
        greentic_runner_host::net::tls::install();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { _dir: dir, process, url: format!("{}/t/acme", url.trim()), client }
    }

    /// The address without the tenant.
    pub(crate) fn root(&self) -> &str {
        self.url.trim_end_matches("/t/acme")
    }

    pub(crate) async fn say(&self, text: &str, traceparent: Option<&str>) {
        let activity = json!({ "type": "message", "conversation": { "id": "c" }, "from": { "id": "u" }, "text": text });
        let request = self.client.post(format!("{}/webchat/activities", self.url)).json(&activity);
        let request = match traceparent {
            Some(traceparent) => request.header("traceparent", traceparent),
            None => request,
        };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    }

    /// Waits until there are `count` replies: each look is answered at once, so there is nothing to sleep for.
    pub(crate) async fn replies(&self, count: usize) {
        loop {
            let url = format!("{}/webchat/conversations/c/activities?watermark=0", self.url);
            let answer: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
            if answer["activities"].as_array().unwrap().len() >= count {
                return;
            }
        }
    }

    /// Ends the program as an operator does, and gives its code and what it said.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut report = String::new();
        self.process.stderr.as_mut().unwrap().read_to_string(&mut report).unwrap();
        (self.process.wait().unwrap().code(), report)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
