//! Standard output, variables, assets and requests: what is granted, and what is told of its use.

use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use tempfile::TempDir;

use super::*;

/// Set by whatever runs the tests.
const VARIABLE: &str = "CARGO_PKG_NAME";
const VALUE: &str = env!("CARGO_PKG_NAME");

fn exec(op: &str, component: &str) -> String {
    format!("    component.exec: {{ component: {component}, operation: {op}, input: '{{{{in.raw.body}}}}' }}")
}

fn pack() -> Sources {
    let mut pack = Sources::new().file("pack.yaml", "pack_id: desk\nversion: 1.0.0\n").component("user", "wasi-user");
    for op in ["print", "complain", "env", "print-env", "read"] {
        pack = pack.file(&format!("{op}.ygtc"), &flow(op, &exec(op, "user")));
    }
    pack.file("assets/hello.txt", "hello from the pack")
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged on this thread from now on.
fn logged() -> (Sink, tracing::subscriber::DefaultGuard) {
    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    (sink, tracing::subscriber::set_default(subscriber))
}

fn data() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn a_component_without_grants_prints_nowhere_and_sees_no_variables() {
    let (log, _guard) = logged();
    let data = data();
    let running = Running::start("", &pack(), &[], data.path()).await;
    assert_eq!(running.call("print", &json!({"text": "canary-printed"})).await, (200, json!({"printed": 1})));
    assert_eq!(running.call("env", &json!({})).await.1, json!({"env": []}));
    assert!(!log.text().contains("canary-printed"), "{}", log.text());
    for (kind, name) in [("wasi", "stdout"), ("wasi", "stderr")] {
        let grant = grant(&running, kind, name).await;
        assert_eq!((&grant["granted"], &grant["uses"]), (&json!(false), &json!(0)), "{grant}");
    }
    running.stop().await;
}

#[tokio::test]
async fn what_is_printed_is_logged_line_by_line_with_whose_it_is() {
    let (log, _guard) = logged();
    let data = data();
    let bindings = format!("wasi: {{ stdout: true, stderr: true, env: [{VARIABLE}] }}");
    let running = Running::start(&bindings, &pack(), &[], data.path()).await;
    running.call("print", &json!({"text": "first\nsecond \u{1b}[31m"})).await;
    running.call("complain", &json!({"text": "watch out"})).await;
    running.call("print-env", &json!({"name": VARIABLE})).await;
    let log = log.text();
    let line = |text: &str| log.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{text} in {log}"));
    for text in ["stdout: first", "stdout: second \\u{1b}[31m", "stderr: watch out"] {
        for part in ["greentic::guest", "tenant=t", "pack=desk", "component=user", "node=a"] {
            assert!(line(text).contains(part), "{part} in {}", line(text));
        }
    }
    assert!(line("stdout: first").contains("INFO") && line("stderr: watch out").contains("WARN"));
    assert!(log.contains("stdout: CARGO_PKG_NAME is [redacted]"), "a value that was granted is not logged: {log}");
    let stdout = grant(&running, "wasi", "stdout").await;
    assert_eq!((&stdout["granted"], &stdout["used_by"][0]["component"]), (&json!(true), &json!("user")), "{stdout}");
    assert!(stdout["uses"].as_u64().unwrap() >= 2 && stdout["last_used"].is_string(), "{stdout}");
    running.stop().await;
}

#[tokio::test]
async fn variables_are_seen_by_name_and_their_use_is_told() {
    let data = data();
    let missing = "GREENTIC_TEST_NOT_SET";
    let running = Running::start(&format!("wasi: {{ env: [{VARIABLE}, {missing}] }}"), &pack(), &[], data.path()).await;
    let never = grant(&running, "env", VARIABLE).await;
    assert_eq!((&never["granted"], &never["uses"], &never["last_used"]), (&json!(true), &json!(0), &Value::Null));
    assert_eq!(never["imported_by"], json!(["user"]));
    let seen = running.call("env", &json!({})).await.1;
    assert_eq!(seen, json!({"env": [{"name": VARIABLE, "value": VALUE}]}));
    let used = grant(&running, "env", VARIABLE).await;
    assert_eq!((&used["uses"], &used["used_by"][0]["component"]), (&json!(1), &json!("user")), "{used}");
    assert_eq!(grant(&running, "env", missing).await["granted"], false, "it has no value");
    let status = running.get("/admin/packs/status").await;
    let notes = status["tenants"][0]["notes"].as_array().unwrap();
    let note = notes.iter().find(|note| note["code"] == "GRH-1141").unwrap();
    assert!(note["message"].as_str().unwrap().contains(missing), "{note}");
    let told = running.get("/admin/grants").await.to_string();
    assert!(!told.contains(&format!("\"{VALUE}\"")), "values are not told: {told}");
    running.stop().await;
}

#[tokio::test]
async fn a_file_that_binds_a_pack_passes_variables() {
    let data = data();
    let file = data.path().join("t.gtbind");
    std::fs::write(&file, format!("tenant: t\npack_id: desk\nenv_passthrough: [{VARIABLE}]\n")).unwrap();
    let config = HostConfig::from_gtbind(&[file]).unwrap().remove(0);
    let running = Running::of(config, &pack(), &[], data.path()).await;
    assert_eq!(running.call("env", &json!({})).await.1, json!({"env": [{"name": VARIABLE, "value": VALUE}]}));
    running.stop().await;
}

#[tokio::test]
async fn components_of_overlays_have_what_is_stated_for_them() {
    let (log, _guard) = logged();
    let over = || {
        Sources::new()
            .file("pack.yaml", "pack_id: over\nversion: 1.0.0\n")
            .component("guest", "wasi-user")
            .file("over-env.ygtc", &flow("over-env", &exec("env", "guest")))
            .file("over-print.ygtc", &flow("over-print", &exec("print", "guest")))
    };
    for (overlays, seen) in [
        ("", json!([])),
        (", overlays: { stdout: true, env: [CARGO_PKG_NAME] }", json!([{"name": VARIABLE, "value": VALUE}])),
    ] {
        let data = data();
        let bindings = format!("wasi: {{ stdout: true, env: [{VARIABLE}]{overlays} }}");
        let running = Running::start(&bindings, &pack(), &[&over()], data.path()).await;
        assert_eq!(running.call("over-env", &json!({})).await.1["env"], seen);
        assert_eq!(running.call("env", &json!({})).await.1["env"], json!([{"name": VARIABLE, "value": VALUE}]));
        let text = format!("printed over {}", overlays.len());
        running.call("over-print", &json!({"text": text})).await;
        assert_eq!(log.text().contains(&text), !overlays.is_empty());
        running.stop().await;
    }
}

#[tokio::test]
async fn assets_are_read_unless_they_are_taken_away() {
    for (bindings, readable) in [("", true), ("wasi: { assets: false }", false)] {
        let data = data();
        let running = Running::start(bindings, &pack(), &[], data.path()).await;
        let (status, body) = running.call("read", &json!({"path": "hello.txt"})).await;
        assert_eq!(status == 200, readable, "{body}");
        assert!(!readable || body == json!("hello from the pack"), "{body}");
        let assets = grant(&running, "wasi", "assets").await;
        assert_eq!(assets["granted"], readable);
        assert!(assets["uses"].as_u64().unwrap() > 0, "it asked for its directories: {assets}");
        running.stop().await;
    }
}

#[tokio::test]
async fn requests_are_told_by_grant_entry_and_reason_and_survive_a_reload() {
    let answering = axum::Router::new().fallback(|| async { "fine" });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, answering).await });
    let pack = Sources::new()
        .file("pack.yaml", "pack_id: web\nversion: 1.0.0\n")
        .component("web", "web-client")
        .file("ask.ygtc", &flow("ask", &exec("ask", "web")));
    let data = data();
    let own = format!("http://{address}");
    let bindings = format!("http: {{ allow: ['{own}', 'https://never.example'] }}");
    let running = Running::start(&bindings, &pack, &[], data.path()).await;
    for by in ["http-client@1.1.0", "wasi"] {
        let (status, answer) = running.call("ask", &json!({"by": by, "url": format!("{own}/x")})).await;
        assert_eq!((status, &answer["status"]), (200, &json!(200)), "{by}: {answer}");
    }
    running.call("ask", &json!({"by": "http-client@1.1.0", "url": "https://elsewhere.example/"})).await;
    running.host.load_pack("t", &pack.path()).await.unwrap();

    let http = grant(&running, "grant", "http").await;
    assert_eq!((&http["uses"], &http["imported_by"]), (&json!(3), &json!(["web"])), "{http}");
    let entry = grant(&running, "http", &own).await;
    assert_eq!((&entry["uses"], &entry["used_by"][0]["component"]), (&json!(2), &json!("web")), "{entry}");
    assert_eq!(grant(&running, "http", "https://never.example").await["uses"], 0);
    assert_eq!(grant(&running, "grant", "kv").await["uses"], 0);
    let outbound = running.get("/admin/grants").await["tenants"][0]["outbound"].clone();
    assert_eq!((&outbound["answered"], &outbound["failed"]["host_not_allowed"]), (&json!(2), &json!(1)), "{outbound}");
    let metrics = running.send(Method::GET, "/metrics", None).await.text().await.unwrap();
    for (reason, count) in [("answered", 2), ("host_not_allowed", 1)] {
        let line = format!("greentic_outbound_requests_total{{reason=\"{reason}\",tenant=\"t\"}} {count}");
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    let reasons = greentic_runner_host::outbound::Reason::ALL;
    assert_eq!(outbound["failed"].as_object().unwrap().len(), reasons.len(), "every reason is there");
    running.stop().await;
}

