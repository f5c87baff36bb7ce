//! Recorded requests of real senders, where they are at hand: `INGRESS_CORPUS` names the directory, else it stands
//! beside the project. The recordings are not part of the project, so the tests say so and end when they are missing.

use std::fs;
use std::path::{Path, PathBuf};

use http::{HeaderMap, HeaderName};
use serde_json::Value;
use uuid::Uuid;

use super::adapter::{Adapter, Channel, Completion, Context, Intake, Request};
use super::channels::Verification;
use super::slack::{self, Slack};
use super::teams::Teams;
use super::telegram::{self, Telegram};
use super::testing;
use super::webchat::{self, WebchatChannel};
use super::webex::{self, Webex};
use super::webhook::{self, Webhook, WebhookChannel};
use super::whatsapp::{self, Whatsapp};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::Id;
use crate::run::event::FlowChoice;

#[path = "../../tests/common/expected.rs"]
mod expected;

use expected::Got;

struct Sample {
    name: String,
    body: Vec<u8>,
    expected: Value,
}

fn corpus() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/payloads");
    std::env::var_os("INGRESS_CORPUS").map_or_else(beside, PathBuf::from)
}

fn samples(platform: &str) -> Vec<Sample> {
    let dir = corpus().join(platform);
    let Ok(entries) = fs::read_dir(&dir) else {
        eprintln!("skipped: no recorded requests in {}; set INGRESS_CORPUS", dir.display());
        return Vec::new();
    };
    // What a platform answers to a question stands beside what it sent.
    let is_sent = |path: &PathBuf| path.is_file() && !path.to_str().unwrap().ends_with(".fetched.json");
    let files = entries.map(|entry| entry.unwrap().path()).filter(is_sent);
    let samples: Vec<_> = files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let expected = dir.join("expected").join(format!("{name}.expected.json"));
            Sample {
                body: fs::read(&path).unwrap(),
                expected: serde_json::from_slice(&fs::read(expected).unwrap()).unwrap(),
                name,
            }
        })
        .collect();
    assert!(!samples.is_empty(), "{} holds no recordings", dir.display());
    samples
}

fn request<'a>(method: &'a str, path: &'a str, headers: &'a HeaderMap, body: &'a [u8]) -> Request<'a> {
    Request { method, path, query: None, headers, body, peer: None }
}

fn context() -> Context {
    Context { tenant: Id::from("demo"), now: Timestamp(1_762_851_600_000), nonce: Uuid::nil(), keys: None }
}

/// Compares with what is expected; envelopes fit their schema.
fn check(sample: &Sample, intake: &Intake) {
    testing::valid(intake);
    let (disposition, messages, answer) = match intake {
        Intake::Messages(messages) => ("message", messages.as_slice(), None),
        Intake::Ignored(_) => ("ack_ignore", &[][..], None),
        Intake::Answer(answer) => ("handshake", &[][..], Some((answer.status, answer.body.as_str()))),
        Intake::Fetch(_) => panic!("{} is not completed", sample.name),
    };
    let envelopes: Vec<_> = messages.iter().map(|inbound| serde_json::to_value(&inbound.envelope).unwrap()).collect();
    let dedupe: Vec<_> = messages.iter().map(|inbound| inbound.dedupe.clone()).collect();
    let got = Got { disposition, envelopes: &envelopes, dedupe: Some(&dedupe), answer };
    expected::check(&sample.name, &sample.expected, &got);
}

#[test]
fn recorded_activities() {
    let channel = WebchatChannel {
        verification: Verification::Insecure,
        flow: FlowChoice::Default,
        access: webchat::Access::default(),
    };
    for sample in samples("webchat") {
        let headers = HeaderMap::new();
        let request = request("POST", "/webchat/activities", &headers, &sample.body);
        check(&sample, &webchat::receive(&channel, &context(), &request).unwrap());
    }
}

