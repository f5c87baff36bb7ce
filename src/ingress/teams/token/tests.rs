//! The whole matrix of tokens, with keys, a key set and endorsements of the test's own.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use http::{HeaderMap, HeaderValue};
use jsonwebtoken::{EncodingKey, encode};
use proptest::prelude::*;
use rsa::pkcs1::{EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _, LineEnding};
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts as _;
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};

use super::super::tests::{activity, open};
use super::*;
use crate::ingress::Channel;
use crate::ingress::channels::Verification;
use crate::ingress::keys::PublishedKeys;
use crate::ingress::testing::{context, post};

const APP: &str = "11111111-2222-3333-4444-555555555555";
const NOW: i64 = 1_762_851_600;

struct Signer {
    private: EncodingKey,
    public: RsaPublicKey,
}

fn signer() -> Signer {
    // As short as the library takes: nothing here depends on the length.
    let private = RsaPrivateKey::new(&mut OsRng, 1024).unwrap();
    Signer {
        public: private.to_public_key(),
        private: EncodingKey::from_rsa_der(private.to_pkcs1_der().unwrap().as_bytes()),
    }
}

static PLATFORM: LazyLock<Signer> = LazyLock::new(signer);
static STRANGER: LazyLock<Signer> = LazyLock::new(signer);

fn jwk(id: &str, signer: &Signer, extra: Value) -> Value {
    let part = |number: &rsa::BigUint| B64.encode(number.to_bytes_be());
    let mut jwk =
        json!({"kty": "RSA", "use": "sig", "kid": id, "n": part(signer.public.n()), "e": part(signer.public.e())});
    jwk.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    jwk
}

fn keys() -> Arc<PublishedKeys> {
    let key = |id, extra| jwk(id, &PLATFORM, extra);
    Arc::new(PublishedKeys::of([
        key("teams", json!({"endorsements": ["msteams", "skype"]})),
        key("any", json!({"endorsements": []})),
        key("unsaid", json!({})),
        key("chat", json!({"endorsements": ["webchat", "msteam", "msteams2"]})),
        key("rs256", json!({"alg": "RS256"})),
        json!({"kty": "oct", "kid": "shared", "k": B64.encode("secret")}),
    ]))
}

/// A request in the making: what the connector sends, until a case changes something.
#[derive(Clone)]
struct Sent {
    config: Value,
    algorithm: Algorithm,
    header: Header,
    claims: Value,
    body: Vec<u8>,
    by: &'static LazyLock<Signer>,
    /// The authorization header around the token, which stands for `{}`.
    authorization: &'static str,
    peer: IpAddr,
}

impl Sent {
    fn of_connector() -> Self {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some("teams".into());
        Self {
            config: json!({}),
            algorithm: Algorithm::RS256,
            header,
            claims: json!({
                "iss": "https://api.botframework.com", "aud": APP, "exp": NOW + 3600, "nbf": NOW - 60,
                "serviceurl": "https://smba.example/emea/",
            }),
            body: activity(&json!({})).to_string().into_bytes(),
            by: &PLATFORM,
            authorization: "Bearer {}",
            peer: IpAddr::from([52, 112, 0, 1]),
        }
    }

    fn of_emulator(version: &str) -> Self {
        let (issuer, party) = if version == "1.0" { (EMULATOR_V1[0], "appid") } else { (EMULATOR_V2[1], "azp") };
        let mut sent = Self::of_connector();
        sent.config = json!({"emulator": true});
        sent.peer = IpAddr::from([127, 0, 0, 1]);
        sent.claims =
            json!({"iss": issuer, "aud": APP, "exp": NOW + 3600, "nbf": NOW - 60, "ver": version, party: APP});
        sent.body = emulated(json!({}));
        sent
    }

    fn token(&self) -> String {
        let mut header = self.header.clone();
        header.alg = self.algorithm;
        encode(&header, &self.claims, &self.by.private).unwrap()
    }

    fn verified(&self) -> Result<()> {
        self.verified_with(&self.token())
    }

    fn verified_with(&self, token: &str) -> Result<()> {
        let channel = open(&self.config, &[APP]).unwrap();
        let mut headers = HeaderMap::new();
        for line in self.authorization.split('|').filter(|line| !line.is_empty()) {
            let line = HeaderValue::from_str(&line.replace("{}", token)).unwrap();
            headers.append(AUTHORIZATION, line);
        }
        let mut context = context();
        context.keys = Some(keys());
        let request = Request { peer: Some(self.peer), ..post(&headers, &self.body) };
        channel.verify(&context, &request)
    }
}

