//! Requests as platforms sign and send them, through the real routes: what reaches the flow is what is expected.
//!
//! The samples of the project always; recordings of real senders where they are at hand: `INGRESS_CORPUS` names the
//! directory, else it stands beside the project.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Uri};
use axum::{Json, Router};
use greentic_runner_host::abi::Registry;
use greentic_runner_host::clock::{Clock as _, SystemClock, Timestamp};
use greentic_runner_host::engine::{Engine, EngineOptions};
use greentic_runner_host::id::Id;
use greentic_runner_host::ingress::adapter::Respond;
use greentic_runner_host::ingress::{Inbound, IngressEnvelope};
use greentic_runner_host::probe::sign::{self, Signed};
use greentic_runner_host::probe::{Form, Kind, Normalized, Recording, normalize, samples};
use greentic_runner_host::run::event::ReplyTo;
use greentic_runner_host::secret::Secret;
use reqwest::Response;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::expected::{self, Got};
use crate::teams::{APP, Login};
use crate::{Running, Setup, Sources};

/// Tells what it was given.
const TELLS: &str = "
id: ID
type: TYPE
nodes:
  say:
    emit.response: { envelope: '{{in}}' }
";

const SECRET: &str = "s3cret-A_1";

fn pack() -> Sources {
    let flow = |id: &str, kind: &str| TELLS.replace("ID", id).replace("TYPE", kind);
    ["flow-a", "flow-b", "flow-c"]
        .into_iter()
        .fold(Sources::new(), |pack, id| pack.file(&format!("{id}.ygtc"), &flow(id, "webhook")))
        .file("index.ygtc", &flow("tells", "messaging"))
        .file("pack.yaml", "pack_id: tells\nversion: 1.0.0\n")
}

/// What the platforms themselves serve: keys, and what they only announced.
struct Platforms {
    login: Login,
    webex: String,
    answers: Arc<parking_lot::Mutex<Value>>,
}

impl Platforms {
    async fn start() -> Self {
        let answers = Arc::new(parking_lot::Mutex::new(json!({})));
        let answer = |uri: Uri, State(answers): State<Arc<parking_lot::Mutex<Value>>>| async move {
            assert!(
                uri.path().starts_with("/v1/messages/") || uri.path().starts_with("/v1/attachment/actions/"),
                "{uri}"
            );
            Json(answers.lock().clone())
        };
        let router = Router::new().fallback(answer).with_state(Arc::clone(&answers));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let webex = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { login: Login::start().await, webex, answers }
    }

    /// The binding's settings, with which a channel is verified as in production where it can be.
    fn config(&self, kind: Kind, recording: &Recording) -> Value {
        match kind {
            Kind::Teams if !names_service(recording) => json!({"insecure": true}),
            Kind::Teams => json!({"login_base_url": self.login.base, "app_id": APP}),
            Kind::Webex => json!({"base_url": self.webex, "bot_id": ["bot"]}),
            Kind::Webchat => json!({"insecure": true}),
            _ => json!({}),
        }
    }

    async fn host(&self, kind: Kind, recording: &Recording) -> Running {
        static ENGINE: LazyLock<Arc<Registry>> =
            LazyLock::new(|| Arc::new(Registry::new(Engine::new(EngineOptions::default()).unwrap())));
        let bound = if kind == Kind::Webhook { "webhook" } else { "messaging" };
        let binding = json!({bound: {"adapter": kind.provider(), "config": self.config(kind, recording)}});
        let mut setup = Setup::of(&format!("flow_type_bindings: {binding}"));
        setup.tenants[0].0 = "demo";
        setup.options.default_tenant = Some("demo".into());
        setup.vars = Kind::ALL.iter().filter_map(|kind| Some((kind.secret_name()?, SECRET))).collect();
        setup.pack = pack();
        setup.registry = Some(Arc::clone(&ENGINE));
        setup.start().await.unwrap()
    }

