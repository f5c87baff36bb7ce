use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::server::refreshed::MOST_WAITING;

fn jwk(id: &str) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn set(ids: &[&str]) -> String {
    json!({"keys": ids.iter().map(|id| jwk(id)).collect::<Vec<_>>()}).to_string()
}

fn clock() -> ManualClock {
    ManualClock::new(Timestamp(1_000_000_000))
}

/// A server of a set whose answer can be changed.
struct Issuer {
    answer: Mutex<(StatusCode, String)>,
    asked: AtomicUsize,
}

impl Issuer {
    async fn start(ids: &[&str]) -> (Arc<Self>, Url) {
        let issuer = Arc::new(Self { answer: Mutex::new((StatusCode::OK, set(ids))), asked: AtomicUsize::new(0) });
        let answer = async |State(issuer): State<Arc<Self>>| {
            issuer.asked.fetch_add(1, Ordering::SeqCst);
            issuer.answer.lock().clone()
        };
        let router = axum::Router::new().route("/keys", get(answer)).with_state(Arc::clone(&issuer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (issuer, url)
    }

    fn answers(&self, status: StatusCode, body: &str) {
        *self.answer.lock() = (status, body.to_owned());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn code(set: &Arc<KeySet>, id: Option<&str>) -> Option<Code> {
    set.find(id).await.err().map(|error| error.code())
}

#[tokio::test]
async fn unknown_keys_make_it_read_once_in_a_while() {
    let (issuer, url) = Issuer::start(&["a"]).await;
    let clock = clock();
    let keys = Arc::new(KeySet::of_url(url, Algorithm::EdDSA, Arc::new(clock.clone())).unwrap());
    assert_eq!(issuer.asked(), 0, "nothing is fetched before it is needed");
    let many = (0..50).map(|n| {
        let keys = Arc::clone(&keys);
        async move { keys.find(Some(&format!("unknown-{n}"))).await.err().unwrap().code() }
    });
    assert!(futures::future::join_all(many).await.iter().all(|code| *code == Code::TenantToken));
    assert_eq!(issuer.asked(), 1);
    assert_eq!(code(&keys, Some("a")).await, None);
    assert_eq!(code(&keys, None).await, None, "the only key needs no name");
    // A key that is new is found as soon as it may be looked for.
    issuer.answers(StatusCode::OK, &set(&["a", "b"]));
    assert_eq!(code(&keys, Some("b")).await, Some(Code::TenantToken));
    clock.advance(PAUSE);
    assert_eq!(code(&keys, Some("b")).await, None);
    assert_eq!(code(&keys, None).await, Some(Code::TenantToken), "with two keys a token has to name one");
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn a_set_that_cannot_be_read_is_used_for_a_while() {
    let (issuer, url) = Issuer::start(&["a"]).await;
    let clock = clock();
    let keys = Arc::new(KeySet::of_url(url, Algorithm::EdDSA, Arc::new(clock.clone())).unwrap());
    issuer.answers(StatusCode::BAD_GATEWAY, "");
    assert_eq!(code(&keys, Some("a")).await, Some(Code::TenantKeysUnavailable));
    issuer.answers(StatusCode::OK, &set(&["a"]));
    assert_eq!(code(&keys, Some("a")).await, Some(Code::TenantKeysUnavailable), "not asked again at once");
    clock.advance(PAUSE);
    assert_eq!(code(&keys, Some("a")).await, None);
    let big = "x".repeat(300 << 10);
    for broken in ["no set", r#"{"keys": []}"#, &big] {
        issuer.answers(StatusCode::OK, broken);
        clock.advance(PAUSE);
        assert_eq!(code(&keys, Some("b")).await, Some(Code::TenantToken));
        assert_eq!(code(&keys, Some("a")).await, None, "{broken:.20}");
    }
    issuer.answers(StatusCode::FOUND, "");
    clock.advance(USABLE);
    assert_eq!(
        code(&keys, Some("a")).await,
        Some(Code::TenantKeysUnavailable),
        "keys that are too old are worth nothing"
    );
}

#[tokio::test]
async fn old_keys_are_read_again_while_they_are_used() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.json");
    std::fs::write(&path, set(&["a"])).unwrap();
    let clock = clock();
    let keys = Arc::new(KeySet::of_file(path.clone(), Algorithm::EdDSA, Arc::new(clock.clone())).unwrap());
    std::fs::write(&path, set(&["b"])).unwrap();
    assert_eq!(code(&keys, Some("a")).await, None);
    clock.advance(DUE);
    assert_eq!(code(&keys, Some("a")).await, None, "nobody waits for the reading");
    // It is over when its turn is.
    while code(&keys, Some("a")).await.is_none() {
        drop(keys.0.turn.lock().await);
        tokio::task::yield_now().await;
    }
    assert_eq!(code(&keys, Some("b")).await, None);
}

#[tokio::test]
async fn no_more_than_a_few_wait_for_a_reading() {
    let (_issuer, url) = Issuer::start(&["a"]).await;
    let keys = Arc::new(KeySet::of_url(url, Algorithm::EdDSA, Arc::new(clock())).unwrap());
    let turn = Arc::clone(&keys.0.turn).lock_owned().await;
    let mut waiting: Vec<_> = (0..MOST_WAITING).map(|_| Box::pin(keys.find(Some("a")))).collect();
    for find in &mut waiting {
        assert!(futures::poll!(find).is_pending());
    }
    assert_eq!(code(&keys, Some("a")).await, Some(Code::TenantKeysUnavailable));
    drop(turn);
    assert!(futures::future::join_all(waiting).await.iter().all(Result::is_ok));
}

#[test]
fn keys_for_something_else_are_not_used() {
    let with = |key: &str, value: &str| {
        let mut jwk = jwk("a");
        jwk[key] = json!(value);
        usable(jwk, Algorithm::EdDSA).is_some()
    };
    assert!(with("use", "sig") && with("alg", "EdDSA"));
    assert!(!with("use", "enc") && !with("alg", "RS256") && !with("kty", "RSA"));
    assert!(usable(jwk("a"), Algorithm::RS256).is_none());
    let many = set(&vec!["a"; MOST_KEYS + 1]);
    assert!(parse(many.as_bytes(), Algorithm::EdDSA).is_err());
}
