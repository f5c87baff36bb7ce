//! Recorded requests of real senders, where they are at hand: `INGRESS_CORPUS` names the directory, else it stands
//! beside the project. The recordings are not part of the project, so the tests say so and end when they are missing.

use std::fs;
use std::path::{Path, PathBuf};

use http::{HeaderMap, HeaderName};
use serde_json::Value;
use uuid::Uuid;

use super::adapter::{Adapter as _, ChannelSecrets, Context, Inbound, Intake, Request, Settings};
use super::channels::Verification;
use super::teams::Teams;
use super::webchat::{self, WebchatChannel};
use super::webhook::{self, WebhookChannel};
use crate::clock::Timestamp;
use crate::config::WebhookPolicy;
use crate::error::Result;
use crate::id::Id;
use crate::run::event::FlowChoice;
use crate::secret::Secret;

struct Sample {
    name: String,
    body: Vec<u8>,
    expected: Value,
}

fn samples(platform: &str) -> Vec<Sample> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/payloads");
    let dir = std::env::var_os("INGRESS_CORPUS").map_or_else(beside, PathBuf::from).join(platform);
    let Ok(entries) = fs::read_dir(&dir) else {
        eprintln!("skipped: no recorded requests in {}; set INGRESS_CORPUS", dir.display());
        return Vec::new();
    };
    let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
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

/// Compares with what is expected; null means that it is not checked.
fn check(sample: &Sample, intake: &Intake) {
    let name = &sample.name;
    let wanted = sample.expected["envelopes"].as_array();
    match (sample.expected["disposition"].as_str().unwrap(), intake) {
        ("message", Intake::Messages(inbound)) => {
            let wanted = wanted.unwrap();
            assert_eq!(wanted.len(), 1, "{name}");
            check_envelope(name, &wanted[0], &inbound[0]);
        }
        ("optional" | "ack_ignore", Intake::Ignored(_)) => {}
        (disposition, got) => panic!("{name}: expected {disposition}, got {got:?}"),
    }
}

fn check_envelope(name: &str, wanted: &Value, inbound: &Inbound) {
    let got = serde_json::to_value(&inbound.envelope).unwrap();
    assert_eq!(got["provider"], wanted["provider"], "{name}");
    for (id, value) in wanted["provider_ids"].as_object().unwrap() {
        assert_eq!(&got["provider_ids"][id], value, "{name}: {id}");
    }
    if !wanted["session"]["key"].is_null() {
        assert_eq!(got["session"]["key"], wanted["session"]["key"], "{name}");
    }
    if let Some(text) = wanted["text"].as_str() {
        assert_eq!(got["text"].as_str().unwrap_or_default(), text, "{name}");
    }
    if !wanted["attachments_count"].is_null() {
        assert_eq!(wanted["attachments_count"], got["attachments"].as_array().unwrap().len(), "{name}");
    }
    if let Some(buttons) = wanted["buttons"].as_array() {
        assert_eq!(got["buttons"].as_array().unwrap().len(), buttons.len(), "{name}");
    }
    if let Some(id) = wanted["dedupe_id"].as_str() {
        assert!(inbound.dedupe.iter().any(|key| key.ends_with(id)), "{name}: {:?}", inbound.dedupe);
    }
}

#[test]
fn recorded_activities() {
    let channel = WebchatChannel { verification: Verification::Insecure, flow: FlowChoice::Default };
    for sample in samples("webchat") {
        let headers = HeaderMap::new();
        let request = request("POST", "/webchat/activities", &headers, &sample.body);
        check(&sample, &webchat::receive(&channel, &context(), &request).unwrap());
    }
}

#[test]
fn recorded_activities_of_teams() {
    struct NoSecrets;
    impl ChannelSecrets for NoSecrets {
        fn get(&self, _: &str) -> Vec<Secret> {
            Vec::new()
        }
    }
    let config = serde_json::json!({"insecure": true});
    let (tenant, flow) = (Id::from("demo"), FlowChoice::Default);
    let settings = Settings { tenant, flow, config: config.as_object().unwrap(), secrets: &NoSecrets };
    let channel = Teams.open(&settings).unwrap();
    for sample in samples("teams") {
        let headers = HeaderMap::new();
        let request = request("POST", "/teams/activities", &headers, &sample.body);
        channel.verify(&context(), &request).unwrap();
        check(&sample, &channel.normalize(&context(), &request).unwrap());
    }
}

#[test]
fn recorded_webhooks() {
    let channel = WebhookChannel { verification: Verification::PathPolicy, policy: WebhookPolicy::default() };
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
