//! What `new component` writes, in every language: built, checked, run, and held to one behaviour.
//!
//! The name of each test names the tool that it needs beside Rust; `cargo xtask tools` installs them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use bytes::Bytes;
use common::{say, texts};
use greentic_runner_host::abi::Prepared;
use greentic_runner_host::abi::call::Call;
use greentic_runner_host::capabilities::grants::{Grant, Grants};
use greentic_runner_host::capabilities::scope::Scope;
use greentic_runner_host::capabilities::services::Services;
use greentic_runner_host::capabilities::state_view::{Overlay, StateView};
use greentic_runner_host::conform::{Surface, Want, compare, inspect};
use greentic_runner_host::engine::limits::Limits;
use greentic_runner_host::engine::{Binary, EngineOptions};
use greentic_runner_host::id::Id;
use greentic_runner_host::pack::model::Digest;
use greentic_runner_host::session::SessionKey;
use greentic_runner_host::store::MemoryStore;
use greentic_runner_host::{HostBuilder, HostConfig, RunnerHost};
use serde_json::{Value, json};

const NAME: &str = "hello";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn runner() -> Command {
    let mut command = Command::cargo_bin("greentic-runner").unwrap();
    let tools = root().join("target/tools");
    let mut path = vec![tools.join("node_modules/.bin"), tools.join("venv/bin")];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    command.env("PATH", std::env::join_paths(path).unwrap()).env("NO_COLOR", "1").env_remove("RUST_LOG");
    command
}

/// A component made of a template.
struct Made {
    dir: tempfile::TempDir,
    host: RunnerHost,
    component: Arc<Prepared>,
    limits: Limits,
}

impl Made {
    /// Writes, builds and packs a component, and loads the pack.
    async fn of(language: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join(NAME);
        runner().args(["new", "component", "--lang", language, NAME, "--dir"]).arg(&project).assert().success();
        let mut build = runner();
        if language == "rust" {
            // What was compiled for one run of the test serves the next.
            build.env("CARGO_TARGET_DIR", root().join("target/templates"));
        }
        build.arg("build").arg(&project).assert().success();
        let pack = dir.path().join("hello.gtpack");
        runner().args(["pack", "build"]).arg(&project).arg("--output").arg(&pack).assert().success().stderr("");

        let bytes = Bytes::from(std::fs::read(project.join("components/hello.wasm")).unwrap());
        let grants: Grants = [Grant::State].into_iter().collect();
        let shape = inspect(NAME, &bytes).unwrap();
        assert_eq!(compare(&shape, Surface::host().unwrap(), grants, &[Want::Provider]).findings, []);

        let host = HostBuilder::new()
            .with_config(HostConfig::from_yaml("tenant: t\npacks: { strict: true }", "t.yaml").unwrap())
            .with_memory_store()
            .with_engine(EngineOptions {
                instances: 16,
                artifact_dir: Some(dir.path().join("compiled")),
                ..EngineOptions::default()
            })
            .build()
            .unwrap();
        host.start().await.unwrap();
        host.load_pack("t", &pack).await.unwrap();
        // Under the digest that the pack's component has, it is not compiled a second time.
        let binary = Binary { name: NAME, digest: Digest::of(&bytes).0, bytes: &bytes };
        let component = host.registry().prepare(&binary, grants).await.unwrap();
        Self { dir, host, component, limits: Limits::default() }
    }

    /// Calls an operation, with what was written before; keeps what it writes.
    async fn call(&self, op: &str, input: &Value, state: &mut Arc<Overlay>) -> Result<Value, Value> {
        let call = Call {
            scope: scope(),
            op,
            input,
            state: StateView::new(Arc::new(MemoryStore::default()), Arc::clone(state)),
            assets: None,
            services: Services::default(),
            limits: &self.limits,
            deadline: Instant::now() + Duration::from_secs(60),
            trace: false,
        };
        match self.component.invoke_provider(call).await {
            Ok(answer) => {
                Arc::make_mut(state).extend(answer.state.into_writes());
                Ok(answer.output)
            }
            Err(failure) => Err(json!([failure.value["code"], failure.value["message"]])),
        }
    }
}

fn scope() -> Scope {
    let key = SessionKey::canonical("t", "test", "session", "user");
    Scope {
        tenant: Id::from("t"),
        env: Id::from("local"),
        pack: Id::from(NAME),
        component: Id::from(NAME),
        provider: Some(Id::from(NAME)),
        flow: Id::from("main"),
        flow_type: None,
        node: Id::from("node"),
        lane: key.lane(NAME),
        session: key.shown(),
        user: None,
        locale: None,
        attempt: 1,
        idempotency_key: "key".to_owned(),
        correlation_id: "correlation".to_owned(),
    }
}

/// What every language has to do.
async fn behaves(language: &str) {
    let made = Made::of(language).await;
    describes_itself(&made).await;
    greets(&made).await;
    counts(&made).await;
    answers_in_its_flow(&made).await;
}

