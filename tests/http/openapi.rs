//! The OpenAPI document against the server that it describes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use greentic_runner_host::config::HostConfig;
use greentic_runner_host::host::HostBuilder;
use greentic_runner_host::reload::Reloads;
use greentic_runner_host::reload::status::{PacksStatus, ReloadReport, ReloadState};
use greentic_runner_host::run::trace::{TraceFeed, What};
use greentic_runner_host::secret::Secret;
use greentic_runner_host::server::{HostBackend, Server, ServerOptions};
use greentic_runner_host::{Result, RunnerHost};
use reqwest::Method;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::{Running, code};

const BINDINGS: &str = "
tenant: demo
flow_type_bindings:
  messaging: { adapter: webchat, config: { insecure: true } }
  webhook: { adapter: generic }
";

#[tokio::test]
async fn the_document_and_the_router_have_the_same_routes() {
    let server = Running::start().await;
    let document: Value = server.get("/openapi.json").await.json().await.unwrap();
    assert_eq!(document, greentic_runner_host::server::openapi());
    let methods = ["get", "put", "post", "delete", "options", "patch", "trace"];
    for (path, operations) in document["paths"].as_object().unwrap() {
        if path.ends_with("/stream") {
            continue;
        }
        let real = path.replace("{tenant}", "demo").replace("{flow_id}", "echo").replace(['{', '}'], "");
        for method in methods {
            let name = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let response = server.client.request(name, server.url(&real)).send().await.unwrap();
            let status = response.status().as_u16();
            let Some(operation) = operations.get(method) else {
                assert_eq!(status, 405, "{method} {path} is served and not described");
                assert!(response.headers().contains_key("allow"), "{method} {path}");
                continue;
            };
            let answers = operation["responses"].as_object().unwrap();
            assert!(
                answers.contains_key(&status.to_string()) || answers.contains_key("default"),
                "{method} {path}: {status} is not described"
            );
            if status == 404 {
                assert_ne!(code(response).await, "GRH-0804", "{method} {path} is described and not served");
            }
        }
    }
}

/// A reloader that finds nothing new.
struct Idle(Arc<RunnerHost>);

impl Reloads for Idle {
    fn status(&self) -> PacksStatus {
        PacksStatus::of_host(&self.0)
    }

    fn request(&self, _: &str) -> Result<String> {
        Ok("1".into())
    }

    fn report(&self, id: &str) -> Option<ReloadReport> {
        (id == "1").then(|| ReloadReport {
            id: id.into(),
            state: ReloadState::Done,
            requested: "2026-01-01T00:00:00Z".into(),
            ended: Some("2026-01-01T00:00:00Z".into()),
            error: None,
            tenants: Vec::new(),
        })
    }
}

/// Webhooks serve every method, and the document can name the usual ones only. A request that is in order is refused (422)
/// if another one came under its key before. Who sends files stands in the query or in a part of a media type that nothing
/// can be generated for, and any part is a file. A provider has to fit the packs (422).
const SETTINGS: &str = r#"
[[operations]]
include-path-regex = "/webhook/"
checks.unsupported_method.enabled = false
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 422, 429, "5xx"]
[[operations]]
include-path-regex = "^/admin/providers/"
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422, "5xx"]
[[operations]]
include-path-regex = "/upload$"
checks.positive_data_acceptance.enabled = false
checks.negative_data_rejection.enabled = false
"#;

fn tool() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv/bin/schemathesis");
    if installed.is_file() { installed } else { "schemathesis".into() }
}

/// Schemathesis makes requests out of the document, good and bad ones, and looks whether the answers are as described.
/// Streams have no end, so it cannot look at them.
#[tokio::test(flavor = "multi_thread")]
async fn needs_schemathesis_every_answer_is_as_described() {
    let feed = TraceFeed::new(1 << 14);
    let mut seen = feed.subscribe();
    let config = HostConfig::from_yaml(BINDINGS, "demo.yaml").unwrap();
    let host = HostBuilder::new().with_config(config).with_memory_store().with_observer(Arc::new(feed.clone()));
    let host = Arc::new(host.build().unwrap());
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/packs/customera/index.ygtc");
    host.load_pack("demo", &pack).await.unwrap();
    host.start().await.unwrap();
    let backend = HostBackend::new(Arc::clone(&host), feed).with_reloads(Arc::new(Idle(Arc::clone(&host))));
    let mut options = ServerOptions { listen: ([127, 0, 0, 1], 0).into(), ..ServerOptions::default() };
    options.admin.token = Some(Secret::new("token"));
    let server = Server::bind(options, Arc::new(backend)).await.unwrap();
    let url = format!("http://{}/openapi.json", server.address());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server.run(async { drop(stopped.await) }));

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("schemathesis.toml"), SETTINGS).unwrap();
    let report = dir.path().join("report.txt");
    let file = std::fs::File::create(&report).unwrap();
    let mut command = Command::new(tool());
    command.args(["--config-file", "schemathesis.toml", "run"]).arg(&url);
    command.args(["--header", "Authorization: Bearer token", "--exclude-path-regex", "/stream$"]);
    command.args(["--seed", "1", "--max-examples", "12", "--request-timeout", "20", "--no-color"]);
    command.current_dir(dir.path()).stdout(file.try_clone().unwrap()).stderr(file);
    let status = ended(command.spawn().unwrap()).await;
    drop(stop);
    server.await.unwrap();
    host.stop().await.unwrap();
    let report = std::fs::read_to_string(report).unwrap();
    assert!(status.is_some_and(|status| status.success()), "{report}");
    let started = std::iter::from_fn(|| seen.try_recv().ok()).any(|event| matches!(event.what, What::Started { .. }));
    assert!(started, "no flow was reached: {report}");
}

/// Waits for a program; none if it had to be ended.
async fn ended(mut program: Child) -> Option<ExitStatus> {
    for _ in 0..5400 {
        if let Some(status) = program.try_wait().unwrap() {
            return Some(status);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    program.kill().unwrap();
    program.wait().unwrap();
    None
}