    fn signed(&self, kind: Kind, recording: &Recording) -> Vec<(String, String)> {
        let now = SystemClock.now();
        let signed = Signed { kind, scheme: None, body: &recording.body, id: None, now };
        match kind {
            Kind::Teams => {
                let activity: Value = serde_json::from_slice(&recording.body).unwrap();
                let service = activity["serviceUrl"].as_str().unwrap_or_default();
                vec![("authorization".into(), format!("Bearer {}", self.login.token("k", service)))]
            }
            Kind::Webchat | Kind::Webhook => Vec::new(),
            _ => sign::sign(&signed, &Secret::new(SECRET))
                .unwrap()
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }
}

/// Whether an activity tells the service that its token has to be about. Recordings that were cut do not.
fn names_service(recording: &Recording) -> bool {
    let activity: Value = serde_json::from_slice(&recording.body).unwrap();
    activity["serviceUrl"].is_string()
}

async fn send(host: &Running, recording: &Recording, signed: Vec<(String, String)>) -> Response {
    let query = recording.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let mut headers = recording.headers.clone();
    for (name, value) in signed {
        headers.insert(name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
    }
    let url = host.url(&format!("{}{query}", recording.path));
    let request = host.client.request(recording.method.parse().unwrap(), url).headers(headers);
    request.body(recording.body.clone()).send().await.unwrap()
}

/// What came of a request through the real route.
struct Received {
    envelopes: Vec<Value>,
    /// Those of the messages that nothing can be seen of, because their replies go into an answer that cannot carry them.
    unseen: usize,
    status: u16,
    body: String,
}

/// Sends a request, and gathers what the flow tells of it.
async fn received(platforms: &Platforms, kind: Kind, recording: &Recording, offline: &Normalized) -> Received {
    let answer = recording.fetched.as_deref().map_or_else(|| json!({}), |b| serde_json::from_slice(b).unwrap());
    *platforms.answers.lock() = answer;
    let host = platforms.host(kind, recording).await;
    let response = send(&host, recording, platforms.signed(kind, recording)).await;
    let (status, body) = (response.status().as_u16(), response.text().await.unwrap());
    host.idle().await;
    let mut received = Received { envelopes: Vec::new(), unseen: 0, status, body };
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for Inbound { reply_to, respond, .. } in &offline.messages {
        match (reply_to, respond) {
            (_, Respond::Outcome { .. }) => {
                let told: Value = serde_json::from_str(&received.body).unwrap();
                received.envelopes.push(told["envelope"].clone());
            }
            (ReplyTo::Route(route) | ReplyTo::CallerFirst(route), _) => {
                let place = taken.entry(route.0.to_string()).or_default();
                let replies = host.host.replies(route, 0, 100).await.unwrap();
                let reply = replies.get(*place).unwrap_or_else(|| panic!("no message came: {}", received.body));
                let told: Value = serde_json::from_slice(&reply.payload).unwrap();
                received.envelopes.push(told["envelope"].clone());
                *place += 1;
            }
            (ReplyTo::Caller, _) => received.unseen += 1,
            (ReplyTo::Transcript { .. }, _) => panic!("only Direct Line keeps transcripts, which no recording is of"),
        }
    }
    let counts = host.host.counts().await.unwrap();
    let stored = usize::try_from(counts.replies).unwrap();
    let on_routes: usize = taken.values().sum();
    assert!(stored == on_routes || kind == Kind::Webhook, "{stored} replies, {on_routes} of which were expected");
    assert_eq!(counts.dead, 0);
    host.end().await;
    received
}

/// What a request becomes without a server.
fn offline(platforms: &Platforms, kind: Kind, recording: &Recording) -> Normalized {
    let tenant = Id::from("demo");
    let config: Map<String, Value> = platforms.config(kind, recording).as_object().unwrap().clone();
    let channel = kind.open(&tenant, &config).unwrap();
    let context = normalize::context(&tenant, Timestamp(0), recording);
    normalize(&*channel, &context, recording).unwrap()
}

/// The envelope without what only one of the two ways can know.
fn comparable(kind: Kind, envelope: &Value) -> Value {
    let mut envelope = envelope.clone();
    let fields = envelope.as_object_mut().unwrap();
    fields.remove("metadata");
    // When it was received, where the platform does not say when it was sent.
    fields.remove("timestamp");
    if kind == Kind::Webhook {
        // The headers of the real request, and a session of its own.
        fields["raw"].as_object_mut().unwrap().remove("headers");
        fields.remove("session");
    }
    envelope
}

fn fits_schema(what: &str, envelope: &Value) {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let schema = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/envelope.schema.json")).unwrap();
        let schema: Value = serde_json::from_slice(&schema).unwrap();
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    });
    let errors: Vec<_> = SCHEMA.iter_errors(envelope).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}");
    assert!(serde_json::from_value::<IngressEnvelope>(envelope.clone()).is_ok(), "{what}");
}