fn emulated(changes: Value) -> Vec<u8> {
    let mut body = activity(&json!({"channelId": "emulator", "serviceUrl": "http://localhost:49231"}));
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body.to_string().into_bytes()
}

/// A case changes one thing of a request. Without a reason it must be let in; else the refusal must say so.
type Case = (&'static str, fn(&mut Sent), Option<&'static str>);

fn check(from: &Sent, cases: &[Case]) {
    for (name, change, wanted) in cases {
        let mut sent = from.clone();
        change(&mut sent);
        match (sent.verified(), wanted) {
            (Ok(()), None) => {}
            (Err(error), Some(reason)) => {
                assert_eq!(error.code(), Code::Unauthenticated, "{name}: {error}");
                assert!(error.message().contains(reason), "{name}: {error}");
            }
            (got, _) => panic!("{name}: wanted {wanted:?}, got {got:?}"),
        }
    }
}

#[test]
fn the_connectors_tokens() {
    let cases: &[Case] = &[
        ("as it is", |_| {}, None),
        ("RS384", |s| s.algorithm = Algorithm::RS384, None),
        ("RS512", |s| s.algorithm = Algorithm::RS512, None),
        ("PS256", |s| s.algorithm = Algorithm::PS256, Some("signed by PS256")),
        ("by somebody else", |s| s.by = &STRANGER, Some("signature is not valid")),
        (
            "its own key in its header",
            |s| {
                s.by = &STRANGER;
                s.header.jwk = serde_json::from_value(jwk("teams", &STRANGER, json!({}))).ok();
                s.header.jku = Some("https://evil.example/keys".into());
            },
            Some("signature is not valid"),
        ),
        ("extensions", |s| s.header.crit = Some(vec!["exp".into()]), Some("extensions")),
        ("no key named", |s| s.header.kid = None, Some("does not name its key")),
        ("an empty key id", |s| s.header.kid = Some(String::new()), Some("does not name its key")),
        ("a shared secret of the set", |s| s.header.kid = Some("shared".into()), Some("other signatures")),
        ("a key for RS256 only", |s| s.header.kid = Some("rs256".into()), None),
        (
            "and another algorithm",
            |s| {
                s.header.kid = Some("rs256".into());
                s.algorithm = Algorithm::RS512;
            },
            Some("other signatures"),
        ),
        ("issuer of another cloud", |s| s.claims["iss"] = json!("https://api.botframework.us"), Some("issuer")),
        ("issuer with a slash", |s| s.claims["iss"] = json!("https://api.botframework.com/"), Some("issuer")),
        (
            "issuer as a prefix",
            |s| s.claims["iss"] = json!("https://api.botframework.com.evil.example"),
            Some("issuer"),
        ),
        ("issuers", |s| s.claims["iss"] = json!(["https://api.botframework.com"]), Some("lacks claims")),
        ("no issuer", |s| s.claims["iss"] = Value::Null, Some("lacks claims")),
        ("another app", |s| s.claims["aud"] = json!("11111111-2222-3333-4444-555555555556"), Some("another App ID")),
        ("no app", |s| s.claims["aud"] = json!(""), Some("another App ID")),
        ("several apps", |s| s.claims["aud"] = json!([APP, "x"]), Some("lacks claims")),
        ("expired within the skew", |s| s.claims["exp"] = json!(NOW - 300), None),
        ("expired", |s| s.claims["exp"] = json!(NOW - 301), Some("expired 301 s ago")),
        ("expired long ago", |s| s.claims["exp"] = json!(i64::MIN), Some("expired")),
        ("no end", |s| s.claims["exp"] = Value::Null, Some("lacks claims")),
        ("an end in words", |s| s.claims["exp"] = json!("tomorrow"), Some("lacks claims")),
        ("valid soon, within the skew", |s| s.claims["nbf"] = json!(NOW + 300), None),
        ("valid later", |s| s.claims["nbf"] = json!(NOW + 301), Some("valid in 301 s")),
        ("valid never", |s| s.claims["nbf"] = json!(i64::MAX), Some("valid in")),
        ("no beginning", |s| drop(s.claims.as_object_mut().unwrap().remove("nbf")), None),
        (
            "the token of the Emulator",
            |s| {
                s.claims = Sent::of_emulator("1.0").claims;
                s.body = emulated(json!({}));
                s.peer = IpAddr::from([127, 0, 0, 1]);
            },
            Some("issuer"),
        ),
    ];
    check(&Sent::of_connector(), cases);
}

