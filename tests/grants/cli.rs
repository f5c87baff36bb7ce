//! `greentic-runner grants`: of a running host, and of a pack before it runs.

use std::process::{Command, Output};

use super::*;

/// A pack of components that import more than they use.
fn pack() -> Sources {
    let call = |op: &str, component: &str| {
        format!("    component.exec: {{ component: {component}, operation: {op}, input: '{{{{in.raw.body}}}}' }}")
    };
    Sources::new()
        .file("pack.yaml", "pack_id: desk\nversion: 1.0.0\n")
        .component("counter", "kv-counter")
        .component("printer", "wasi-user")
        .file("count.ygtc", &flow("count", &call("bump", "counter")))
        .file("print.ygtc", &flow("print", &call("print", "printer")))
}

const BINDINGS: &str = "
grants: [kv, telemetry, http]
wasi: { stdout: true, env: [CARGO_PKG_NAME] }
http: { allow: ['https://api.example.com'] }
";

async fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greentic-runner"));
    command.arg("grants").args(args).env_remove("RUST_LOG").env_remove("ADMIN_TOKEN");
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// With times as they are in every run.
fn without_times(text: &str) -> String {
    let is_time = |word: &str| word.len() > 19 && word.as_bytes()[4] == b'-' && word.contains('T');
    let shown = |word: &str| match is_time(word) {
        true => "TIME".to_owned() + if word.ends_with(',') { "," } else { "" },
        false => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(shown).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_host_tells_what_is_used() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(BINDINGS, &pack(), &[], data.path()).await;
    for _ in 0..3 {
        assert_eq!(running.call("print", &json!({"text": "hi"})).await.0, 200);
    }
    assert_eq!(running.call("count", &json!({"name": "visits"})).await.0, 200);
    let url = format!("http://{}", running.address);
    insta::assert_snapshot!(without_times(&stdout(&run(&["--url", &url]).await)));
    let told: Value = serde_json::from_str(&stdout(&run(&["--url", &url, "--tenant", "t", "--json"]).await)).unwrap();
    assert_eq!(told, running.get("/admin/grants").await);
    let unknown = run(&["--url", &url, "--tenant", "other"]).await;
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(unknown.status.code() == Some(1) && said.contains("GRH-0600"), "{said}");
    running.stop().await;
    let nobody = run(&["--url", &url]).await;
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("GRH-0882"), "nobody answers");
}

#[tokio::test]
async fn a_pack_is_compared_with_what_is_granted() {
    let dir = tempfile::tempdir().unwrap();
    let bindings = dir.path().join("t.yaml");
    std::fs::write(&bindings, format!("tenant: t\n{BINDINGS}")).unwrap();
    let pack = pack();
    let (path, bindings) = (pack.path().display().to_string(), bindings.display().to_string());
    insta::assert_snapshot!(stdout(&run(&["--pack", &path, "--bindings", &bindings]).await));
    let told: Value =
        serde_json::from_str(&stdout(&run(&["--pack", &path, "--bindings", &bindings, "--json"]).await)).unwrap();
    assert_eq!((&told["since"], &told["tenants"][0]["tenant"]), (&Value::Null, &json!("t")));
    let other = run(&["--pack", &path, "--bindings", &bindings, "--tenant", "x"]).await;
    assert_eq!(other.status.code(), Some(2), "{}", String::from_utf8_lossy(&other.stderr));
    let both = run(&["--pack", &path, "--url", "http://127.0.0.1:1"]).await;
    assert_eq!(both.status.code(), Some(2), "{}", String::from_utf8_lossy(&both.stderr));
}