async fn describes_itself(made: &Made) {
    let expected = json!({ "provider_type": NAME, "capabilities": [], "ops": ["greet", "count"] });
    assert_eq!(*made.component.describe(NAME, &made.limits).await.unwrap(), expected);
    assert_eq!(made.component.healthcheck(NAME, &made.limits).await.unwrap(), json!({ "status": "ok" }));
    made.component.validate_config(NAME, &json!({ "any": "thing" }), &made.limits).await.unwrap();
}

async fn greets(made: &Made) {
    let mut state = Arc::default();
    let long = "ž".repeat(100_000);
    for name in [
        "Ada",
        "Žofie 👋 日本語",
        "a \"quote\", a \\ and a /",
        "lines\n\ttabs\u{0}\u{1}\u{7f}",
        " ",
        "{{in.text}}",
        &long,
    ] {
        let answer = made.call("greet", &json!({ "text": name }), &mut state).await;
        assert_eq!(answer, Ok(json!({ "text": format!("Hello, {name}!") })));
    }
    let among_others = json!({ "a": { "text": "no" }, "b": ["text", "]}"], "text": "Ada", "c": "text", "d": 1.5e3 });
    assert_eq!(made.call("greet", &among_others, &mut state).await, Ok(json!({ "text": "Hello, Ada!" })));

    let refused = Err(json!(["bad_input", "tell me your name"]));
    for input in [
        json!(null),
        json!({}),
        json!([]),
        json!("text"),
        json!(7),
        json!({ "text": "" }),
        json!({ "text": null }),
        json!({ "text": 5 }),
        json!({ "text": ["Ada"] }),
        json!({ "Text": "Ada" }),
        json!({ "a": { "text": "Ada" } }),
    ] {
        assert_eq!(made.call("greet", &input, &mut state).await, refused, "{input}");
    }
    let unknown = Err(json!(["unknown_op", "the operations are greet and count"]));
    for op in ["", "gree", "greeting", "Greet", "žluť"] {
        assert_eq!(made.call(op, &json!({ "text": "Ada" }), &mut state).await, unknown, "{op:?}");
    }
    assert!(state.is_empty(), "greeting writes nothing");
}

async fn counts(made: &Made) {
    let (mut state, mut other) = (Arc::default(), Arc::default());
    for expected in 1..=11 {
        assert_eq!(made.call("count", &json!({}), &mut state).await, Ok(json!({ "count": expected })));
    }
    assert_eq!(made.call("count", &Value::Null, &mut other).await, Ok(json!({ "count": 1 })), "another conversation");
    assert_eq!(state.values().cloned().collect::<Vec<_>>(), [Some(b"11".to_vec().into())], "text, as all write it");
}