#[test]
fn what_a_token_says_about_the_activity() {
    let cases: &[Case] = &[
        ("no serviceurl", |s| s.claims["serviceurl"] = Value::Null, Some("no claim serviceurl")),
        ("an empty one", |s| s.claims["serviceurl"] = json!(""), Some("no claim serviceurl")),
        (
            "as the documentation spells it",
            |s| {
                let url = s.claims.as_object_mut().unwrap().remove("serviceurl").unwrap();
                s.claims["serviceUrl"] = url;
            },
            None,
        ),
        ("spelled both ways", |s| s.claims["serviceUrl"] = json!("https://evil.example/"), Some("lacks claims")),
        ("without the slash", |s| s.claims["serviceurl"] = json!("https://smba.example/emea"), None),
        ("another one", |s| s.claims["serviceurl"] = json!("https://smba.example/amer/"), Some("another serviceUrl")),
        ("a longer one", |s| s.claims["serviceurl"] = json!("https://smba.example/"), Some("another serviceUrl")),
        (
            "the activity's elsewhere",
            |s| {
                s.body = activity(&json!({"serviceUrl": "https://evil.example/emea/"})).to_string().into_bytes();
            },
            Some("another serviceUrl"),
        ),
        (
            "the activity's missing",
            |s| {
                s.body = activity(&json!({"serviceUrl": null})).to_string().into_bytes();
            },
            Some("has no serviceUrl"),
        ),
        (
            "the activity's twice",
            |s| {
                s.body = br#"{"serviceUrl": "https://smba.example/emea/", "channelId": "msteams", "type": "message",
                "serviceUrl": "https://evil.example/"}"#
                    .to_vec();
            },
            Some("no activity"),
        ),
        ("a body that is no JSON", |s| s.body = b"\xff{".to_vec(), Some("no activity")),
        ("no body", |s| s.body.clear(), Some("no activity")),
        (
            "an endorsed channel",
            |s| {
                s.body = activity(&json!({"channelId": "skype"})).to_string().into_bytes();
            },
            None,
        ),
        (
            "another channel",
            |s| {
                s.body = activity(&json!({"channelId": "webchat"})).to_string().into_bytes();
            },
            Some("not endorsed"),
        ),
        (
            "no channel",
            |s| s.body = activity(&json!({"channelId": null})).to_string().into_bytes(),
            Some("not endorsed"),
        ),
        ("a key for other channels", |s| s.header.kid = Some("chat".into()), Some("not endorsed")),
        ("a key without endorsements", |s| s.header.kid = Some("any".into()), None),
        ("a key of which nothing is said", |s| s.header.kid = Some("unsaid".into()), None),
    ];
    check(&Sent::of_connector(), cases);
}

#[test]
fn the_authorization_header_is_one_bearer_token() {
    let cases: &[Case] = &[
        ("in small letters", |s| s.authorization = "bearer {}", None),
        ("none", |s| s.authorization = "", Some("missing")),
        ("another scheme", |s| s.authorization = "Basic {}", Some("not one bearer token")),
        ("no scheme", |s| s.authorization = "{}", Some("not one bearer token")),
        ("no token", |s| s.authorization = "Bearer ", Some("not one bearer token")),
        ("three parts", |s| s.authorization = "Bearer {} x", Some("not one bearer token")),
        ("two spaces", |s| s.authorization = "Bearer  {}", Some("not one bearer token")),
        ("a list", |s| s.authorization = "Bearer {},{}", Some("not one bearer token")),
        ("two lines", |s| s.authorization = "Bearer {}|Bearer {}", Some("more than once")),
        ("not even a token", |s| s.authorization = "Bearer x.y.z", Some("cannot be read")),
        (
            "unsecured with insecure: true",
            |s| {
                s.config = json!({"insecure": true});
                s.authorization = "";
            },
            Some("missing"),
        ),
    ];
    check(&Sent::of_connector(), cases);
    let sent = Sent::of_connector();
    let long = format!("{}{}", sent.token(), "A".repeat(MAX_TOKEN));
    assert!(sent.verified_with(&long).unwrap_err().message().contains("bytes"));
}

