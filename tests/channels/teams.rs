//! Teams at its real route: the connector's tokens by keys that it publishes, messages that a flow answers, invokes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use greentic_runner_host::ingress::teams::Address;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::platforms::teams::Teams;
use crate::{Running, Setup};

pub(crate) const APP: &str = "11111111-2222-3333-4444-555555555555";
const SERVICE: &str = "https://smba.example/emea/";

/// The Bot Framework's login service, with a key of its own.
pub(crate) struct Login {
    pub(crate) base: String,
    key: EncodingKey,
    asked: Arc<AtomicUsize>,
}

impl Login {
    pub(crate) async fn start() -> Self {
        let key = RsaPrivateKey::new(&mut OsRng, 1024).unwrap();
        let part = |number: &rsa::BigUint| B64.encode(number.to_bytes_be());
        let keys = json!({"keys": [{"kty": "RSA", "use": "sig", "kid": "k", "n": part(key.n()), "e": part(key.e()),
            "endorsements": ["msteams"]}]});
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let openid =
            json!({"issuer": "https://api.botframework.com", "jwks_uri": format!("{base}/v1/.well-known/keys")});
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let keys = move || {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Json(keys.clone()))
        };
        let router = Router::new()
            .route("/v1/.well-known/openidconfiguration", get(move || std::future::ready(Json(openid.clone()))))
            .route("/v1/.well-known/keys", get(keys));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, key: EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes()), asked }
    }

    pub(crate) fn token(&self, kid: &str, service: &str) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({"iss": "https://api.botframework.com", "aud": APP, "nbf": now, "exp": now + 3600,
            "serviceurl": service});
        let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::RS256) };
        encode(&header, &claims, &self.key).unwrap()
    }
}

fn activity(changes: &Value) -> Value {
    let mut activity = json!({"type": "message", "id": "1", "channelId": "msteams", "serviceUrl": SERVICE,
        "timestamp": "2026-01-02T18:27:44Z", "text": "<at>Bot</at> hello", "conversation": {"id": "a:1"},
        "from": {"id": "29:u"}, "recipient": {"id": "28:bot"},
        "entities": [{"type": "mention", "text": "<at>Bot</at>", "mentioned": {"id": "28:bot"}}]});
    activity.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    activity
}

async fn sent(running: &Running, token: &str, body: &Value) -> (u16, String) {
    let request = running.client.post(running.url("/teams/activities")).bearer_auth(token).json(body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn activities_of_teams_are_verified_and_answered() {
    let login = Login::start().await;
    let mut setup = Setup::of(&format!(
        "flow_type_bindings: {{ messaging: {{ adapter: teams, config: {{ login_base_url: '{}' }} }} }}",
        login.base
    ));
    setup.vars.push(("TEAMS_APP_ID", APP));
    let running = setup.start().await.unwrap();
    let status = async |kid: &str, service: &str, changes: Value| {
        sent(&running, &login.token(kid, service), &activity(&changes)).await.0
    };

    // Tokens that are not in order otherwise make the host ask for nothing.
    assert_eq!(sent(&running, "a.b.c", &activity(&json!({}))).await.0, 401);
    assert_eq!(login.asked.load(Ordering::SeqCst), 0);
    let invented: Vec<String> = (0..50).map(|n| format!("invented-{n}")).collect();
    let storm = futures::future::join_all(invented.iter().map(|kid| status(kid, SERVICE, json!({})))).await;
    assert!(storm.iter().all(|status| *status == 401), "{storm:?}");
    assert_eq!(status("k", "https://evil.example/", json!({})).await, 401);
    assert_eq!(status("k", SERVICE, json!({"channelId": "webchat"})).await, 401);

    for _ in 0..2 {
        assert_eq!(status("k", SERVICE, json!({})).await, 202, "and once more, as Teams repeats it");
    }
    assert_eq!(status("k", SERVICE, json!({"type": "messageUpdate"})).await, 200);
    assert_eq!(status("k", SERVICE, json!({"id": "2", "text": "again"})).await, 202);
    let address =
        Address { service_url: SERVICE.into(), conversation: "a:1".into(), activity: None, bot: Some("28:bot".into()) };
    let said = running.said_by("t", "teams", &address.to_text(), 2).await;
    assert_eq!(said, ["echo: hello", "echo: again"]);
    assert_eq!(login.asked.load(Ordering::SeqCst), 1);

    // An invoke is answered in the body, if the flow says something that its operation takes.
    let invoke = |id: &str, name: &str, text: &str| {
        activity(&json!({"type": "invoke", "id": id, "name": name, "value": {"action": {}}, "text": text}))
    };
    let token = login.token("k", SERVICE);
    let (answered, body) = sent(&running, &token, &invoke("3", "adaptiveCard/action", "done")).await;
    assert_eq!(answered, 200);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["value"], "echo: done");
    let (answered, _) = sent(&running, &token, &invoke("4", "composeExtension/query", "what")).await;
    assert_eq!(answered, 501);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_app_id_teams_is_off() {
    let running = Setup::of("flow_type_bindings: { messaging: { adapter: teams } }").start().await.unwrap();
    assert_eq!(sent(&running, "a.b.c", &activity(&json!({}))).await.0, 403);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_go_to_the_service_that_the_token_named() {
    let (login, platform) = (Login::start().await, Teams::start(APP, "canary").await);
    let mut config = platform.config();
    config["login_base_url"] = json!(login.base);
    let bindings = json!({"messaging": {"adapter": "teams", "config": config}});
    let mut setup = Setup::of(&format!("flow_type_bindings: {bindings}"));
    setup.vars.extend([("TEAMS_APP_ID", APP), ("TEAMS_APP_PASSWORD", "canary")]);
    let running = setup.start().await.unwrap();
    let service = platform.service_url();
    let say = async |id: &str, text: &str| {
        let body = activity(&json!({"id": id, "text": text, "serviceUrl": service}));
        assert_eq!(sent(&running, &login.token("k", &service), &body).await.0, 202);
    };
    say("1", "one").await;
    say("2", "two").await;
    let taken = platform.script.taken(2).await;
    let texts: Vec<_> = taken.iter().map(|taken| taken.body["text"].as_str().unwrap()).collect();
    assert_eq!((texts, platform.given()), (vec!["echo: one", "echo: two"], 1));
    // A token that is taken back before its time is asked for anew, and the message is sent once.
    platform.revoke();
    say("3", "three").await;
    assert_eq!(platform.script.taken(3).await[2].body["text"], "echo: three");
    assert_eq!(platform.given(), 2);
    // To another service, whoever named it, the app's token never goes.
    let other = "https://smba.example/emea/";
    let body = activity(&json!({"id": "4", "conversation": {"id": "a:2"}, "serviceUrl": other}));
    assert_eq!(sent(&running, &login.token("k", other), &body).await.0, 202);
    say("5", "five").await;
    assert_eq!(platform.script.taken(4).await[3].body["text"], "echo: five");
    running.end().await;
}
