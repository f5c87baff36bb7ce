//! The command line as people and scripts use it: stdout, stderr, exit codes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "cli/cache.rs"]
mod cache;
#[path = "common/expected.rs"]
mod expected;
#[cfg(feature = "mcp")]
#[path = "mcp/fake.rs"]
mod fake;
#[path = "cli/ingress.rs"]
mod ingress;
#[cfg(feature = "mcp")]
#[path = "cli/mcp.rs"]
mod mcp;
#[path = "cli/trust.rs"]
mod trust;

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
    command.env_remove("PACK_PUBLIC_KEY").env_remove("PACK_VERIFY_STRICT");
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

fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

#[test]
fn a_build_takes_only_what_exists_and_names_what_the_user_named() {
    let dir = tempfile::tempdir().unwrap();
    let (sources, out) = (dir.path().join("hello"), dir.path().join("out.gtpack"));
    runner().args(["pack", "new"]).arg(&sources).assert().success();
    let build = |from: &Path, to: &Path| runner().args(["pack", "build"]).arg(from).arg("-o").arg(to).assert();

    let missing = sources.join("typo");
    let refused = stderr(&build(&missing, &out).code(2));
    assert!(refused.contains("GRH-0003") && refused.contains(missing.to_str().unwrap()), "{refused}");
    assert!(refused.contains("hint") && !out.exists(), "{refused}");
    std::fs::write(sources.join("README.md"), "x").unwrap();
    assert!(stderr(&build(&sources.join("README.md"), &out).code(2)).contains("GRH-0212"));

    let nowhere = dir.path().join("nope/x.gtpack");
    let refused = stderr(&build(&sources, &nowhere).code(2));
    assert!(refused.contains(nowhere.to_str().unwrap()) && refused.contains("hint"), "{refused}");
    assert!(!refused.contains(".pack-"), "{refused}");

    build(&sources.join("index.ygtc"), &out).success();
    let beside = ["pack", "build", "index.ygtc", "-o", "../beside.gtpack"];
    runner().current_dir(&sources).args(beside).assert().success();
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(dir.path().join("beside.gtpack")).unwrap());
    runner().current_dir(&sources).args(["pack", "inspect", "index.ygtc"]).assert().success();
}