#[test]
fn the_us_government_has_tokens_of_its_own() {
    let mut sent = Sent::of_connector();
    sent.config = json!({"cloud": "usgov"});
    let cases: &[Case] = &[
        ("its own", |s| s.claims["iss"] = json!("https://api.botframework.us"), None),
        ("of the public cloud", |_| {}, Some("issuer")),
    ];
    check(&sent, cases);
}

#[test]
fn the_emulators_tokens_are_for_this_machine() {
    for version in ["1.0", "2.0"] {
        let cases: &[Case] = &[
            ("as it is", |_| {}, None),
            ("over IPv6", |s| s.peer = "::ffff:127.0.0.1".parse().unwrap(), None),
            ("from elsewhere", |s| s.peer = IpAddr::from([192, 168, 0, 7]), Some("this machine only")),
            ("while it is not expected", |s| s.config = json!({}), Some("issuer")),
            (
                "of another app",
                |s| {
                    s.claims["appid"] = json!("other");
                    s.claims["azp"] = json!("other");
                },
                Some("issuer"),
            ),
            (
                "of no app",
                |s| {
                    s.claims["appid"] = Value::Null;
                    s.claims["azp"] = Value::Null;
                },
                Some("issuer"),
            ),
            ("for another app", |s| s.claims["aud"] = json!("other"), Some("another App ID")),
            ("of no version", |s| s.claims["ver"] = Value::Null, Some("issuer")),
            ("of another version", |s| s.claims["ver"] = json!("3.0"), Some("issuer")),
            (
                "of another directory",
                |s| {
                    s.claims["iss"] = json!("https://sts.windows.net/00000000-0000-0000-0000-000000000000/");
                },
                Some("issuer"),
            ),
            ("expired", |s| s.claims["exp"] = json!(NOW - 301), Some("expired")),
            (
                "replies elsewhere",
                |s| s.body = emulated(json!({"serviceUrl": "http://localhost.evil.example/"})),
                Some("not on this machine"),
            ),
            ("replies nowhere", |s| s.body = emulated(json!({"serviceUrl": null})), Some("has no serviceUrl")),
            ("replies to 127.0.0.1", |s| s.body = emulated(json!({"serviceUrl": "http://127.0.0.1:5"})), None),
            ("the connector's", |s| s.claims = Sent::of_connector().claims, Some("issuer")),
        ];
        check(&Sent::of_emulator(version), cases);
    }
    let crossed = |version: &str, issuer: &str| {
        let mut sent = Sent::of_emulator(version);
        sent.claims["iss"] = json!(issuer);
        sent.verified().unwrap_err().code()
    };
    assert_eq!(crossed("1.0", EMULATOR_V2[0]), Code::Unauthenticated);
    assert_eq!(crossed("2.0", EMULATOR_V1[0]), Code::Unauthenticated);
}

#[test]
fn tokens_that_nobody_signed_with_the_private_key() {
    let sent = Sent::of_connector();
    let payload = B64.encode(sent.claims.to_string());
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let header = B64.encode(json!({"alg": algorithm, "typ": "JWT", "kid": "teams"}).to_string());
        for token in [format!("{header}.{payload}."), format!("{header}.{payload}"), format!("{header}.{payload}.AA")] {
            assert_eq!(sent.verified_with(&token).unwrap_err().code(), Code::Unauthenticated, "{algorithm}");
        }
    }
    // Everybody knows the public key: it is no shared secret.
    let pem = PLATFORM.public.to_pkcs1_pem(LineEnding::LF).unwrap();
    let der = PLATFORM.public.to_pkcs1_der().unwrap();
    let modulus = PLATFORM.public.n().to_bytes_be();
    for secret in [pem.as_bytes(), der.as_bytes(), &modulus, b"secret", b""] {
        for (algorithm, key) in [(Algorithm::HS256, "teams"), (Algorithm::HS512, "teams"), (Algorithm::HS256, "shared")]
        {
            let mut header = Header::new(algorithm);
            header.kid = Some(key.into());
            let forged = encode(&header, &sent.claims, &EncodingKey::from_secret(secret)).unwrap();
            let error = sent.verified_with(&forged).unwrap_err();
            assert_eq!(error.code(), Code::Unauthenticated);
            assert!(error.message().contains("not believed"), "{error}");
        }
    }
}

