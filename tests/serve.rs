//! `serve` as an operator runs it: the program with bindings and packs, its report, its routes, its end.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "serve/secrets.rs"]
mod secrets;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use reqwest::{Client, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

const OPEN: &str = "
tenant: open
flow_type_bindings:
  messaging: { adapter: webchat, config: { insecure: true } }
  webhook: { adapter: generic, config: { deny_paths: [/webhook/secret] } }
";

const CHAT: &str = "
id: chat
type: messaging
nodes:
  ask:
    emit.response: { text: 'Hello {{in.text}}, your name?', buttons: [Ada] }
    routing: [{ to: wait }]
  wait:
    session.wait: { reason: a name }
    routing: [{ to: bye }]
  bye:
    emit.response: { text: 'Bye {{in.text}} of {{in.session.key}}' }
";

const HOOK: &str = "
id: hook
type: http
nodes:
  answer:
    emit.response:
      status: 201
      headers: { x-flow: hook }
      body: { got: '{{in.raw.body}}', method: '{{in.raw.method}}', key: '{{in.session.key}}' }
";

const SECRET: &str = "
id: secret
type: http
nodes:
  answer:
    emit.response: never
";

struct Serving {
    dir: TempDir,
    process: Child,
    url: String,
    client: Client,
    /// What it prints to stderr. It is read from the start: a program whose log nobody reads stands still at some time.
    log: Option<JoinHandle<String>>,
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

/// Puts a compiled guest into the pack `pack` as the component `id`.
fn add_guest(dir: &Path, guest: &str, id: &str) {
    std::fs::create_dir_all(dir.join("pack/components")).unwrap();
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/guests/{guest}.wasm"));
    std::fs::copy(guest, dir.join(format!("pack/components/{id}.wasm"))).unwrap();
}

fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greentic-runner"));
    let packs = ["SOURCE", "INDEX_URL", "CACHE_DIR", "PUBLIC_KEY", "VERIFY_STRICT", "REFRESH_INTERVAL"];
    for name in packs {
        command.env_remove(format!("PACK_{name}"));
    }
    for name in ["PORT", "DEFAULT_TENANT", "TENANT_RESOLVER", "ADMIN_TOKEN", "GREENTIC_DATA_DIR", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").current_dir(dir).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Serving {
    /// Serves the tenant `open` with all flows, and the tenant `closed`, whose bindings open nothing, with one.
    fn start() -> Self {
        Self::with(&[])
    }

    /// The same, with these environment variables.
    fn with(vars: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "open.yaml", OPEN);
        write(dir.path(), "closed.yaml", "tenant: closed");
        write(dir.path(), "pack/index.ygtc", CHAT);
        write(dir.path(), "pack/hook.ygtc", HOOK);
        write(dir.path(), "pack/secret.ygtc", SECRET);
        write(dir.path(), "other/index.ygtc", CHAT);
        Self::of(dir, "--bindings open.yaml closed.yaml --pack open=pack closed=other", vars)
    }

    /// Serves what the arguments say.
    fn of(dir: TempDir, arguments: &str, vars: &[(&str, &str)]) -> Self {
        let arguments = format!("serve {arguments} --port 0 --listen 127.0.0.1");
        let process = program(dir.path()).args(arguments.split(' ')).envs(vars.iter().copied()).spawn().unwrap();
        Self::started(dir, process)
    }

    /// A program that was started, once it says where it serves.
    fn started(dir: TempDir, mut process: Child) -> Self {
        let mut stderr = process.stderr.take().unwrap();
        let log = thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        let mut url = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        greentic_runner_host::net::tls::install();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { dir, process, url: url.trim().to_owned(), client, log: Some(log) }
    }

    async fn say(&self, conversation: &str, user: &str, text: &str) -> Response {
        let activity =
            json!({"type": "message", "conversation": {"id": conversation}, "from": {"id": user}, "text": text});
        let url = format!("{}/t/open/webchat/activities", self.url);
        self.client.post(url).json(&activity).send().await.unwrap()
    }

