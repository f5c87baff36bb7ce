//! The command line as people and scripts use it: stdout, stderr, exit codes.

mod common;

use std::path::Path;

use assert_cmd::Command;
use common::{Sources, guest_path};
use serde_json::{Value, json};

const ASKING: &str = "
id: ask
type: messaging
nodes:
  greet:
    emit.response: { text: 'Your name?' }
    routing: [{ to: wait }]
  wait:
    session.wait: { reason: a name }
    routing: [{ to: bye }]
  bye:
    emit.response: { text: 'Bye {{prev.text}}' }
";

fn runner() -> Command {
    let mut command = Command::cargo_bin("greentic-runner").unwrap();
    command.env_remove("GREENTIC_DATA_DIR").env_remove("RUST_LOG").env("NO_COLOR", "1");
    command
}

fn run(pack: &Path, data: &Path, args: &[&str]) -> assert_cmd::assert::Assert {
    runner().arg("run").arg("--pack").arg(pack).arg("--data-dir").arg(data).args(args).assert()
}

fn stdout(assert: assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

fn json_of(assert: assert_cmd::assert::Assert) -> Value {
    let text = stdout(assert);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn a_waiting_run_is_resumed_by_a_later_process() {
    let (pack, data) = (Sources::of_flow(ASKING), tempfile::tempdir().unwrap());
    let hi = ["--session", "s1", "--json", "--input", r#"{"text": "hi"}"#];
    let first = json_of(run(&pack.path(), data.path(), &hi).success());
    let expected = json!({
        "status": "waiting", "reason": "a name", "replies": [{ "text": "Your name?" }], "session": "s1",
    });
    assert_eq!(first, expected);
    let ada = ["--session", "s1", "--json", "--input", r#"{"text": "Ada"}"#];
    let second = json_of(run(&pack.path(), data.path(), &ada).success());
    assert_eq!(second, json!({ "status": "completed", "replies": [{ "text": "Bye Ada" }], "session": "s1" }));
}

#[test]
fn without_json_stdout_holds_the_replies_and_stderr_how_to_go_on() {
    let (pack, data) = (Sources::of_flow(ASKING), tempfile::tempdir().unwrap());
    let run = run(&pack.path(), data.path(), &["--session", "s1", "--input", "{}"]).success();
    assert!(String::from_utf8_lossy(&run.get_output().stderr).contains("--session s1"));
    assert_eq!(stdout(run), "Your name?\n");
}

#[test]
fn a_failing_flow_exits_1_and_bad_input_2() {
    let data = tempfile::tempdir().unwrap();
    let failing = Sources::of_flow("{ id: f, type: messaging, nodes: { a: { emit.response: '{{in.nothing}}' } } }");
    let failed = json_of(run(&failing.path(), data.path(), &["--json", "--input", "{}"]).code(1));
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["error"]["code"], "GRH-0605");
    assert!(failed["error"]["message"].as_str().unwrap().contains("in.nothing"), "{failed}");

    let good = Sources::of_flow(ASKING);
    for (args, code) in [
        (vec!["--input", "{not json"], "GRH-0005"),
        (vec!["--input-file", "no-such-file.json"], "GRH-0003"),
        (vec!["--flow", "none", "--input", "{}"], "GRH-0602"),
        (vec!["--tenant", "a b", "--input", "{}"], "GRH-0002"),
        (vec!["--components-map", "no-such-map.json", "--input", "{}"], "GRH-0003"),
    ] {
        let run = run(&good.path(), data.path(), &args).code(2);
        let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(stderr.contains(code), "{args:?}: {stderr}");
        assert_eq!(stdout(run), "", "{args:?}");
    }
    let missing = run(Path::new("no-such-pack"), data.path(), &["--json", "--input", "{}"]).code(2);
    assert_eq!(json_of(missing)["status"], "failed");
}

#[test]
fn every_command_helps_and_usage_errors_exit_2() {
    for args in [vec!["--help"], vec!["run", "--help"], vec!["invoke", "--help"], vec!["pack", "build", "--help"]] {
        let help = stdout(runner().args(&args).assert().success());
        assert!(help.contains("Usage:"), "{args:?}: {help}");
    }
    for args in [vec!["run"], vec!["frobnicate"], vec!["invoke", "--op", "x"], vec!["run", "--pack", "p", "--bogus"]] {
        runner().args(&args).assert().code(2).stdout("");
    }
}

#[test]
fn a_pack_is_made_built_inspected_and_run() {
    let dir = tempfile::tempdir().unwrap();
    let (sources, archive) = (dir.path().join("hello"), dir.path().join("hello.gtpack"));
    runner().args(["pack", "new"]).arg(&sources).assert().success();
    let built = stdout(runner().args(["pack", "build"]).arg(&sources).arg("-o").arg(&archive).assert().success());
    assert!(built.starts_with("sha256:"), "{built}");
    let first = std::fs::read(&archive).unwrap();
    runner().args(["pack", "build"]).arg(&sources).arg("-o").arg(&archive).assert().success();
    assert_eq!(std::fs::read(&archive).unwrap(), first, "the same sources give the same bytes");
    let inspection = json_of(runner().args(["pack", "inspect", "--json"]).arg(&archive).assert().success());
    assert_eq!(inspection["digest"], built.split_whitespace().next().unwrap());
    for pack in [&sources, &archive] {
        let data = tempfile::tempdir().unwrap();
        let ran = json_of(run(pack, data.path(), &["--json", "--input", r#"{"text": "hi"}"#]).success());
        assert!(!ran["replies"].as_array().unwrap().is_empty(), "{ran}");
    }
    runner().args(["pack", "new"]).arg(&sources).assert().code(2);
}

#[test]
fn a_component_is_invoked_alone_and_from_a_pack() {
    let wasm = guest_path("echo-provider");
    let input = r#"{"text": "hi"}"#;
    let alone = json_of(
        runner().args(["invoke", "--op", "echo", "--input", input, "--json", "--wasm"]).arg(&wasm).assert().success(),
    );
    assert_eq!(alone["ok"], true);
    assert!(alone["output"].to_string().contains("hi"), "{alone}");

    let yaml = "pack_id: p\nproviders:\n  - { provider_type: test.echo, component: echo, ops: [echo] }\n";
    let pack = Sources::of_flow(ASKING).file("pack.yaml", yaml).component("echo", "echo-provider");
    let args = ["invoke", "--provider", "test.echo", "--op", "echo", "--input", input, "--pack"];
    let output = json_of(runner().args(args).arg(pack.path()).assert().success());
    assert_eq!(output, alone["output"]);
    let unknown = ["invoke", "--provider", "none", "--op", "echo", "--pack"];
    let refused = runner().args(unknown).arg(pack.path()).assert().code(2);
    assert!(String::from_utf8_lossy(&refused.get_output().stderr).contains("test.echo"));
    let trap = guest_path("trapping");
    let trapped = json_of(runner().args(["invoke", "--op", "trap", "--json", "--wasm"]).arg(&trap).assert().code(1));
    assert_eq!(trapped["error"]["code"], "GRH-0503", "{trapped}");
}

#[test]
fn components_are_found_by_directory_and_map() {
    let flow = "{ id: f, type: messaging, nodes: { a: { echo: { operation: echo, text: hi } } } }";
    let yaml = "pack_id: p\ncomponents:\n  echo: {}\n";
    let pack = Sources::of_flow(flow).file("pack.yaml", yaml);
    let data = tempfile::tempdir().unwrap();
    let missing = run(&pack.path(), data.path(), &["--input", "{}"]).code(2);
    let stderr = String::from_utf8_lossy(&missing.get_output().stderr).into_owned();
    assert!(stderr.contains("echo") && stderr.contains("components"), "{stderr}");

    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(guest_path("echo-node"), elsewhere.path().join("echo.wasm")).unwrap();
    let dir = elsewhere.path().to_str().unwrap();
    let found =
        json_of(run(&pack.path(), data.path(), &["--components-dir", dir, "--input", "{}", "--json"]).success());
    assert!(found["replies"].to_string().contains("hi"), "{found}");

    let map = elsewhere.path().join("map.json");
    std::fs::write(&map, r#"{"echo": "echo.wasm"}"#).unwrap();
    let map = map.to_str().unwrap();
    run(&pack.path(), data.path(), &["--components-map", map, "--input", "{}", "--json"]).success();
}

#[test]
fn a_store_that_is_held_or_broken_is_a_coded_error() {
    let (pack, data) = (Sources::of_flow(ASKING), tempfile::tempdir().unwrap());
    let file = data.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let refused = run(&pack.path(), &file, &["--input", "{}"]).code(1);
    assert!(String::from_utf8_lossy(&refused.get_output().stderr).contains("GRH-0700"));
    let held = greentic_runner_host::store::redb::RedbStore::open(data.path()).unwrap();
    let refused = run(&pack.path(), data.path(), &["--input", "{}", "--json"]).code(1);
    assert_eq!(json_of(refused)["error"]["code"], "GRH-0701");
    drop(held);
}