#[test]
fn a_token_with_one_character_changed_is_refused() {
    let sent = Sent::of_connector();
    let token = sent.token();
    for place in (0..token.len()).step_by(7) {
        let mut changed = token.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        // The last character of a part has bits that mean nothing.
        if token[place + 1..].is_empty() || token[place + 1..].starts_with('.') {
            continue;
        }
        let code = sent.verified_with(&changed).unwrap_err().code();
        assert!(matches!(code, Code::Unauthenticated | Code::KeysWanted), "{place}");
    }
    let (signed, signature) = token.rsplit_once('.').unwrap();
    for other in ["", "AA", &signature[..signature.len() - 4], &format!("{signature}AAAA")] {
        let error = sent.verified_with(&format!("{signed}.{other}")).unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated);
        // The log learns why, and nothing that could be used.
        assert!(!error.to_string().contains(signature) && !error.to_string().contains(APP), "{error}");
    }
}

#[test]
fn only_tokens_in_order_make_the_host_fetch_keys() {
    let mut sent = Sent::of_connector();
    for number in 0..200 {
        sent.header.kid = Some(format!("unknown-{number}\n\u{1b}"));
        let error = sent.verified().unwrap_err();
        assert_eq!(error.code(), Code::KeysWanted);
        assert!(!error.message().contains(['\n', '\u{1b}']), "{error}");
    }
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!("other")),
        ("exp", json!(NOW - 301)),
        ("nbf", json!(NOW + 301)),
    ] {
        let mut sent = sent.clone();
        sent.claims[name] = value;
        assert_eq!(sent.verified().unwrap_err().code(), Code::Unauthenticated, "{name}");
    }
    let mut long = sent.clone();
    long.header.kid = Some("k".repeat(MAX_PLATFORM_ID + 1));
    assert_eq!(long.verified().unwrap_err().code(), Code::Unauthenticated);
    // Nothing was fetched yet.
    let sent = Sent::of_connector();
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", sent.token())).unwrap());
    let channel = open(&json!({}), &[APP]).unwrap();
    let error = channel.verify(&context(), &post(&headers, &sent.body)).unwrap_err();
    assert_eq!(error.code(), Code::KeysWanted);
}

#[test]
fn the_app_id_decides_what_is_verified() {
    let of = |config: Value, apps: &[&str]| open(&config, apps).unwrap().verification();
    let on = Verification::By("Bot Framework token");
    assert_eq!(of(json!({}), &[]), Verification::Off);
    assert_eq!(of(json!({}), &[" "]), Verification::Off);
    assert_eq!(of(json!({"emulator": true}), &[]), Verification::Off);
    assert_eq!(of(json!({"insecure": true}), &[]), Verification::Insecure);
    assert_eq!(of(json!({"insecure": true}), &[APP]), on);
    assert_eq!(of(json!({"app_id": APP}), &[]), on);
    let off = open(&json!({}), &[]).unwrap();
    let verify = |channel: &dyn Channel| channel.verify(&context(), &post(&HeaderMap::new(), b"{}"));
    assert_eq!(verify(&*off).unwrap_err().code(), Code::RouteOff);
    assert!(verify(&*open(&json!({"insecure": true}), &[]).unwrap()).is_ok());
    // A bot that moves to another app is known by both ids, in any spelling of theirs.
    let mut moved = Sent::of_connector();
    moved.config = json!({"app_id": "AAAAAAAA-2222-3333-4444-555555555555"});
    assert!(moved.verified().is_ok());
    moved.claims["aud"] = json!("aaaaaaaa-2222-3333-4444-555555555555");
    assert!(moved.verified().is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_token_or_body_makes_it_panic(token in "[ -~]{0,60}", parts in prop::array::uniform3(".{0,20}"),
                                       body in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut sent = Sent::of_connector();
        sent.body = body;
        let encoded = parts.map(|part| B64.encode(part)).join(".");
        for token in [token, encoded] {
            prop_assert!(sent.verified_with(&token).is_err());
        }
        // A token that is in order does not make a body believed that names another place.
        prop_assert!(sent.verified().is_err());
    }
}