    /// The first `count` replies of a conversation, as they are streamed.
    async fn replies(&self, conversation: &str, count: usize) -> Vec<Value> {
        let url = format!("{}/t/open/webchat/conversations/{conversation}/stream", self.url);
        let mut stream = self.client.get(url).send().await.unwrap();
        let mut text = String::new();
        while text.matches("\n\n").count() < count {
            text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
        }
        text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect()
    }

    async fn hook(&self, path: &str, key: &str) -> Response {
        let request = self.client.post(format!("{}/t/open/webhook/{path}", self.url)).header("Idempotency-Key", key);
        request.json(&json!({"n": 1})).send().await.unwrap()
    }

    /// Ends it as an operator does; answers the exit code and what it printed to stderr.
    fn stop(mut self) -> (Option<i32>, String) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.process.wait().unwrap();
        (status.code(), self.log.take().unwrap().join().unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[tokio::test]
async fn a_conversation_goes_there_and_back() {
    let serving = Serving::start();
    assert_eq!(serving.say("c", "u:1", "hi").await.status(), 202);
    let first = serving.replies("c", 1).await;
    assert_eq!(first[0]["text"], "Hello hi, your name?");
    assert_eq!(first[0]["suggestedActions"]["actions"][0]["value"], "Ada");
    serving.say("c", "u:1", "Ada").await;
    assert_eq!(serving.replies("c", 2).await[1]["text"], "Bye Ada of open:webchat:c:u:1");
    // Another user of the same conversation has a session of his own.
    serving.say("c", "u", "ho").await;
    assert_eq!(serving.replies("c", 3).await[2]["text"], "Hello ho, your name?");
}

#[tokio::test]
async fn an_activity_that_comes_twice_acts_once() {
    let serving = Serving::start();
    let activity =
        json!({"type": "message", "id": "c|1", "conversation": {"id": "c"}, "from": {"id": "u"}, "text": "hi"});
    let url = format!("{}/t/open/webchat/activities", serving.url);
    for _ in 0..3 {
        assert_eq!(serving.client.post(&url).json(&activity).send().await.unwrap().status(), 202);
    }
    serving.say("c", "u", "Ada").await;
    let replies = serving.replies("c", 2).await;
    let texts: Vec<_> = replies.iter().map(|reply| reply["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["Hello hi, your name?", "Bye Ada of open:webchat:c:u"]);
}

#[tokio::test]
async fn a_webhook_answers_with_its_flows_result() {
    let serving = Serving::start();
    let first = serving.hook("hook", "k1").await;
    assert_eq!((first.status().as_u16(), &first.headers()["x-flow"]), (201, &"hook".parse().unwrap()));
    let body: Value = first.json().await.unwrap();
    assert_eq!(body, json!({"got": {"n": 1}, "method": "POST", "key": "open:webhook:hook:k1"}));
    let again = serving.hook("hook", "k1").await;
    assert_eq!(again.status(), 201);
    assert_eq!(again.json::<Value>().await.unwrap(), body);
    // A fresh session for each request without a key.
    let bare = || serving.client.get(format!("{}/t/open/webhook/hook", serving.url)).send();
    let (one, two): (Value, Value) =
        (bare().await.unwrap().json().await.unwrap(), bare().await.unwrap().json().await.unwrap());
    assert_eq!(one["method"], "GET");
    assert_ne!(one["key"], two["key"]);
}

#[tokio::test]
async fn what_the_bindings_do_not_open_is_closed() {
    let serving = Serving::start();
    let status = async |path: &str| {
        let response = serving.client.get(format!("{}{path}", serving.url)).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap()["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(status("/t/open/webhook/secret").await, (403, "GRH-0803".into()));
    assert_eq!(status("/t/open/webhook/nothing").await, (404, "GRH-0602".into()));
    assert_eq!(status("/t/closed/webhook/chat").await, (403, "GRH-0805".into()));
    assert_eq!(status("/webhook/hook").await, (404, "GRH-0600".into()));
    assert_eq!(status("/healthz").await, (200, String::new()));
}

#[tokio::test]
async fn it_reports_what_is_open_and_ends_well() {
    let serving = Serving::start();
    serving.say("c", "u", "hi").await;
    serving.replies("c", 1).await;
    assert!(serving.dir.path().join(".greentic").is_dir());
    let (code, report) = serving.stop();
    assert_eq!(code, Some(0), "{report}");
    for expected in [
        "tenant open: pack",
        "POST /webchat/activities     OPEN: not verified (insecure: true)",
        "ANY /webhook/{flow_id}       OPEN: by allow_paths and deny_paths only",
        "off, because not bound: ",
        "nothing reaches this tenant",
        "flows: chat, hook, secret",
        "data in .greentic",
    ] {
        assert!(report.contains(expected), "{expected}: {report}");
    }
}

#[tokio::test]
async fn timers_start_flows_and_operators_see_them() {
    let dir = tempfile::tempdir().unwrap();
    let bindings = "
tenant: acme
timers:
  - { flow_id: tick, cron: '* * * * * *', timezone: europe/berlin }
  - { flow_id: tock, cron: '@yearly', schedule_id: new year }
";
    write(dir.path(), "acme.yaml", bindings);
    write(dir.path(), "pack/index.ygtc", "{ id: tick, type: job, nodes: { a: { emit.log: ticked } } }");
    let serving = Serving::of(dir, "--bindings acme.yaml --pack pack", &[]);
    let timers = loop {
        let response = serving.client.get(format!("{}/admin/timers", serving.url)).send().await.unwrap();
        let shown: Value = response.json().await.unwrap();
        let timers = shown["tenants"][0]["timers"].clone();
        if timers[0]["counts"]["on_time"].as_u64().unwrap() > 0 {
            break timers;
        }
    };
    assert_eq!((&timers[0]["cron"], &timers[0]["timezone"]), (&json!("* * * * * *"), &json!("Europe/Berlin")));
    assert_eq!(timers[0]["next"].as_array().unwrap().len(), 5);
    assert!(timers[0]["last"]["event"].as_u64().unwrap() > 0);
    assert_eq!((&timers[1]["written"], &timers[1]["cron"]), (&json!("@yearly"), &json!("0 0 0 1 1 *")));
    let (code, report) = serving.stop();
    assert_eq!(code, Some(0), "{report}");
    for expected in [
        "timer tick: flow tick at * * * * * * (Europe/Berlin), next 2",
        "timer new year: flow tock at 0 0 0 1 1 * (UTC), next 2",
        "note: timer new year starts nothing now: there is no flow \"tock\"; its times stay due",
    ] {
        assert!(report.contains(expected), "{expected}: {report}");
    }
    assert!(!report.contains("nothing reaches this tenant"), "{report}");
}

#[test]
fn what_cannot_be_served_is_said_with_exit_code_2() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.yaml", "tenant: a");
    write(dir.path(), "b.yaml", "tenant: b");
    write(dir.path(), "pack/index.ygtc", CHAT);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (arguments, expected) in [
        ("serve".to_owned(), "--pack"),
        ("serve --pack missing".to_owned(), "missing"),
        ("serve --pack pack --bindings none.yaml".to_owned(), "none.yaml"),
        ("serve --pack pack --bindings a.yaml b.yaml".to_owned(), "TENANT=PATH"),
        ("serve --pack pack pack --bindings a.yaml".to_owned(), "two packs"),
        (format!("serve --pack pack --listen 127.0.0.1 --port {port}"), "cannot listen"),
        (format!("demo --port {port}"), "cannot listen"),
    ] {
        let output = program(dir.path()).args(arguments.split(' ')).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {stderr}");
        assert!(stderr.contains(expected), "{arguments}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments}");
    }
}

/// Serves what a `.gtbind` file names, beside bindings of the same tenant.
fn serve_bound(dir: &Path, pack_ref: &str) -> Child {
    write(dir, "acme.yaml", "tenant: acme\nflow_type_bindings:\n  webhook: { adapter: generic }\n");
    write(dir, "pack/hook.ygtc", HOOK);
    write(dir, "pack/pack.yaml", "pack_id: acme.hooks\nversion: 1.2.0\n");
    let pack = format!(
        "tenant: acme\npack_id: acme.hooks\npack_ref: {pack_ref}\npack_locator: pack\nflows: [{{ id: hook }}]\n"
    );
    write(dir, "acme.gtbind", &pack);
    let arguments = "serve --bindings acme.yaml acme.gtbind --port 0 --listen 127.0.0.1";
    program(dir).args(arguments.split(' ')).spawn().unwrap()
}

#[tokio::test]
async fn a_gtbind_file_says_which_pack_its_tenant_serves() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = serve_bound(dir.path(), "acme.hooks@1.2.0");
    let mut url = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
    greentic_runner_host::net::tls::install();
    let client = Client::builder().no_proxy().build().unwrap();
    let answer = client.post(format!("{}/t/acme/webhook/hook", url.trim())).json(&json!({"n": 1})).send().await;
    process.kill().unwrap();
    process.wait().unwrap();
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.json::<Value>().await.unwrap()["got"], json!({"n": 1}));
}

#[test]
fn a_gtbind_file_that_means_another_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let output = serve_bound(dir.path(), "acme.hooks@2.0.0").wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("GRH-0233") && stderr.contains("2.0.0"), "{stderr}");
}

#[tokio::test]
async fn an_operator_sees_what_runs_and_reloads_it() {
    let serving =
        Serving::with(&[("ADMIN_TOKEN", "canary-token"), ("RUST_LOG", "greentic_runner_host=debug,audit=debug")]);
    let call = async |method: &str, path: &str| {
        let request = serving.client.request(method.parse().unwrap(), format!("{}{path}", serving.url));
        request.bearer_auth("canary-token").send().await.unwrap()
    };
    assert_eq!(serving.client.get(format!("{}/admin/packs/status", serving.url)).send().await.unwrap().status(), 401);
    assert_eq!(call("GET", "/readyz").await.status(), 200);
    let status: Value = call("GET", "/admin/packs/status").await.json().await.unwrap();
    let tenants: Vec<_> = status["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["tenant"]).collect();
    assert_eq!((json!(tenants), &status["active"]), (json!(["closed", "open"]), &json!(2)));
    assert!(status["tenants"][1]["digest"].as_str().unwrap().starts_with("sha256:"));

    let asked = call("POST", "/admin/packs/reload").await;
    assert_eq!(asked.status(), 202);
    let asked: Value = asked.json().await.unwrap();
    let path = format!("/admin/packs/reloads/{}", asked["id"].as_str().unwrap());
    let report = loop {
        let report: Value = call("GET", &path).await.json().await.unwrap();
        if report["state"] != "running" {
            break report;
        }
    };
    assert_eq!((&report["state"], &report["tenants"][0]["outcome"]), (&json!("done"), &json!("unchanged")), "{report}");

    let audit = std::fs::read_to_string(serving.dir.path().join(".greentic/audit.log")).unwrap();
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["outcome"], &lines[1]["outcome"]), (2, &json!("begun"), &json!("done")));
    assert_eq!(lines[1]["reload"], asked["id"]);
    let (_, log) = serving.stop();
    assert!(log.contains("/admin with ADMIN_TOKEN") && !log.contains("canary"), "{log}");
}

#[tokio::test]
async fn the_environment_says_how_tenants_are_found() {
    let serving = Serving::with(&[("TENANT_RESOLVER", "HOST")]);
    let say = async |host: &str| {
        let activity = json!({"type": "message", "conversation": {"id": "c"}, "from": {"id": "u"}, "text": "hi"});
        let request = serving.client.post(format!("{}/webchat/activities", serving.url)).header("host", host);
        request.json(&activity).send().await.unwrap().status().as_u16()
    };
    assert_eq!(say("open.bots.example:8443").await, 202);
    assert_eq!(say("closed.bots.example").await, 403);
    assert_eq!(say("nobody.bots.example").await, 404);
}

#[test]
fn a_way_to_find_tenants_that_cannot_work_is_said_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "pack/index.ygtc", CHAT);
    let jwt = [
        ("TENANT_RESOLVER", "jwt"),
        ("TENANT_JWT_ALGORITHM", "RS256"),
        ("TENANT_JWT_ISSUER", "i"),
        ("TENANT_JWT_AUDIENCE", "a"),
        ("TENANT_JWT_KEY_FILE", "missing.pem"),
    ];
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[("TENANT_RESOLVER", "cookie")], "TENANT_RESOLVER"),
        (&[("TENANT_RESOLVER", "header")], "TRUSTED_PROXIES"),
        (&jwt, "GRH-0813"),
    ];
    for (vars, named) in cases {
        let mut command = program(dir.path());
        command.args(["serve", "--pack", "pack", "--port", "0"]).envs(vars.iter().copied());
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(named), "{vars:?}: {said}");
    }
}