/// Sends a request through the real route; what reaches the flow is what its adapter makes of it without a server.
async fn arrives(platforms: &Platforms, kind: Kind, name: &str, recording: &Recording) -> (Received, Normalized) {
    let what = format!("{kind} {name}");
    let offline = offline(platforms, kind, recording);
    let received = received(platforms, kind, recording, &offline).await;
    let waits = offline.messages.iter().any(|inbound| matches!(inbound.respond, Respond::Sync { .. }));
    // Teams takes 501 for an operation that no flow does.
    assert!((200..300).contains(&received.status) || (waits && received.status == 501), "{what}: {}", received.status);
    assert_eq!(received.envelopes.len() + received.unseen, offline.messages.len(), "{what}");
    for (envelope, inbound) in received.envelopes.iter().zip(&offline.messages) {
        fits_schema(&what, envelope);
        let expected = comparable(kind, &json!(inbound.envelope));
        assert_eq!(comparable(kind, envelope), expected, "{what}");
        assert_eq!(envelope["metadata"]["ip"], "127.0.0.1", "{what}");
        let shown = envelope["metadata"].to_string();
        assert!(!shown.contains(SECRET) && !shown.contains("Bearer") && !shown.contains("v0="), "{what}: {shown}");
    }
    (received, offline)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_arrives_as_it_is_normalized() {
    let platforms = Platforms::start().await;
    for kind in Kind::ALL {
        for sample in samples::of(kind).unwrap() {
            arrives(&platforms, kind, &sample.name, &sample.recording).await;
        }
    }
}

fn corpus() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/payloads");
    std::env::var_os("INGRESS_CORPUS").map_or_else(beside, PathBuf::from)
}

/// The recordings of a kind, each with what is expected of it.
fn recordings(kind: Kind) -> Vec<(String, Recording, Value)> {
    let dir = corpus().join(kind.name());
    let mut files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file() && !path.to_string_lossy().ends_with(".fetched.json"));
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let expected = fs::read(dir.join("expected").join(format!("{name}.expected.json"))).unwrap();
        let fetched =
            fs::read(dir.join(format!("{name}.fetched.json"))).ok().filter(|_| kind.form() == Form::Announced);
        let recording = Recording::of(kind, &fs::read(path).unwrap(), fetched).unwrap();
        (name, recording, serde_json::from_slice(&expected).unwrap())
    };
    files.iter().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recording_arrives_as_expected() {
    if !corpus().is_dir() {
        return eprintln!("skipped: no recorded requests in {}; set INGRESS_CORPUS", corpus().display());
    }
    let platforms = Platforms::start().await;
    let mut compared = 0;
    for kind in Kind::ALL {
        let recordings = recordings(kind);
        assert!(!recordings.is_empty(), "{kind}");
        for (name, recording, expected) in recordings {
            let (received, offline) = arrives(&platforms, kind, &name, &recording).await;
            let disposition = json!(offline.disposition);
            let dedupe: Vec<_> = offline.messages.iter().map(|inbound| inbound.dedupe.clone()).collect();
            let got = Got {
                disposition: disposition.as_str().unwrap(),
                envelopes: &received.envelopes,
                dedupe: Some(&dedupe),
                answer: Some((received.status, &received.body)),
            };
            expected::check(&format!("{kind} {name}"), &expected, &got);
            compared += 1;
        }
    }
    assert!(compared >= 99, "{compared}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_command_sends_reaches_a_running_host() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("event.json");
    let sample = samples::of(Kind::Slack).unwrap().into_iter().find(|sample| sample.name == "text").unwrap();
    fs::write(&file, &sample.recording.body).unwrap();
    let host = Platforms::start().await.host(Kind::Slack, &sample.recording).await;
    let url = host.url("");
    let send = async |more: &'static [&'static str]| {
        let (file, url) = (file.clone(), url.clone());
        let run = move || {
            let mut command = assert_cmd::Command::cargo_bin("greentic-runner").unwrap();
            command.args(["ingress", "send", "slack", "--url", &url]).args(more).arg(&file);
            command.env_remove("SLACK_SIGNING_SECRET").env("HTTP_PROXY", "http://127.0.0.1:9").output().unwrap()
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, out, _) = send(&["--secret", "wrong", "--json"]).await;
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &answer["status"], &answer["body"]["error"]["code"]), (Some(1), &json!(401), &json!("GRH-0840")));
    let (code, out, err) = send(&[]).await;
    assert!(code == Some(1) && out.starts_with("401") && err.contains("not signed"), "{out}{err}");
    let (code, out, _) = send(&["--secret", SECRET, "--tenant", "demo"]).await;
    assert_eq!((code, out.lines().next()), (Some(0), Some("200 OK")));
    host.idle().await;
    assert_eq!(host.host.counts().await.unwrap().replies, 1);
    host.end().await;
}
