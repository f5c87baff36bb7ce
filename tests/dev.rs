//! `dev` as an author meets it: files change, and what answers changes with them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use common::guest;
use reqwest::Client;
use serde_json::{Value, json};

const FLOW: &str = "
id: main
type: messaging
nodes:
  ask:
    emit.response: { text: 'Your name?' }
    routing: [{ to: wait }]
  wait:
    session.wait: { reason: a name }
    routing: [{ to: say }]
  say:
    provider.invoke: { provider_id: echo, op: echo, input: { text: 'Hello {{in.text}}' } }
    routing: [{ to: answer }]
  answer:
    emit.response: { text: '{{prev.text}}' }
";

const PACK: &str = "
pack_id: greeter
version: 0.1.0
providers: [{ provider_type: echo, component: echo }]
";

/// The component's \"compiler\" copies a file, so that the test decides what it makes.
const BUILD: &str = "
components:
  echo: { command: [cp, echo.source, made.out], output: made.out }
";

/// A directory that is worked on, and the program that watches it.
struct Dev {
    dir: tempfile::TempDir,
    process: Child,
    lines: BufReader<ChildStdout>,
    url: String,
    client: Client,
}

impl Dev {
    fn start() -> Self {
        let texts = [("index.ygtc", FLOW), ("pack.yaml", PACK), ("build.yaml", BUILD)];
        Self::with(&texts, "echo-provider", Stdio::null())
    }