async fn answers_in_its_flow(made: &Made) {
    for (session, text, reply) in [
        ("s1", "Ada", "Hello, Ada! This is message 1 of our conversation."),
        ("s1", "Žofie 👋", "Hello, Žofie 👋! This is message 2 of our conversation."),
        ("s2", "Bob", "Hello, Bob! This is message 1 of our conversation."),
        ("s2", "", "tell me your name"),
    ] {
        assert_eq!(texts(&say(&made.host, session, text).await.unwrap()), [reply]);
    }
    // The directory is as good a pack as the archive that was made of it.
    made.host.load_pack("t", &made.dir.path().join(NAME)).await.unwrap();
    let outcome = say(&made.host, "s1", "Eve").await.unwrap();
    assert_eq!(texts(&outcome), ["Hello, Eve! This is message 3 of our conversation."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_behaves() {
    behaves("rust").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c_behaves_which_needs_clang() {
    behaves("c").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn js_behaves_which_needs_componentize_qjs() {
    behaves("js").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_behaves_which_needs_componentize_py() {
    behaves("python").await;
}

/// What `cargo component build` runs, for a target that needs nothing of a system: by rustup's target, else by Debian's
/// compiler with its sources.
fn cargo_build() -> Vec<String> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let prints = |args: &[&str]| {
        let output = std::process::Command::new("rustc").args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let build = ["cargo", "build", "--release", "--target", TARGET].map(str::to_owned);
    let installed = prints(&["--print", "target-libdir", "--target", TARGET]);
    if !installed.is_empty() && Path::new(&installed).is_dir() {
        return build.into();
    }
    let linker = format!(
        "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER={}/lib/rustlib/{}/bin/rust-lld",
        prints(&["--print", "sysroot"]),
        prints(&["--print", "host-tuple"])
    );
    let debian =
        ["env", "-u", "RUSTUP_TOOLCHAIN", "RUSTC=/usr/bin/rustc", "RUSTC_BOOTSTRAP=1", &linker].map(str::to_owned);
    debian.into_iter().chain(build).chain(["-Zbuild-std=std,panic_abort".to_owned()]).collect()
}

/// The crate of `tests/projects/cargo-component`, built by a command of `build.yaml` in a pack around it.
#[tokio::test(flavor = "multi_thread")]
async fn a_crate_of_cargo_components_layout_is_built_checked_and_called() {
    let dir = tempfile::tempdir().unwrap();
    let crate_of_it = root().join("tests/projects/cargo-component");
    for file in ["Cargo.toml", "Cargo.lock", "src/lib.rs", "src/bindings.rs", "wit/world.wit"] {
        let to = dir.path().join("shouter").join(file);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(crate_of_it.join(file), to).unwrap();
    }
    let target = root().join("target/templates");
    let made = target.join("wasm32-unknown-unknown/release/shouter.wasm");
    let build = json!({ "components": { "shouter": { "dir": "shouter", "command": cargo_build(), "output": made } } });
    let flow = "id: main\ntype: messaging\nnodes:\n  shout:\n    shouter: { text: '{{in.text}}' }\n    operation: shout\n    \
                routing: [{ to: say }]\n  say:\n    emit.response: { text: '{{prev.said.TEXT}} ({{prev.for}})' }\n";
    for (name, text) in [
        ("build.yaml", build.to_string().as_str()),
        ("index.ygtc", flow),
        ("pack.yaml", "pack_id: shouting\nversion: 1.0.0\ncomponents: { shouter: { operations: [shout] } }\n"),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let mut build = runner();
    for foreign in
        ["CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "RUSTFLAGS"]
    {
        build.env_remove(foreign);
    }
    build.env("CARGO_TARGET_DIR", target).arg("build").arg(dir.path()).assert().success();
    let checked = runner().args(["check", "-v"]).arg(dir.path()).assert().code(0).get_output().clone();
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(said.contains("speaks greentic:component/node@0.4.0 (shape A)"), "{said}");

    let config = HostConfig::from_yaml("tenant: t\npacks: { strict: true }", "t.yaml").unwrap();
    let host = HostBuilder::new().with_config(config).with_memory_store().build().unwrap();
    host.start().await.unwrap();
    host.load_pack("t", dir.path()).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "Ahoj").await.unwrap()), ["AHOJ (t)"]);
    host.stop().await.unwrap();
}

#[test]
fn a_missing_tool_is_named_with_the_way_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    for (language, tool, install) in [
        ("rust", "rustc is not installed", "https://rustup.rs"),
        ("c", "a C compiler for WebAssembly is not installed", "apt-get install --no-install-recommends clang-19"),
        ("js", "npm is not installed", "https://nodejs.org"),
        ("python", "python3 is not installed", "apt-get install python3-venv"),
    ] {
        let project = dir.path().join(language);
        runner().args(["new", "component", "--lang", language, NAME, "--dir"]).arg(&project).assert().success();
        let mut build = runner();
        // An empty place: nothing is found there, whatever this machine has.
        build.env("PATH", OsString::from(dir.path())).env_remove("WASI_SDK_PATH").arg("build").arg(&project);
        let output = build.assert().code(2).get_output().clone();
        let said = String::from_utf8(output.stderr).unwrap();
        for part in ["GRH-0971", tool, install] {
            assert!(said.contains(part), "{language}: {said}");
        }
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_component_is_written_once_and_under_a_name_that_suits() {
    let dir = tempfile::tempdir().unwrap();
    let new = |name: &str| {
        let mut command = runner();
        command.current_dir(dir.path()).args(["new", "component", "--lang", "c", name]);
        command
    };
    let said = |output: &std::process::Output| String::from_utf8(output.stderr.clone()).unwrap();
    let first = new("hello").assert().success().get_output().clone();
    let files = String::from_utf8(first.stdout.clone()).unwrap();
    assert!(files.lines().all(|file| Path::new(&dir.path().join(file)).is_file()), "{files}");
    assert!(said(&first).contains("greentic-runner dev hello"), "{}", said(&first));
    let again = new("hello").assert().code(2).get_output().clone();
    assert!(said(&again).contains("exists already"), "{}", said(&again));
    let named = new("My Bot").assert().code(2).get_output().clone();
    assert!(said(&named).contains("my-bot"), "{}", said(&named));
}

#[test]
fn only_build_and_dev_run_what_a_directory_names() {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().join(NAME);
    runner().args(["new", "component", "--lang", "c", NAME, "--dir"]).arg(&project).assert().success();
    let ran = project.join("ran");
    let build = "components:\n  hello: { command: [touch, ran], output: ran }\n";
    std::fs::write(project.join("build.yaml"), build).unwrap();

    let data = dir.path().join("data");
    let run = ["run", "--input", "{}", "--data-dir", data.to_str().unwrap(), "--pack"];
    let archive = dir.path().join("hello.gtpack");
    let pack = ["pack", "build", "--output", archive.to_str().unwrap()];
    for command in [&run[..], &pack[..], &["pack", "inspect"], &["check"]] {
        let output = runner().args(command).arg(&project).output().unwrap();
        assert!(!output.status.success(), "{command:?}");
        assert!(!ran.exists(), "{command:?} ran the command");
    }
    // Whoever meets the missing component is told how to make it.
    let output = runner().args(run).arg(&project).assert().code(2).get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("GRH-0207") && said.contains("greentic-runner build DIR"), "{said}");

    let output = runner().arg("build").arg(&project).assert().code(2).get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(ran.exists() && said.contains("GRH-0973"), "an empty file is no component: {said}");
}