#[test]
fn recorded_webhooks() {
    let channel = WebhookChannel { verification: Verification::PathPolicy, ..WebhookChannel::default() };
    for sample in samples("webhook") {
        let recorded: Value = serde_json::from_slice(&sample.body).unwrap();
        let headers: HeaderMap = recorded["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.as_str().unwrap().parse().unwrap()))
            .collect();
        let path = recorded["path"].as_str().unwrap();
        let body = recorded["body"].to_string();
        let request = request(recorded["method"].as_str().unwrap(), path, &headers, body.as_bytes());
        let flow = path.strip_prefix("/webhook/").unwrap();
        let intake: Result<Intake> = webhook::receive(&channel, &context(), flow, &request).map(Intake::message);
        check(&sample, &intake.unwrap());
    }
}

fn open(adapter: &dyn Adapter) -> Box<dyn Channel> {
    testing::open(adapter, &serde_json::json!({"insecure": true}), &[]).unwrap()
}

/// Every recording of a platform that sends whole events.
fn recorded(adapter: &dyn Adapter) {
    let channel = open(adapter);
    for sample in samples(adapter.provider()) {
        check(&sample, &testing::normalized(&*channel, &sample.body).unwrap());
    }
}

#[test]
fn recorded_updates_of_telegram() {
    recorded(&Telegram);
}

#[test]
fn recorded_activities_of_teams() {
    recorded(&Teams);
}

#[test]
fn recorded_deliveries_of_whatsapp() {
    recorded(&Whatsapp);
}

#[test]
fn recorded_requests_of_slack() {
    let channel = open(&Slack);
    for (folder, path) in
        [("slack", slack::EVENTS), ("slack-interactive", slack::INTERACTIVE), ("slack-slash", slack::COMMANDS)]
    {
        for sample in samples(folder) {
            let headers = HeaderMap::new();
            let request = request("POST", path, &headers, &sample.body);
            check(&sample, &channel.normalize(&context(), &request).unwrap());
        }
    }
}

#[test]
fn recorded_events_of_webex() {
    let channel = open(&Webex);
    for sample in samples(webex::PROVIDER) {
        let answer = fs::read(corpus().join(webex::PROVIDER).join(format!("{}.fetched.json", sample.name)));
        let intake = match testing::normalized(&*channel, &sample.body).unwrap() {
            Intake::Fetch(pending) => {
                // Where no answer was recorded, what the event tells must do.
                let body = answer.unwrap_or_else(|_| b"{}".to_vec());
                channel.complete(&context(), &pending, Completion { status: 200, body: &body }).unwrap()
            }
            intake => intake,
        };
        check(&sample, &intake);
        if sample.name == "attachment_action" {
            let Intake::Messages(inbound) = intake else { panic!("{} is a message", sample.name) };
            assert_eq!(inbound[0].envelope.buttons[0].payload, serde_json::json!({"Name": "test_input"}));
        }
    }
}

/// The adapter and the secret that a scheme of signing belongs to.
fn signer(scheme: &str) -> Option<(&'static dyn Adapter, &'static str)> {
    Some(match scheme {
        "slack-v0" => (&Slack, slack::SIGNING_SECRET),
        "telegram-secret-token" => (&Telegram, telegram::WEBHOOK_SECRET),
        "x-hub-signature-256" => (&Whatsapp, whatsapp::APP_SECRET),
        "x-spark-signature" => (&Webex, webex::WEBHOOK_SECRET),
        _ => return None,
    })
}

/// The webhook's scheme that a scheme of signing is.
fn stated(scheme: &str) -> Option<Value> {
    let hmac = |header: &str, prefix: &str, algorithm: &str| serde_json::json!({"scheme": "hmac", "secret": "S", "header": header, "prefix": prefix, "algorithm": algorithm});
    Some(match scheme {
        "standard-webhooks" => serde_json::json!({"scheme": "standard-webhooks", "secret": "S"}),
        "x-hub-signature-256" => hmac("X-Hub-Signature-256", "sha256=", "sha256"),
        "x-spark-signature" => hmac("X-Spark-Signature", "", "sha1"),
        "slack-v0" => {
            let mut scheme = hmac("X-Slack-Signature", "v0=", "sha256");
            scheme["timestamp_header"] = "X-Slack-Request-Timestamp".into();
            scheme["signed"] = "v0:{timestamp}:{body}".into();
            scheme
        }
        "telegram-secret-token" => {
            serde_json::json!({"scheme": "bearer", "secret": "S", "header": "X-Telegram-Bot-Api-Secret-Token"})
        }
        _ => return None,
    })
}

#[test]
fn recorded_signatures() {
    use base64::Engine as _;

    let Ok(vectors) = fs::read(corpus().join("signatures.json")) else {
        return eprintln!("skipped: no signatures in {}; set INGRESS_CORPUS", corpus().display());
    };
    let vectors: Vec<Value> = serde_json::from_slice(&vectors).unwrap();
    let mut decided = 0;
    for vector in &vectors {
        let scheme = vector["scheme"].as_str().unwrap();
        let value = vector["secret"].as_str().unwrap_or_default();
        let mut channels = Vec::new();
        if let Some((adapter, secret)) = signer(scheme) {
            channels.push(testing::open(adapter, &Value::Null, &[(secret, value)]).unwrap());
        }
        if let Some(stated) = stated(scheme) {
            let config = serde_json::json!({ "default_scheme": stated });
            channels.push(testing::open(&Webhook, &config, &[("S", value)]).unwrap());
        }
        let headers = vector["headers"].as_object().unwrap().iter();
        let headers: Vec<_> = headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let headers = testing::headers(&headers);
        let body = match (&vector["body_file"], &vector["body_base64"], &vector["body_utf8"]) {
            (Value::String(file), _, _) => fs::read(corpus().join(file)).unwrap(),
            (_, Value::String(text), _) => base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
            (_, _, Value::String(text)) => text.clone().into_bytes(),
            _ => panic!("{vector} has no body"),
        };
        let now = vector["now"].as_i64().map_or(context().now, |seconds| Timestamp(seconds * 1000));
        let request = Request { path: "/webhook/f", ..testing::post(&headers, &body) };
        for channel in &channels {
            let found = channel.verify(&Context { now, ..context() }, &request);
            if let Some(valid) = vector["valid"].as_bool() {
                assert_eq!(found.is_ok(), valid, "{}: {found:?}", vector["name"]);
            }
        }
        decided += usize::from(!channels.is_empty());
    }
    assert!(decided >= 32, "only {decided} of {} vectors were decided", vectors.len());
}