    fn with(texts: &[(&str, &str)], source: &str, log: Stdio) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in texts {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        std::fs::write(dir.path().join("echo.source"), guest(source)).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_greentic-runner"))
            .args(["dev", "--port", "0"])
            .arg(dir.path())
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let mut url = String::new();
        lines.read_line(&mut url).unwrap();
        greentic_runner_host::net::tls::install();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { dir, process, lines, url: url.trim().to_owned(), client }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Changes a file as editors do, at once and as a whole, and answers what became of it.
    fn write(&mut self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        replace(&self.path(name), bytes);
        self.next()
    }

    /// The next version: `loaded PACK VERSION`, or `failed CODE`.
    fn next(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        let words: Vec<_> = line.split_whitespace().take(3).collect();
        words.join(" ")
    }

    /// Says something and answers all that the bot has said in this conversation after `known` messages.
    async fn say(&self, conversation: &str, text: &str, known: usize) -> Vec<String> {
        let activity =
            json!({"type": "message", "conversation": {"id": conversation}, "from": {"id": "me"}, "text": text});
        let url = format!("{}/webchat/activities?wait=true", self.url);
        self.client.post(url).json(&activity).send().await.unwrap();
        let url = format!("{}/webchat/conversations/{conversation}/stream", self.url);
        let mut stream = self.client.get(url).send().await.unwrap();
        let mut received = String::new();
        loop {
            let said: Vec<_> = received
                .split_inclusive("\n\n")
                .filter(|event| event.ends_with("\n\n"))
                .filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")))
                .map(|data| serde_json::from_str::<Value>(data).unwrap()["text"].as_str().unwrap().to_owned())
                .collect();
            if said.len() > known {
                return said[known..].to_vec();
            }
            let chunk = stream.chunk().await.unwrap().unwrap();
            received.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[tokio::test]
async fn changes_are_used_at_once_and_conversations_go_on() {
    let mut dev = Dev::start();
    assert_eq!(dev.next(), "loaded greeter 0.1.0");
    assert_eq!(dev.say("c-1", "hi", 0).await, ["Your name?"]);

    // The flow changes while a conversation waits in it.
    let changed = FLOW.replace("Hello {{in.text}}", "Welcome {{in.text}}");
    assert_eq!(dev.write("index.ygtc", &changed), "loaded greeter 0.1.0");
    assert_eq!(dev.say("c-1", "Ada", 1).await, ["Welcome Ada"]);

    // What is broken is said, and the last good version answers.
    assert_eq!(dev.write("index.ygtc", changed.replace("to: say", "to: nowhere")), "failed GRH-0301");
    assert_eq!(dev.write("index.ygtc", "id: main\nnodes: ["), "failed GRH-0400");
    assert_eq!(dev.say("c-2", "hi", 0).await, ["Your name?"]);
    assert_eq!(dev.write("index.ygtc", &changed), "loaded greeter 0.1.0");
    assert_eq!(dev.say("c-2", "Bob", 1).await, ["Welcome Bob"]);
}

#[tokio::test]
async fn a_component_is_built_when_its_sources_change() {
    let mut dev = Dev::start();
    assert_eq!(dev.next(), "loaded greeter 0.1.0");
    let built = dev.path("components/echo.wasm");
    let good = std::fs::read(&built).unwrap();

    assert_eq!(dev.write("echo.source", "no WebAssembly"), "failed GRH-0973");
    assert_eq!(std::fs::read(&built).unwrap(), good, "what was built before stays");
    assert_eq!(dev.write("echo.source", guest("empty")), "failed GRH-0301", "it exports nothing");
    assert_eq!(dev.write("echo.source", guest("legacy-provider")), "loaded greeter 0.1.0");
    assert_eq!(std::fs::read(&built).unwrap(), guest("legacy-provider"));
    assert_eq!(dev.say("c", "hi", 0).await, ["Your name?"]);
    assert_eq!(dev.say("c", "Ada", 1).await, ["Hello Ada"]);

    // A file that came from elsewhere is as good as one that was built here, until the sources change again.
    assert_eq!(dev.write("build.yaml", BUILD.replace("cp", "no-such-compiler")), "failed GRH-0971");
    assert_eq!(dev.write("build.yaml", "components: 7"), "failed GRH-0970");
    assert_eq!(dev.write("build.yaml", BUILD.replace("cp,", "'false',")), "failed GRH-0972");
    assert_eq!(dev.write("build.yaml", BUILD), "loaded greeter 0.1.0");
}

#[tokio::test]
async fn a_component_in_another_directory_is_watched_too() {
    let elsewhere = tempfile::tempdir().unwrap();
    // There, what would be of the pack or a tool's own in the pack's directory is a source like any other.
    let sources = ["echo.source", "assets/echo.source", "src/build/echo.source"];
    for source in sources.map(|source| elsewhere.path().join(source)) {
        std::fs::create_dir_all(source.parent().unwrap()).unwrap();
        std::fs::write(source, guest("echo-provider")).unwrap();
    }
    let mut dev = Dev::start();
    assert_eq!(dev.next(), "loaded greeter 0.1.0");
    let dir = relative(elsewhere.path(), dev.dir.path());
    for source in sources {
        let build =
            format!("components:\n  echo: {{ dir: {dir:?}, command: [cp, {source}, made.out], output: made.out }}\n");
        assert_eq!(dev.write("build.yaml", build), "loaded greeter 0.1.0", "{source}");
        replace(&elsewhere.path().join(source), guest("echo-node"));
        assert_eq!(dev.next(), "failed GRH-0301", "{source}: a node is no provider");
    }
}

#[tokio::test]
async fn what_components_log_is_in_view() {
    let flow = "id: main\ntype: messaging\nnodes:\n  log:\n    echo: { level: warn, said: '{{in.text}}' }\n    operation: log\n    \
                routing: [{ to: answer }]\n  answer:\n    emit.response: { text: logged }\n";
    let log = tempfile::NamedTempFile::new().unwrap();
    let texts = [("index.ygtc", flow), ("pack.yaml", "pack_id: greeter\nversion: 0.1.0\n"), ("build.yaml", BUILD)];
    let mut dev = Dev::with(&texts, "logger", log.reopen().unwrap().into());
    assert_eq!(dev.next(), "loaded greeter 0.1.0");
    let seen = || std::fs::read_to_string(log.path()).unwrap();
    assert!(seen().contains("built echo, ") && seen().contains("built and loaded in "), "{}", seen());
    assert_eq!(dev.say("c", "first\nwords", 0).await, ["logged"]);
    // It is written before the answer, and says whose it is.
    let line = seen().lines().find(|line| line.contains("greentic::guest")).map(str::to_owned).unwrap_or_else(&seen);
    for part in ["WARN", "said=first\\nwords", "component=echo", "flow=main", "node=log"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    // So is why a version is not taken.
    assert!(dev.write("index.ygtc", flow.replace("echo:", "ekho:")).starts_with("failed GRH-0"));
    assert!(seen().contains("did you mean \"echo\"?"), "{}", seen());
}

fn replace(file: &Path, bytes: impl AsRef<[u8]>) {
    let partial = file.with_file_name(".partial");
    std::fs::write(&partial, bytes).unwrap();
    std::fs::rename(partial, file).unwrap();
}

/// `path` as seen from `base`, both being directories in the same one.
fn relative(path: &Path, base: &Path) -> PathBuf {
    assert_eq!(path.parent(), base.parent());
    Path::new("..").join(path.file_name().unwrap())
}