#[test]
fn inspecting_and_building_say_which_flows_cannot_run() {
    let yaml = "pack_id: p\ncomponents:\n  echo: { operations: [echo] }\n  plain: {}\n\
                providers:\n  - { provider_type: t.echo, component: plain, ops: [send] }\n";
    let pack = Sources::of_flow("{ id: wrong, type: messaging, nodes: { a: { ecko: { operation: echo } } } }")
        .file("empty.ygtc", "{ id: empty, type: job, nodes: {} }")
        .file("plain.ygtc", "{ id: plain, type: job, nodes: { a: { plain: { text: hi } } } }")
        .file("odd.ygtc", "{ id: odd, type: job, nodes: { a: { echo: { operation: other } } } }")
        .file("mute.ygtc", "{ id: mute, type: job, nodes: { a: { provider.invoke: { provider_type: t.ecko } } } }")
        .file("pack.yaml", yaml)
        .component("echo", "echo-node")
        .component("plain", "echo-node");
    let archive = tempfile::tempdir().unwrap();
    let archive = archive.path().join("p.gtpack");
    let warned = stderr(&runner().args(["pack", "build"]).arg(pack.path()).arg("-o").arg(&archive).assert().success());
    let inspected = json_of(runner().args(["pack", "inspect", "--json"]).arg(pack.path()).assert().success());
    let notes: Vec<_> = inspected["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    let expected = [("GRH-0402", "ecko"), ("GRH-0407", "empty"), ("GRH-0309", "other"), ("GRH-0403", "t.ecko")];
    for (code, part) in expected {
        assert!(notes.iter().any(|note| note.contains(code) && note.contains(part)), "{code}: {notes:?}");
        assert!(warned.contains(code) && warned.contains(part), "{code}: {warned}");
    }
    assert_eq!(notes.len(), expected.len(), "the flow `plain` may well run: {notes:?}");
    let shown = stdout(runner().args(["pack", "inspect"]).arg(&archive).assert().success());
    assert!(shown.contains("ecko"), "{shown}");
}

#[test]
fn a_provider_is_invoked_as_a_flow_would() {
    let yaml = "pack_id: p\nproviders:\n  - provider_type: test.echo\n    component: echo\n    ops: [declared]\n    \
                config: { greeting: hello }\n";
    let pack = Sources::of_flow(ASKING).file("pack.yaml", yaml).component("echo", "echo-provider");
    let invoke = |args: &[&str]| {
        let base = ["invoke", "--provider", "test.echo", "--json", "--pack"];
        runner().args(base).arg(pack.path()).args(args).assert()
    };
    let configured = json_of(invoke(&["--op", "config"]).success());
    assert_eq!(configured["output"], json!({ "greeting": "hello" }), "{configured}");
    let own = json_of(invoke(&["--op", "config", "--input", r#"{"config": {"greeting": "mine"}}"#]).success());
    assert_eq!(own["output"]["greeting"], "mine", "{own}");
    let unknown = json_of(invoke(&["--op", "sned"]).code(2));
    assert_eq!((&unknown["ok"], &unknown["error"]["code"]), (&json!(false), &json!("GRH-0309")), "{unknown}");
    let hint = unknown["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("declared") && hint.contains("echo"), "{hint}");
}

#[test]
fn an_invocation_that_cannot_begin_is_said_in_json_too() {
    let dir = tempfile::tempdir().unwrap();
    let (gone, text) = (dir.path().join("gone.wasm"), dir.path().join("text.wasm"));
    std::fs::write(&text, "no component").unwrap();
    for (file, code) in [(&gone, "GRH-0003"), (&text, "GRH-0300"), (&dir.path().to_owned(), "GRH-0300")] {
        let args = ["invoke", "--op", "x", "--json", "--wasm"];
        let failed = json_of(runner().args(args).arg(file).assert().code(2));
        assert_eq!((&failed["ok"], &failed["error"]["code"]), (&json!(false), &json!(code)), "{failed}");
        let message = failed["error"]["message"].as_str().unwrap();
        assert!(message.contains("component") && !message.contains("pack"), "{message}");
        assert!(failed["error"]["hint"].is_string(), "{failed}");
    }
    let bad_input =
        json_of(runner().args(["invoke", "--op", "x", "--json", "--input", "{", "--wasm"]).arg(&gone).assert().code(2));
    assert_eq!(bad_input["error"]["code"], "GRH-0005");
    for choice in ["--provider", "--component"] {
        let both = ["invoke", "--op", "x", choice, "x", "--wasm"];
        let refused = runner().args(both).arg(&gone).assert().code(2);
        assert!(stderr(&refused).contains("cannot be used with"), "{}", stderr(&refused));
    }
    let help = stdout(runner().args(["invoke", "--help"]).assert().success());
    assert!(help.contains("component_error"), "{help}");
}

#[test]
fn what_the_command_says_is_not_logged_as_well_and_never_in_colour_off_a_terminal() {
    let data = tempfile::tempdir().unwrap();
    let pack = Sources::of_flow("{ id: f, type: messaging, nodes: { a: { emit.response: '{{in.nothing}}' } } }")
        .file("g.ygtc", "{ id: g, type: job, nodes: { a: { no-such: {} } } }");
    let mut command = runner();
    command.env_remove("NO_COLOR").args(["run", "--input", "{}", "--pack"]).arg(pack.path());
    let said = stderr(&command.arg("--data-dir").arg(data.path()).assert().code(1));
    for code in ["GRH-0605", "GRH-0402"] {
        assert_eq!(said.matches(code).count(), 1, "{said}");
    }
    let mut verbose = runner();
    verbose.env_remove("NO_COLOR").args(["-v", "run", "--input", "{}", "--pack"]).arg(pack.path());
    let logged = stderr(&verbose.arg("--data-dir").arg(data.path()).assert().code(1));
    assert!(logged.contains("WARN") && !logged.contains('\u{1b}'), "{logged}");
}

#[test]
fn an_empty_data_directory_counts_as_none() {
    let (pack, here) = (Sources::of_flow(ASKING), tempfile::tempdir().unwrap());
    let in_env = |dir: &str| {
        let mut command = runner();
        command.env("GREENTIC_DATA_DIR", dir).current_dir(here.path());
        command.args(["run", "--input", "{}", "--pack"]).arg(pack.path()).assert().success();
    };
    in_env("");
    assert!(here.path().join(".greentic").is_dir());
    in_env("elsewhere");
    assert!(here.path().join("elsewhere").is_dir());
    let help = stdout(runner().args(["run", "--help"]).env("GREENTIC_DATA_DIR", "").assert().success());
    assert!(help.contains("[default: $GREENTIC_DATA_DIR"), "{help}");
}

#[test]
fn names_and_paths_that_cannot_be_used_are_refused_with_a_hint() {
    let (pack, data) = (Sources::of_flow(ASKING), tempfile::tempdir().unwrap());
    let long = "x".repeat(513);
    let gone = data.path().join("nodir");
    let gone = gone.to_str().unwrap();
    let cases: [(&[&str], &str, &str); 6] = [
        (&["--session", ""], "GRH-0801", "session"),
        (&["--session", "a\nb"], "GRH-0801", "session"),
        (&["--session", &long], "GRH-0801", "session"),
        (&["--user", &long], "GRH-0801", "user"),
        (&["--components-dir", gone], "GRH-0003", gone),
        (&["--components-map", gone], "GRH-0003", "open"),
    ];
    for (args, code, part) in cases {
        let args = [args, &["--input", "{}", "--json"]].concat();
        let refused = json_of(run(&pack.path(), data.path(), &args).code(2));
        assert_eq!(refused["error"]["code"], code, "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains(part), "{refused}");
        assert!(refused["error"]["hint"].is_string(), "{refused}");
    }
    run(&pack.path(), data.path(), &["--session", "a b: ä", "--user", "ada@example.org", "--input", "{}"]).success();

    let wasm = guest_path("echo-node");
    let refused = json_of(run(&wasm, data.path(), &["--input", "{}", "--json"]).code(2));
    assert!(refused["error"]["hint"].as_str().unwrap().contains("invoke --wasm"), "{refused}");
    let flawed = Sources::of_flow("id: [");
    let refused = json_of(run(&flawed.path(), data.path(), &["--input", "{}", "--json"]).code(2));
    assert_eq!(refused["error"]["code"], "GRH-0400");
    assert!(refused["error"]["hint"].is_string(), "{refused}");
}
