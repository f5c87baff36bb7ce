//! What a platform's request costs before it is stored: verifying it over its raw bytes, and reading it into envelopes.
//! One core, no I/O; the throughput is that of the body's bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

use std::hint::black_box;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use greentic_runner_host::clock::Timestamp;
use greentic_runner_host::id::Id;
use greentic_runner_host::ingress::adapter::{ChannelSecrets, Settings};
use greentic_runner_host::ingress::keys::PublishedKeys;
use greentic_runner_host::ingress::slack::{self, Slack};
use greentic_runner_host::ingress::teams::Teams;
use greentic_runner_host::ingress::telegram::Telegram;
use greentic_runner_host::ingress::verify::{hmac_sha1, hmac_sha256};
use greentic_runner_host::ingress::webchat::Webchat;
use greentic_runner_host::ingress::webex::Webex;
use greentic_runner_host::ingress::webhook::Webhook;
use greentic_runner_host::ingress::whatsapp::Whatsapp;
use greentic_runner_host::ingress::{Adapter, Channel, Context, Request};
use greentic_runner_host::run::event::FlowChoice;
use greentic_runner_host::secret::Secret;
use http::{HeaderMap, HeaderName};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};

const NOW: i64 = 1_762_851_600;
const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const APP: &str = "11111111-2222-3333-4444-555555555555";

/// The same secret for everything that is asked for.
struct One(&'static str);

impl ChannelSecrets for One {
    fn get(&self, _: &str) -> Vec<Secret> {
        vec![Secret::new(self.0)]
    }
}

/// A request as a platform sends it.
struct Sample {
    name: &'static str,
    channel: Box<dyn Channel>,
    path: &'static str,
    headers: HeaderMap,
    body: Vec<u8>,
    keys: Option<Arc<PublishedKeys>>,
}

impl Sample {
    fn new(name: &'static str, adapter: &dyn Adapter, config: &Value, path: &'static str, body: Vec<u8>) -> Self {
        Self::with(name, adapter, config, SECRET, path, body)
    }

    fn with(
        name: &'static str,
        adapter: &dyn Adapter,
        config: &Value,
        secret: &'static str,
        path: &'static str,
        body: Vec<u8>,
    ) -> Self {
        let settings = Settings {
            tenant: Id::from("demo"),
            flow: FlowChoice::Default,
            config: config.as_object().unwrap(),
            secrets: &One(secret),
        };
        let channel = adapter.open(&settings).unwrap();
        let headers = HeaderMap::new();
        Self { name, channel, path, headers, body, keys: None }.header("content-type", "application/json")
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        self
    }

    fn request(&self) -> Request<'_> {
        Request {
            method: "POST",
            path: self.path,
            query: None,
            headers: &self.headers,
            body: &self.body,
            peer: Some([127, 0, 0, 1].into()),
        }
    }

    fn context(&self) -> Context {
        Context {
            tenant: Id::from("demo"),
            now: Timestamp(NOW * 1000),
            nonce: uuid::Uuid::nil(),
            keys: self.keys.clone(),
        }
    }
}

/// What people write, about 300 bytes of it.
fn text() -> String {
    "Can somebody look at https://example.com/orders/4711? It says \"paid\" and \u{1f937} nothing came. ".repeat(3)
}

fn telegram() -> Sample {
    let person =
        json!({"id": 123_456_789, "is_bot": false, "first_name": "Ada", "username": "ada", "language_code": "en"});
    let chat = json!({"id": -1_001_234_567_890_i64, "type": "supergroup", "title": "Orders"});
    let message = json!({"message_id": 77, "date": NOW, "from": person, "chat": chat, "text": text(),
        "entities": [{"type": "url", "offset": 27, "length": 31}]});
    let body = json!({"update_id": 10_000, "message": message}).to_string().into_bytes();
    Sample::new("telegram", &Telegram, &json!({}), "/messaging/telegram/webhook", body)
        .header("x-telegram-bot-api-secret-token", SECRET)
}

