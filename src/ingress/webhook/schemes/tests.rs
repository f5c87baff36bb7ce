use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use super::*;
use crate::clock::Timestamp;
use crate::ingress::adapter::{Adapter as _, Channel};
use crate::ingress::webhook::Webhook;
use crate::ingress::{testing, verify};

const NOW: i64 = 1_614_265_330;
const SHARED: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_SHARED: &str = "whsec_b2xkZXIgYW5kIG5vdCBmb3Jnb3R0ZW4geWV0";

type Headers = Vec<(String, String)>;

fn open(config: &Value, secrets: &[(&str, &str)]) -> Result<Box<dyn Channel>> {
    testing::with_settings(config, secrets, |settings| Webhook.open(settings))
}

/// A channel whose flow `f` has this scheme, with the secret `S`.
fn with_scheme(scheme: &Value, secrets: &[&str]) -> Box<dyn Channel> {
    let secrets: Vec<_> = secrets.iter().map(|value| ("S", *value)).collect();
    open(&json!({"schemes": {"f": scheme}}), &secrets).unwrap()
}

fn verdict(channel: &dyn Channel, flow: &str, headers: &[(String, String)], body: &[u8]) -> Result<()> {
    let pairs: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let map = testing::headers(&pairs);
    let path = format!("/webhook/{flow}");
    let context = Context { now: Timestamp(NOW * 1000 + 999), ..testing::context() };
    channel.verify(&context, &Request { path: &path, ..testing::post(&map, body) })
}

fn is_let_in(channel: &dyn Channel, headers: &[(String, String)], body: &[u8]) -> bool {
    match verdict(channel, "f", headers, body) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.code(), Code::Unauthenticated, "{error}");
            assert!(!error.to_string().contains("canary"), "{error}");
            false
        }
    }
}

