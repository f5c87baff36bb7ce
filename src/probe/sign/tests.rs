use http::{HeaderMap, HeaderName};
use serde_json::{Map, json};

use super::*;
use crate::id::Id;
use crate::ingress::adapter::{ChannelSecrets, Context, Settings};
use crate::probe::{Recording, normalize, samples};
use crate::run::event::FlowChoice;

const NOW: Timestamp = Timestamp(1_531_420_618_000);

struct One(&'static str, &'static str);

impl ChannelSecrets for One {
    fn get(&self, name: &str) -> Vec<Secret> {
        (name == self.0).then(|| Secret::new(self.1)).into_iter().collect()
    }
}

fn signed<'a>(kind: Kind, body: &'a [u8]) -> Signed<'a> {
    Signed { kind, scheme: None, body, id: None, now: NOW }
}

fn value(headers: &Headers, name: &str) -> String {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone()).unwrap()
}

fn context(recording: &Recording) -> Context {
    normalize::context(&Id::from("demo"), NOW, recording)
}

#[test]
fn what_is_signed_here_is_let_in_by_the_adapters() {
    let mut tried = 0;
    for kind in Kind::ALL {
        let Some(name) = kind.secret_name() else { continue };
        let channel = kind.adapter().unwrap().open(&Settings {
            tenant: Id::from("demo"),
            flow: FlowChoice::Default,
            config: &Map::new(),
            secrets: &One(name, "s3cret-A_1"),
        });
        let channel = channel.unwrap();
        for sample in samples::of(kind).unwrap() {
            let recording = sample.recording;
            let with = |secret: &str| {
                let mut recording = recording.clone();
                for (name, value) in sign(&signed(kind, &recording.body), &Secret::new(secret)).unwrap() {
                    recording.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
                }
                channel.verify(&context(&recording), &recording.request())
            };
            with("s3cret-A_1").unwrap_or_else(|error| panic!("{kind} {}: {error}", sample.name));
            let is_probe = sample.name == "probe";
            assert_eq!(with("s3cret-A_2").map_err(|e| e.code()).is_err(), !is_probe, "{kind} {}", sample.name);
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried}");
}

#[test]
fn published_examples_are_made() {
    let body = include_bytes!("../../../src/probe/samples/slack.json");
    let headers = sign(&signed(Kind::Slack, body), &Secret::new("s")).unwrap();
    assert_eq!(value(&headers, "X-Slack-Request-Timestamp"), "1531420618");
    // As GitHub documents it.
    let headers = sign(&signed(Kind::Webhook, b"Hello, World!"), &Secret::new("It's a Secret to Everybody")).unwrap();
    let wanted = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(headers, [("X-Hub-Signature-256", wanted.to_owned())]);
    // As the libraries of Standard Webhooks test it.
    let body = br#"{"test": 2432232314}"#;
    let standard = Signed {
        id: Some("msg_p5jXN8AQM9LWM0D4loKWxJek"),
        now: Timestamp(1_614_265_330_000),
        ..signed(Kind::Webhook, body)
    };
    let headers = sign(&standard, &Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
    assert_eq!(value(&headers, "webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_eq!(value(&headers, "webhook-timestamp"), "1614265330");
}

#[test]
fn a_webhook_is_signed_as_it_is_said() {
    let of = |scheme, secret: &str| {
        sign(&Signed { scheme: Some(scheme), ..signed(Kind::Webhook, b"x") }, &Secret::new(secret))
    };
    assert_eq!(of(Scheme::Bearer, "abc").unwrap(), [("Authorization", "Bearer abc".to_owned())]);
    assert_eq!(of(Scheme::Standard, "c2VjcmV0").unwrap().len(), 3, "the key may stand without its prefix");
    let (one, other) = (of(Scheme::Standard, "c2VjcmV0").unwrap(), of(Scheme::Standard, "c2VjcmV1").unwrap());
    assert_eq!(value(&one, "webhook-id"), value(&other, "webhook-id"));
    assert_ne!(value(&one, "webhook-signature"), value(&other, "webhook-signature"));
    for (scheme, secret) in [(Scheme::Bearer, "a\nb"), (Scheme::Standard, "whsec_%%"), (Scheme::HmacSha256, "")] {
        assert_eq!(of(scheme, secret).unwrap_err().code(), Code::SigningImpossible, "{scheme:?}");
    }
    let id = Signed { scheme: Some(Scheme::Standard), id: Some("a.b"), ..signed(Kind::Webhook, b"x") };
    assert_eq!(sign(&id, &Secret::new("c2VjcmV0")).unwrap_err().code(), Code::SigningImpossible);
}

#[test]
fn what_cannot_be_signed_says_why() {
    for (kind, secret) in [(Kind::Teams, "s"), (Kind::Webchat, "s"), (Kind::Telegram, "a b"), (Kind::Slack, "")] {
        let error = sign(&signed(kind, b"{}"), &Secret::new(secret)).unwrap_err();
        assert_eq!(error.code(), Code::SigningImpossible, "{kind}");
        assert!(error.hint_text().is_some());
    }
    let connector = connector::Connector { key: b"-----BEGIN X-----", key_id: "k", app_id: "a" };
    assert_eq!(connector::sign(&connector, NOW, b"{}").unwrap_err().code(), Code::SigningImpossible);
}

/// A token that is made here is one that the host verifies, by the published key.
#[test]
fn a_token_of_teams_is_let_in_by_who_trusts_its_key() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
    use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
    use rsa::traits::PublicKeyParts as _;

    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let pem = key.to_pkcs8_pem(LineEnding::LF).unwrap();
    let connector = connector::Connector { key: pem.as_bytes(), key_id: "k", app_id: "app" };
    let config = json!({"app_id": "app"});
    let settings = Settings {
        tenant: Id::from("demo"),
        flow: FlowChoice::Default,
        config: config.as_object().unwrap(),
        secrets: &One("", ""),
    };
    let channel = Kind::Teams.adapter().unwrap().open(&settings).unwrap();
    let keys = crate::ingress::keys::PublishedKeys::of([json!({"kty": "RSA", "use": "sig", "kid": "k",
        "n": B64.encode(key.n().to_bytes_be()), "e": B64.encode(key.e().to_bytes_be()), "endorsements": ["msteams"]})]);
    let keys = Some(std::sync::Arc::new(keys));
    let sample = samples::of(Kind::Teams).unwrap().swap_remove(0).recording;
    let mut headers = HeaderMap::new();
    let [(name, value)] = &connector::sign(&connector, NOW, &sample.body).unwrap()[..] else { panic!("one header") };
    headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    let recording = Recording { headers, ..sample };
    channel.verify(&Context { keys: keys.clone(), ..context(&recording) }, &recording.request()).unwrap();
    let other =
        Recording { body: br#"{"serviceUrl": "https://evil.example/", "channelId": "msteams"}"#.to_vec(), ..recording };
    assert!(channel.verify(&Context { keys, ..context(&other) }, &other.request()).is_err());
    assert_eq!(connector::sign(&connector, NOW, b"{}").unwrap_err().code(), Code::SigningImpossible);
}