fn teams() -> Sample {
    let key = RsaPrivateKey::new(&mut OsRng, 2048).unwrap();
    let part = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
    let keys =
        PublishedKeys::of([json!({"kty": "RSA", "use": "sig", "kid": "k", "n": part(key.n()), "e": part(key.e()),
        "endorsements": ["msteams"]})]);
    let service = "https://smba.trafficmanager.net/emea/";
    let claims = json!({"iss": "https://api.botframework.com", "aud": APP, "nbf": NOW, "exp": NOW + 3600,
        "serviceurl": service});
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
    header.kid = Some("k".into());
    let der = key.to_pkcs1_der().unwrap();
    let signer = jsonwebtoken::EncodingKey::from_rsa_der(der.as_bytes());
    let token = jsonwebtoken::encode(&header, &claims, &signer).unwrap();
    let body = json!({"type": "message", "id": "1485983408511", "channelId": "msteams", "serviceUrl": service,
        "timestamp": "2025-11-11T09:00:00.000Z", "text": format!("<at>Bot</at> {}", text()), "locale": "en-GB",
        "conversation": {"id": "19:253b1f341670408fb6fe51050b6e5ceb@thread.tacv2;messageid=1485983194839",
                         "conversationType": "channel", "tenantId": "9f044231-d634-4bad-b29c-c70ba6b14d5f"},
        "from": {"id": "29:1bSnHZ7Js2STWrgk6ScEErLk1Lp2zQuD5H2qQ", "name": "Ada", "aadObjectId": "d0e9f8"},
        "recipient": {"id": "28:bot", "name": "Bot"},
        "entities": [{"type": "mention", "text": "<at>Bot</at>", "mentioned": {"id": "28:bot", "name": "Bot"}}],
        "channelData": {"tenant": {"id": "9f044231-d634-4bad-b29c-c70ba6b14d5f"}}});
    let body = body.to_string().into_bytes();
    let sample = Sample::with("teams", &Teams, &json!({}), APP, "/teams/activities", body);
    let sample = Sample { keys: Some(Arc::new(keys)), ..sample };
    sample.header("authorization", &format!("Bearer {token}"))
}

fn slack_signed(name: &'static str, path: &'static str, body: Vec<u8>) -> Sample {
    let signed = slack::sign(&Secret::new(SECRET), Timestamp(NOW * 1000), &body);
    let sample = Sample::new(name, &Slack, &json!({}), path, body);
    signed.into_iter().fold(sample, |sample, (name, value)| sample.header(name, &value))
}

fn slack_event() -> Sample {
    let event = json!({"type": "message", "user": "U061F7AUR", "channel": "C0LAN2Q65", "ts": "1762851600.000100",
        "text": text(), "team": "T123ABC456", "channel_type": "channel",
        "blocks": [{"type": "rich_text", "block_id": "b", "elements": [{"type": "rich_text_section",
            "elements": [{"type": "text", "text": text()}]}]}]});
    let body = json!({"type": "event_callback", "team_id": "T123ABC456", "api_app_id": "A123ABC456", "event": event,
        "event_id": "Ev123ABC456", "event_time": NOW, "is_ext_shared_channel": false,
        "authorizations": [{"team_id": "T123ABC456", "user_id": "U2", "is_bot": true}]});
    slack_signed("slack/events", slack::EVENTS, body.to_string().into_bytes())
}

fn slack_interactive() -> Sample {
    let click = json!({"type": "block_actions", "user": {"id": "U1", "username": "ada"}, "team": {"id": "T1"},
        "channel": {"id": "C1"}, "trigger_id": "13345224609.738474920", "message": {"ts": "1.000100", "text": text()},
        "actions": [{"action_id": "pay", "block_id": "b", "text": {"type": "plain_text", "text": "Pay"}, "value": "4711"}]});
    let mut form = form_urlencoded::Serializer::new(String::new());
    let body = form.append_pair("payload", &click.to_string()).finish();
    slack_signed("slack/interactive", slack::INTERACTIVE, body.into_bytes())
}

fn slack_command() -> Sample {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let said = text();
    let pairs = [
        ("command", "/order"),
        ("text", &said),
        ("team_id", "T1"),
        ("channel_id", "C1"),
        ("user_id", "U1"),
        ("trigger_id", "13345224609.738474920"),
        ("response_url", "https://hooks.slack.com/commands/1234/5678"),
    ];
    form.extend_pairs(pairs);
    slack_signed("slack/commands", slack::COMMANDS, form.finish().into_bytes())
}

fn webchat() -> Sample {
    let body = json!({"type": "message", "id": "conv|0000003", "conversation": {"id": "conv"}, "from": {"id": "dl_ada"},
        "text": text(), "locale": "en-GB", "channelData": {"clientActivityID": "1762851600000abc"}});
    let body = body.to_string().into_bytes();
    Sample::new("webchat", &Webchat, &json!({}), "/webchat/activities", body)
        .header("authorization", &format!("Bearer {SECRET}"))
}