fn pair(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// A scheme, and how a sender proves by a secret that a body is his at a time.
struct Case {
    name: &'static str,
    scheme: Value,
    secrets: [&'static str; 2],
    prove: fn(secret: &str, time: &str, body: &[u8]) -> Headers,
    /// Whether what is proved is the body, and whether its time is.
    of_body: bool,
    of_time: bool,
}

fn mac<M: ::hmac::Mac + ::hmac::digest::KeyInit>(secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as ::hmac::Mac>::new_from_slice(secret.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn standard(signature: String, time: &str) -> Headers {
    vec![pair("webhook-id", "msg_1"), pair("webhook-timestamp", time), pair("webhook-signature", signature)]
}

fn shared_signature(secret: &str, time: &str, body: &[u8]) -> String {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
    let digest = verify::hmac_sha256(&key, &[b"msg_1.", time.as_bytes(), b".", body]);
    format!("v1,{}", STANDARD.encode(digest))
}

fn signing_key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// The public keys of the pairs 1 and 2.
fn public_keys() -> [&'static str; 2] {
    [1, 2].map(|number| {
        let key = format!("whpk_{}", STANDARD.encode(signing_key(number).verifying_key().as_bytes()));
        &*Box::leak(key.into_boxed_str())
    })
}

fn paired_signature(secret: &str, time: &str, body: &[u8]) -> String {
    let number = [1, 2].into_iter().find(|number| {
        let public = STANDARD.encode(signing_key(*number).verifying_key().as_bytes());
        secret.ends_with(&public)
    });
    let message = [b"msg_1.", time.as_bytes(), b".", body].concat();
    format!("v1a,{}", STANDARD.encode(signing_key(number.unwrap_or(3)).sign(&message).to_bytes()))
}

fn cases() -> Vec<Case> {
    let secrets = ["canary-new", "canary-old"];
    vec![
        Case {
            name: "bearer",
            scheme: json!({"scheme": "bearer", "secret": "S"}),
            secrets,
            prove: |secret, _, _| vec![pair("authorization", format!("Bearer {secret}"))],
            of_body: false,
            of_time: false,
        },
        Case {
            name: "a token in a header of its own",
            scheme: json!({"scheme": "bearer", "secret": "S", "header": "X-Gitlab-Token"}),
            secrets,
            prove: |secret, _, _| vec![pair("x-gitlab-token", secret)],
            of_body: false,
            of_time: false,
        },
        Case {
            name: "GitHub's",
            scheme: json!({"scheme": "hmac", "secret": "S", "header": "X-Hub-Signature-256", "prefix": "sha256="}),
            secrets,
            prove: |secret, _, body| {
                let digest = hex::encode(mac::<::hmac::Hmac<sha2::Sha256>>(secret, &[body]));
                vec![pair("x-hub-signature-256", format!("sha256={digest}"))]
            },
            of_body: true,
            of_time: false,
        },
        Case {
            name: "Shopify's",
            scheme: json!({"scheme": "hmac", "secret": "S", "header": "X-Shopify-Hmac-Sha256", "encoding": "base64"}),
            secrets,
            prove: |secret, _, body| {
                let digest = STANDARD.encode(mac::<::hmac::Hmac<sha2::Sha256>>(secret, &[body]));
                vec![pair("x-shopify-hmac-sha256", digest)]
            },
            of_body: true,
            of_time: false,
        },
        Case {
            name: "SHA-1",
            scheme: json!({"scheme": "hmac", "secret": "S", "header": "X-Sig", "algorithm": "sha1"}),
            secrets,
            prove: |secret, _, body| {
                vec![pair("x-sig", hex::encode_upper(mac::<::hmac::Hmac<sha1::Sha1>>(secret, &[body])))]
            },
            of_body: true,
            of_time: false,
        },
        Case {
            name: "a signed time",
            scheme: json!({"scheme": "hmac", "secret": "S", "header": "X-Sig", "algorithm": "sha512",
                           "timestamp_header": "X-Time"}),
            secrets,
            prove: |secret, time, body| {
                let digest = mac::<::hmac::Hmac<sha2::Sha512>>(secret, &[time.as_bytes(), b".", body]);
                vec![pair("x-sig", hex::encode(digest)), pair("x-time", time)]
            },
            of_body: true,
            of_time: true,
        },
        Case {
            name: "Slack's",
            scheme: json!({"scheme": "hmac", "secret": "S", "header": "X-Slack-Signature", "prefix": "v0=",
                           "timestamp_header": "X-Slack-Request-Timestamp", "signed": "v0:{timestamp}:{body}",
                           "tolerance": "5m"}),
            secrets,
            prove: |secret, time, body| {
                let digest = mac::<::hmac::Hmac<sha2::Sha256>>(secret, &[b"v0:", time.as_bytes(), b":", body]);
                let signature = format!("v0={}", hex::encode(digest));
                vec![pair("x-slack-signature", signature), pair("x-slack-request-timestamp", time)]
            },
            of_body: true,
            of_time: true,
        },
        Case {
            name: "Standard Webhooks, shared secrets",
            scheme: json!({"scheme": "standard-webhooks", "secret": "S"}),
            secrets: [SHARED, OLD_SHARED],
            prove: |secret, time, body| standard(shared_signature(secret, time, body), time),
            of_body: true,
            of_time: true,
        },
        Case {
            name: "Standard Webhooks, key pairs",
            scheme: json!({"scheme": "standard-webhooks", "secret": "S"}),
            secrets: public_keys(),
            prove: |secret, time, body| standard(paired_signature(secret, time, body), time),
            of_body: true,
            of_time: true,
        },
    ]
}

#[test]
fn every_scheme_lets_in_what_is_proved_and_nothing_else() {
    let json = br#"{"test": 2432232314, "b": "\u00e4"}"#;
    let bodies: [&[u8]; 4] = [json, b"", b"a=1&b=2", b"\xff\xfe\x00binary"];
    let now = NOW.to_string();
    for Case { name, scheme, secrets: [new, old], prove, of_body, of_time } in cases() {
        let both = with_scheme(&scheme, &[new, old]);
        let only_new = with_scheme(&scheme, &[new]);
        for body in bodies {
            assert!(is_let_in(&*both, &prove(new, &now, body), body), "{name}: by the new secret");
            assert!(is_let_in(&*both, &prove(old, &now, body), body), "{name}: by the old one");
            assert!(!is_let_in(&*only_new, &prove(old, &now, body), body), "{name}: the old one has gone");
            assert!(!is_let_in(&*both, &[], body), "{name}: without a header");
        }
        let proof = prove(new, &now, json);
        let reserialized = serde_json::from_slice::<Value>(json).unwrap().to_string();
        assert_eq!(is_let_in(&*both, &proof, reserialized.as_bytes()), !of_body, "{name}: re-serialised");
        for at in 0..json.len() {
            let mut flipped = json.to_vec();
            flipped[at] ^= 1;
            assert_eq!(is_let_in(&*both, &proof, &flipped), !of_body, "{name}: byte {at} of the body flipped");
        }
        for time in [NOW - 300, NOW + 300] {
            assert!(is_let_in(&*both, &prove(new, &time.to_string(), json), json), "{name}: at the edge");
        }
        for time in
            [&*(NOW - 301).to_string(), &*(NOW + 301).to_string(), "", "soon", "-1", "1e9", "99999999999999999999"]
        {
            assert_eq!(is_let_in(&*both, &prove(new, time, json), json), !of_time, "{name}: at {time:?}");
        }
        for dropped in 0..proof.len() {
            let (mut without, mut twice, mut spoiled) = (proof.clone(), proof.clone(), proof.clone());
            without.remove(dropped);
            twice.push(proof[dropped].clone());
            let last = spoiled[dropped].1.pop().unwrap();
            assert!(!is_let_in(&*both, &without, json), "{name}: without {}", proof[dropped].0);
            assert!(!is_let_in(&*both, &twice, json), "{name}: twice {}", proof[dropped].0);
            // Padding of base64 may be missing.
            assert_eq!(is_let_in(&*both, &spoiled, json), last == '=', "{name}: less of {}", proof[dropped].0);
        }
    }
}

#[test]
fn a_time_that_is_believed_longer_is_said_so() {
    let scheme =
        json!({"scheme": "hmac", "secret": "S", "header": "x-sig", "timestamp_header": "x-time", "tolerance": "1h"});
    let channel = with_scheme(&scheme, &["s"]);
    for (age, fits) in [(3600, true), (-3600, true), (3601, false), (-3601, false)] {
        let time = (NOW - age).to_string();
        let digest = mac::<::hmac::Hmac<sha2::Sha256>>("s", &[time.as_bytes(), b".", b"x"]);
        let headers = [pair("x-sig", hex::encode(digest)), pair("x-time", &*time)];
        assert_eq!(is_let_in(&*channel, &headers, b"x"), fits, "{age}");
    }
}

#[test]
fn what_looks_like_a_bearer_token_is_none() {
    let channel = with_scheme(&json!({"scheme": "bearer", "secret": "S"}), &["s3cret"]);
    for good in ["Bearer s3cret", "bearer s3cret", "BEARER   s3cret "] {
        assert!(is_let_in(&*channel, &[pair("authorization", good)], b""), "{good:?}");
    }
    for bad in [
        "",
        "s3cret",
        "Bearer",
        "Bearer ",
        "Bearers3cret",
        "Basic s3cret",
        "Bearer s3cretx",
        "Bearer s3cre",
        "Bearer S3CRET",
    ] {
        assert!(!is_let_in(&*channel, &[pair("authorization", bad)], b""), "{bad:?}");
    }
    let named = with_scheme(&json!({"scheme": "bearer", "secret": "S", "header": "Authorization"}), &["s3cret"]);
    assert!(is_let_in(&*named, &[pair("authorization", "Bearer s3cret")], b""));
}

#[test]
fn signatures_of_standard_webhooks_are_a_list() {
    let scheme = json!({"scheme": "standard-webhooks", "secret": "S"});
    let (channel, body) = (with_scheme(&scheme, &[SHARED]), br#"{"test": 2432232314}"#);
    let now = NOW.to_string();
    let published = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let of = |signature: &str| {
        let id = pair("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
        [id, pair("webhook-timestamp", &*now), pair("webhook-signature", signature)]
    };
    let other = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    for (signatures, fits) in [
        (published.to_owned(), true),
        (format!("{other} {published}"), true),
        (format!("{published} {other}"), true),
        (format!("v2,x {other} garbage , v1, {published}"), true),
        (other.to_owned(), false),
        (published.replace("v1,", "v2,"), false),
        (published.replace("v1,", "v1a,"), false),
        (published.replace("v1,", ""), false),
        (published.replace("v1,", "V1,"), false),
        (String::new(), false),
        (format!("{}{published}", format!("{other} ").repeat(15)), true),
        (format!("{}{published}", format!("{other} ").repeat(16)), false),
    ] {
        assert_eq!(is_let_in(&*channel, &of(&signatures), body), fits, "{signatures}");
    }
    // A secret without its prefix is the same secret.
    let bare = with_scheme(&scheme, &[&SHARED["whsec_".len()..]]);
    assert!(is_let_in(&*bare, &of(published), body));
    // A public key does for no shared secret.
    let public = public_keys()[0];
    let digest =
        verify::hmac_sha256(&STANDARD.decode(&public["whpk_".len()..]).unwrap(), &[b"msg_1.", now.as_bytes(), b".x"]);
    let forged = standard(format!("v1,{}", STANDARD.encode(digest)), &now);
    assert!(!is_let_in(&*with_scheme(&scheme, &[public]), &forged, b"x"));
}

#[test]
fn secrets_that_are_none_keep_a_channel_from_opening() {
    let scheme = json!({"schemes": {"f": {"scheme": "standard-webhooks", "secret": "S"}}});
    let weak = format!("whpk_{}", STANDARD.encode([0; 32]));
    for bad in ["whsec_", "whsec_canary!", "canary!", "whpk_", "whpk_Y2FuYXJ5", "whsk_Y2FuYXJ5", &weak] {
        let error = open(&scheme, &[("S", SHARED), ("S", bad)]).err().unwrap();
        assert_eq!(error.code(), Code::ChannelInvalid, "{bad}");
        assert!(error.message().contains("config.schemes.f: the secret S "), "{error}");
        assert!(!error.to_string().contains("canary") && !error.to_string().contains("Y2Fu"), "{error}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused_though_there_is_no_secret() {
    let hmac = |more: Value| {
        let mut scheme = json!({"scheme": "hmac", "secret": "S", "header": "x-sig"});
        scheme.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"schemes": {"f": scheme}})
    };
    for (config, named) in [
        (hmac(json!({"header": "a b"})), "header is \"a b\""),
        (hmac(json!({"timestamp_header": "ä"})), "timestamp_header"),
        (hmac(json!({"signed": "{timestamp}.{body}"})), "signed has {timestamp}"),
        (hmac(json!({"signed": "{body}", "timestamp_header": "x-time"})), "signed lacks {timestamp}"),
        (hmac(json!({"signed": "{id}.{body}"})), "signed"),
        (hmac(json!({"tolerance": "5m"})), "tolerance has no effect"),
        (hmac(json!({"tolerance": "2d", "timestamp_header": "x-time"})), "tolerance is"),
        (hmac(json!({"tolerance": "1ms", "timestamp_header": "x-time"})), "tolerance is"),
        (json!({"default_scheme": {"scheme": "bearer", "secret": "S", "header": ""}}), "config.default_scheme"),
        (json!({"schemes": {"a/b": {"scheme": "none"}}}), "\"a/b\" is no flow id"),
        (json!({"insecure": "yes"}), "config.insecure"),
    ] {
        let error = open(&config, &[]).err().unwrap_or_else(|| panic!("{config} opens"));
        assert_eq!(error.code(), Code::ChannelInvalid, "{config}");
        assert!(error.message().contains(named), "{config}: {error}");
    }
}

#[test]
fn a_flow_without_scheme_or_secret_is_off_and_looks_like_any_other() {
    let config = json!({"schemes": {
        "open": {"scheme": "none"},
        "shut": {"scheme": "bearer", "secret": "MISSING"},
        "empty": {"scheme": "bearer", "secret": "EMPTY"},
        "guarded": {"scheme": "bearer", "secret": "S"},
    }, "deny_paths": ["/webhook/open-not"]});
    let secrets = [("S", "s"), ("EMPTY", "")];
    let channel = open(&config, &secrets).unwrap();
    let with = [pair("authorization", "Bearer s")];
    let empty = [pair("authorization", "Bearer ")];
    for (flow, headers, fits) in [
        ("open", &[][..], true),
        ("guarded", &with, true),
        ("%67uarded", &with, true),
        ("guarded", &[], false),
        ("shut", &with, false),
        ("empty", &with, false),
        ("empty", &empty, false),
        ("unlisted", &with, false),
        ("a b", &with, false),
        ("", &with, false),
        ("guarded/", &with, false),
        ("%ff", &with, false),
    ] {
        match verdict(&*channel, flow, headers, b"") {
            Ok(()) => assert!(fits, "{flow}"),
            Err(error) => assert!(!fits && error.code() == Code::Unauthenticated, "{flow}: {error}"),
        }
    }
    assert_eq!(verdict(&*channel, "open-not", &[], b"").unwrap_err().code(), Code::RequestDenied);
    let report = |channel: &dyn Channel| {
        let lines = channel.verification_by_path().into_iter();
        lines.map(|line| format!("{} {line}", line.path)).collect::<Vec<_>>()
    };
    assert_eq!(
        report(&*channel),
        [
            "/webhook/empty off: there is no secret EMPTY",
            "/webhook/guarded verified: bearer token",
            "/webhook/open OPEN: by allow_paths and deny_paths only",
            "/webhook/shut off: there is no secret MISSING",
            "/webhook/{flow_id} off",
        ]
    );
    assert_eq!(channel.verification(), Verification::Off);

    let mut config = config;
    config["insecure"] = json!(true);
    config["default_scheme"] = json!({"scheme": "standard-webhooks", "secret": "W"});
    let channel = open(&config, &[("S", "s"), ("W", SHARED)]).unwrap();
    assert!(verdict(&*channel, "shut", &[], b"").is_ok(), "insecure opens what has no secret");
    assert!(verdict(&*channel, "guarded", &[], b"").is_err(), "and nothing that has one");
    assert!(verdict(&*channel, "unlisted", &with, b"").is_err());
    assert!(
        report(&*channel)
            .contains(&"/webhook/shut OPEN: not verified (insecure: true): there is no secret MISSING".into())
    );
    assert_eq!(channel.verification(), Verification::By("Standard Webhooks"));

    let plain = open(&json!({}), &[]).unwrap();
    assert_eq!((plain.verification(), report(&*plain)), (Verification::PathPolicy, Vec::new()));
}