/// A host of the tenant `demo` whose packs the environment names, in a directory of an index and packs.
struct Indexed {
    serving: Serving,
}

impl Indexed {
    /// Publishes the pack `acme.bot` of this version, which answers `text`.
    fn publish(dir: &Path, version: &str, text: &str) -> String {
        let sources = dir.join("sources");
        write(&sources, "pack.yaml", &format!("pack_id: acme.bot\nversion: {version}\n"));
        let flow =
            format!("{{ id: chat, type: messaging, nodes: {{ a: {{ emit.response: {{ text: '{text}' }} }} }} }}");
        write(&sources, "index.ygtc", &flow);
        let name = format!("bot-{version}.gtpack");
        let built = program(dir).args(["pack", "build", "sources", "-o", &name]).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        name
    }

    fn list(dir: &Path, name: &str, extra: &str) {
        let version = name.trim_start_matches("bot-").trim_end_matches(".gtpack");
        let main =
            format!(r#"{{ "reference": {{ "name": "bot", "version": "{version}" }}, "path": "./{name}"{extra} }}"#);
        write(dir, "new.json", &format!(r#"{{ "tenants": {{ "demo": {{ "main_pack": {main} }} }} }}"#));
        std::fs::rename(dir.join("new.json"), dir.join("index.json")).unwrap();
    }

    fn start(dir: TempDir, vars: &[(&str, &str)]) -> Self {
        let bindings =
            "tenant: demo\nflow_type_bindings: { messaging: { adapter: webchat, config: { insecure: true } } }";
        write(dir.path(), "demo.yaml", bindings);
        let mut command = program(dir.path());
        command.args("serve --bindings demo.yaml --port 0 --listen 127.0.0.1".split(' '));
        let process = command.env("PACK_INDEX_URL", "index.json").envs(vars.iter().copied()).spawn().unwrap();
        Self { serving: Serving::started(dir, process) }
    }

    async fn get(&self, path: &str) -> Value {
        self.serving.client.get(format!("{}{path}", self.serving.url)).send().await.unwrap().json().await.unwrap()
    }

    /// Asks for a reload, and waits until it has ended.
    async fn reload(&self) -> Value {
        let url = format!("{}/admin/packs/reload", self.serving.url);
        let asked = self.serving.client.post(url).send().await.unwrap();
        assert_eq!(asked.status(), 202);
        let id = asked.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
        loop {
            let report = self.get(&format!("/admin/packs/reloads/{id}")).await;
            if report["state"] != "running" {
                return report;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn the_environment_says_which_packs_run() {
    let dir = tempfile::tempdir().unwrap();
    Indexed::list(dir.path(), &Indexed::publish(dir.path(), "1.0.0", "one"), "");
    let host = Indexed::start(dir, &[("PACK_CACHE_DIR", "kept"), ("PACK_REFRESH_INTERVAL", "1h")]);
    let dir = host.serving.dir.path();
    let status = host.get("/admin/packs/status").await;
    let tenant = &status["tenants"][0];
    assert_eq!((&tenant["pack_id"], &tenant["version"]), (&json!("acme.bot"), &json!("1.0.0")));
    assert_eq!((&tenant["last_error"], &status["active"]), (&json!(null), &json!(1)));
    assert!(dir.join("kept/compiled").is_dir(), "compiled components lie beside the packs");
    assert_eq!(host.get("/healthz").await["status"], "ok");

    Indexed::list(dir, &Indexed::publish(dir, "1.1.0", "two"), "");
    let report = host.reload().await;
    assert_eq!(report["state"], "done", "{report}");
    assert_eq!(host.get("/admin/packs/status").await["tenants"][0]["version"], "1.1.0");

    // A bad one takes nobody down, and the status says why it is not there.
    Indexed::list(
        dir,
        "bot-1.1.0.gtpack",
        r#", "digest": "sha256:0000000000000000000000000000000000000000000000000000000000000000""#,
    );
    let report = host.reload().await;
    assert_eq!((&report["state"], &report["tenants"][0]["error"]["code"]), (&json!("failed"), &json!("GRH-0209")));
    let status = host.get("/admin/packs/status").await;
    assert_eq!(status["tenants"][0]["version"], "1.1.0");
    assert_eq!(status["tenants"][0]["last_error"]["code"], "GRH-0209");
    let audit = std::fs::read_to_string(dir.join(".greentic/audit.log")).unwrap();
    assert_eq!(audit.matches("packs.reload").count(), 4, "begun and done, twice: {audit}");
    let (code, report) = host.serving.stop();
    assert_eq!(code, Some(0), "{report}");
}

#[tokio::test]
async fn a_host_that_takes_signed_packs_only_serves_without_others() {
    const KEY: &str = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let dir = tempfile::tempdir().unwrap();
    Indexed::list(dir.path(), &Indexed::publish(dir.path(), "1.0.0", "one"), "");
    let strict = Indexed::start(dir, &[("PACK_PUBLIC_KEY", KEY)]);
    let ready = strict.serving.client.get(format!("{}/readyz", strict.serving.url)).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.json::<Value>().await.unwrap()["reasons"][0]["code"], "GRH-0241");
    assert_eq!(strict.get("/healthz").await["status"], "degraded");

    let dir = tempfile::tempdir().unwrap();
    Indexed::list(dir.path(), &Indexed::publish(dir.path(), "1.0.0", "one"), "");
    let lenient = Indexed::start(dir, &[("PACK_PUBLIC_KEY", KEY), ("PACK_VERIFY_STRICT", "0")]);
    assert_eq!(
        lenient.get("/admin/packs/status").await["tenants"][0]["verification"]["pack_signature"]["result"],
        "absent"
    );
    assert_eq!(lenient.get("/readyz").await["ready"], true);
}

#[test]
fn what_says_no_pack_is_told_both_ways() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], vars: &[(&str, &str)]| {
        let output = program(dir.path()).arg("serve").args(arguments).envs(vars.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let neither = run(&[], &[]);
    assert!(
        neither.contains("GRH-0006") && neither.contains("--pack") && neither.contains("PACK_INDEX_URL"),
        "{neither}"
    );
    let both = run(&["--pack", "a.gtpack", "--index", "index.json"], &[]);
    assert!(both.contains("GRH-0006") && both.contains("--index"), "{both}");
    assert!(run(&[], &[("PACK_INDEX_URL", "gone/index.json")]).contains("GRH-1002"));
    assert!(run(&["--index", "http://packs.example.com/index.json"], &[]).contains("GRH-1001"), "http takes leave");
    let vars = [("PACK_SOURCE", "ftp"), ("PACK_REFRESH_INTERVAL", "soon"), ("PACK_VERIFY_STRICT", "maybe")];
    let wrong = run(&[], &vars);
    assert!(vars.iter().all(|(name, _)| wrong.contains(name)), "{wrong}");
}

#[tokio::test]
async fn metrics_are_text_for_operators() {
    let serving = Serving::with(&[("ADMIN_TOKEN", "s3cret")]);
    let url = format!("{}/metrics", serving.url);
    assert_eq!(serving.client.get(&url).send().await.unwrap().status(), 401);
    assert_eq!(serving.say("c", "u:1", "hi").await.status(), 202);
    serving.replies("c", 1).await;
    let answer = serving.client.get(&url).bearer_auth("s3cret").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    for line in [
        "# TYPE greentic_event_duration_seconds histogram",
        "greentic_events_total{outcome=\"accepted\",provider=\"webchat\",tenant=\"open\"} 1",
        "greentic_packs_active 2",
        "greentic_stored{kind=\"waits\"} 1",
        "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_response_status_code=\"401\",http_route=\"/metrics\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("u:1"), "no metric names a user");
}

const ASKING: &str = "
id: asking
type: http
nodes:
  ask:
    component.exec: { component: web, operation: ask, input: { by: http-client@1.1.0, url: '{{in.raw.body.url}}' } }
    routing: [{ to: tell }]
  tell:
    emit.response: { body: '{{node.ask}}' }
";

#[tokio::test]
async fn what_components_ask_goes_through_no_proxy() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let direct = axum::Router::new().fallback(|| async { "direct" });
    tokio::spawn(async move { axum::serve(listener, direct).await });
    let dir = tempfile::tempdir().unwrap();
    let webhook = "flow_type_bindings: { webhook: { adapter: generic, config: { insecure: true } } }";
    write(dir.path(), "open.yaml", &format!("tenant: open\n{webhook}\nhttp: {{ allow: ['http://{address}'] }}\n"));
    write(dir.path(), "pack/asking.ygtc", ASKING);
    add_guest(dir.path(), "web-client", "web");
    // A proxy would look names up itself, and so connect to what nobody judged. Nobody listens there.
    let proxies = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map(|name| (name, "http://127.0.0.1:9"));
    let serving = Serving::of(dir, "--bindings open.yaml --pack open=pack", &proxies);
    let url = format!("{}/t/open/webhook/asking", serving.url);
    let asked = serving.client.post(url).json(&json!({ "url": format!("http://{address}/") })).send().await.unwrap();
    let answer: Value = asked.json().await.unwrap();
    assert_eq!(answer["body"], "direct", "{answer}");
}

const TOKEN: &str = "
id: token
type: http
nodes:
  ask:
    component.exec: { component: tokens, operation: token, input: { provider: p, subject: u } }
    routing: [{ to: tell }]
  tell:
    emit.response: { body: done }
";

#[tokio::test]
async fn a_broker_is_asked_for_the_environment_of_the_bindings_or_else_of_the_host() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let broker = axum::Router::new().fallback(move |body: String| {
        tell.send(serde_json::from_str::<Value>(&body).unwrap()).unwrap();
        async { r#"{"access_token":"a"}"# }
    });
    tokio::spawn(async move { axum::serve(listener, broker).await });
    let own = ("GREENTIC_ENV", "staging");
    for (block, vars, env) in
        [("", &[own][..], "staging"), (", env: prod", &[own], "prod"), ("", &[("GREENTIC_ENV", "")], "local")]
    {
        let dir = tempfile::tempdir().unwrap();
        let webhook = "flow_type_bindings: { webhook: { adapter: generic, config: { insecure: true } } }";
        let oauth = format!("oauth: {{ http_base_url: 'http://{address}/'{block} }}");
        write(dir.path(), "open.yaml", &format!("tenant: open\n{webhook}\n{oauth}\n"));
        write(dir.path(), "pack/token.ygtc", TOKEN);
        add_guest(dir.path(), "token-user", "tokens");
        let serving = Serving::of(dir, "--bindings open.yaml --pack open=pack", vars);
        assert_eq!(serving.hook("token", "k").await.status(), 200);
        assert_eq!(told.recv().await.unwrap()["env"], env);
    }
}

const PRINT: &str = "
id: print
type: http
nodes:
  print:
    component.exec: { component: user, operation: print, input: { text: canary } }
    routing: [{ to: tell }]
  tell:
    emit.response: { body: done }
";

#[tokio::test]
async fn what_components_print_is_redacted_where_the_operator_wants_it() {
    for (mode, printed) in [("off", "stdout: canary"), ("strict", "stdout: [redacted]")] {
        let dir = tempfile::tempdir().unwrap();
        let webhook = "flow_type_bindings: { webhook: { adapter: generic, config: { insecure: true } } }";
        write(dir.path(), "open.yaml", &format!("tenant: open\n{webhook}\nwasi: {{ stdout: true }}\n"));
        write(dir.path(), "pack/print.ygtc", PRINT);
        add_guest(dir.path(), "wasi-user", "user");
        let vars = [("PII_REDACTION_MODE", mode), ("RUST_LOG", "info")];
        let serving = Serving::of(dir, "--bindings open.yaml --pack open=pack", &vars);
        assert_eq!(serving.hook("print", "k").await.status(), 200);
        let (_, log) = serving.stop();
        assert!(log.contains(printed), "{mode}: {log}");
        assert_eq!(log.contains("canary"), mode == "off", "{log}");
    }
}