#[tokio::test]
async fn a_component_that_asks_where_no_host_is_allowed_is_noted() {
    let data = data();
    let pack = Sources::new().component("web", "web-client").file("ask.ygtc", &flow("ask", &exec("ask", "web")));
    let pack = pack.file("pack.yaml", "pack_id: web\nversion: 1.0.0\n");
    for (bindings, noted) in
        [("", true), ("packs: { strict: true }", true), ("http: { allow: ['https://a.example'] }", false)]
    {
        let dir = data.path().join(noted.to_string() + &bindings.len().to_string());
        let running = Running::start(bindings, &pack, &[], &dir).await;
        let notes = running.host.tenant("t").unwrap().notes().to_vec();
        let note = notes.iter().find(|note| note.code() == greentic_runner_host::Code::HttpWithoutHosts);
        assert_eq!(note.is_some(), noted, "{bindings}: {notes:?}");
        running.stop().await;
    }
}

#[tokio::test]
async fn an_unknown_tenant_has_no_grants() {
    let data = data();
    let running = Running::start("", &pack(), &[], data.path()).await;
    let response = running.send(Method::GET, "/admin/grants?tenant=other", None).await;
    assert_eq!(error(response).await.1, "GRH-0600");
    let response = running.send(Method::GET, "/admin/grants?tenant=a%20b", None).await;
    assert_eq!(response.status(), 400);
    running.stop().await;
}