fn webex() -> Sample {
    let body = json!({"id": "Y2lzY29zcGFyazovL3VzL1dFQkhPT0sv", "name": "messages", "resource": "messages",
        "event": "created", "orgId": "OTZhYmMyYWEtM2RjYy0xMWU1", "createdBy": "bot", "appId": "app", "ownedBy": "creator",
        "status": "active", "created": "2025-11-11T09:00:00.000Z", "actorId": "ada",
        "data": {"id": "bWVzc2FnZQ", "roomId": "cm9vbQ", "roomType": "group", "personId": "ada",
                 "personEmail": "ada@example.com", "mentionedPeople": ["bot"], "created": "2025-11-11T09:00:00.000Z"}});
    let body = body.to_string().into_bytes();
    let signature = hex::encode(hmac_sha1(SECRET.as_bytes(), &body));
    Sample::new("webex", &Webex, &json!({}), "/webex/webhook", body).header("x-spark-signature", &signature)
}

fn whatsapp() -> Sample {
    let message = |id: u32| {
        json!({"from": "491711234567", "id": format!("wamid.{id}"), "timestamp": NOW.to_string(), "type": "text",
            "text": {"body": text()}})
    };
    let value = json!({"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550001111", "phone_number_id": "1122"},
        "contacts": [{"profile": {"name": "Ada"}, "wa_id": "491711234567"}], "messages": [message(1), message(2)]});
    let body = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "WABA", "changes": [{"field": "messages", "value": value}]}]});
    let body = body.to_string().into_bytes();
    let signature = format!("sha256={}", hex::encode(hmac_sha256(SECRET.as_bytes(), &[&body])));
    Sample::new("whatsapp", &Whatsapp, &json!({}), "/whatsapp/webhook", body).header("x-hub-signature-256", &signature)
}

/// A webhook of `bytes` bytes of JSON, and how it proves by the default scheme that it is genuine.
fn webhook(name: &'static str, scheme: &Value, secret: &'static str, bytes: usize, prove: &[(&str, String)]) -> Sample {
    let config = json!({ "default_scheme": scheme });
    let sample = Sample::with(name, &Webhook, &config, secret, "/webhook/orders", order(bytes));
    prove.iter().fold(sample, |sample, (name, value)| sample.header(name, value))
}

fn order(bytes: usize) -> Vec<u8> {
    let lines: Vec<_> = (0..bytes / 64)
        .map(|n| json!({"sku": format!("A-{n:06}"), "count": n % 7, "price": 12.5, "note": "gift"}))
        .collect();
    json!({ "lines": lines }).to_string().into_bytes()
}

fn webhooks() -> Vec<Sample> {
    let bearer = json!({"scheme": "bearer", "secret": "S"});
    let hmac = json!({"scheme": "hmac", "secret": "S", "header": "x-sig"});
    let standard = json!({"scheme": "standard-webhooks", "secret": "S"});
    let signed = |bytes| [("x-sig", hex::encode(hmac_sha256(SECRET.as_bytes(), &[&order(bytes)])))];
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let time = NOW.to_string();
    let digest = hmac_sha256(&key, &[b"msg_1.", time.as_bytes(), b".", &order(1 << 10)]);
    let delivery = [
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", time),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(digest))),
    ];
    vec![
        webhook("webhook/bearer", &bearer, SECRET, 1 << 10, &[("authorization", format!("Bearer {SECRET}"))]),
        webhook("webhook/hmac", &hmac, SECRET, 1 << 10, &signed(1 << 10)),
        webhook("webhook/hmac-256KiB", &hmac, SECRET, 1 << 18, &signed(1 << 18)),
        webhook("webhook/standard", &standard, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1 << 10, &delivery),
    ]
}

fn samples() -> Vec<Sample> {
    let chats =
        [telegram(), teams(), slack_event(), slack_interactive(), slack_command(), webchat(), webex(), whatsapp()];
    chats.into_iter().chain(webhooks()).collect()
}

fn ingress(criterion: &mut Criterion) {
    for sample in samples() {
        let context = sample.context();
        sample.channel.verify(&context, &sample.request()).unwrap_or_else(|e| panic!("{}: {e}", sample.name));
        sample.channel.normalize(&context, &sample.request()).unwrap_or_else(|e| panic!("{}: {e}", sample.name));
        let mut group = criterion.benchmark_group(format!("ingress/{}", sample.name));
        group.throughput(Throughput::Bytes(sample.body.len() as u64));
        group.bench_function("verify", |bencher| {
            bencher.iter(|| black_box(sample.channel.verify(&context, &black_box(sample.request()))));
        });
        group.bench_function("normalize", |bencher| {
            bencher.iter(|| black_box(sample.channel.normalize(&context, &black_box(sample.request()))));
        });
        group.bench_function("both", |bencher| {
            bencher.iter(|| {
                let request = black_box(sample.request());
                sample.channel.verify(&context, &request).and_then(|()| sample.channel.normalize(&context, &request))
            });
        });
        group.finish();
    }
}

criterion_group!(benches, ingress);
criterion_main!(benches);
