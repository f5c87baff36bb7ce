use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use futures::future::join_all;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::clock::{ManualClock, Timestamp};

/// A platform that publishes keys. What it answers can be changed.
struct Platform {
    keys: Mutex<(StatusCode, String)>,
    asked: AtomicUsize,
    url: String,
}

fn set(ids: &[&str]) -> String {
    let key = |id: &&str| json!({"kty": "RSA", "kid": id, "n": "sXch", "e": "AQAB", "endorsements": ["msteams"]});
    json!({"keys": ids.iter().map(key).collect::<Vec<_>>()}).to_string()
}

impl Platform {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = Mutex::new((StatusCode::OK, set(&["a"])));
        let platform = Arc::new(Self { keys, asked: AtomicUsize::new(0), url });
        let answer = async |State(platform): State<Arc<Self>>| {
            platform.asked.fetch_add(1, Ordering::SeqCst);
            platform.keys.lock().clone()
        };
        let openid =
            async |State(platform): State<Arc<Self>>| json!({"jwks_uri": format!("{}/keys", platform.url)}).to_string();
        let elsewhere = async || json!({"jwks_uri": "https://127.0.0.1:9/keys"}).to_string();
        let router = Router::new()
            .route("/keys", get(answer))
            .route("/openid", get(openid))
            .route("/elsewhere", get(elsewhere))
            .with_state(Arc::clone(&platform));
        tokio::spawn(async move { axum::serve(listener, router).await });
        platform
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn publishes(&self, status: StatusCode, keys: &str) {
        *self.keys.lock() = (status, keys.to_owned());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn keys() -> (PlatformKeys, ManualClock) {
    let clock = ManualClock::new(Timestamp(1_000_000_000));
    (PlatformKeys::new(Arc::new(clock.clone())), clock)
}

async fn has(keys: &PlatformKeys, url: &str, id: &str) -> bool {
    keys.renewed(url).await.unwrap().find(id).is_some()
}

#[tokio::test]
async fn missing_keys_are_looked_for_once_an_hour_and_by_one() {
    let platform = Platform::start().await;
    let (keys, clock) = keys();
    let url = platform.url("/openid");
    assert!(keys.known(&url).unwrap().is_none());
    assert_eq!(platform.asked(), 0, "nothing is fetched before it is needed");
    assert!(join_all((0..50).map(|_| has(&keys, &url, "b"))).await.iter().all(|found| !found));
    assert_eq!(platform.asked(), 1);
    assert_eq!(keys.known(&url).unwrap().unwrap().find("a").unwrap().endorsements(), ["msteams"]);
    platform.publishes(StatusCode::OK, &set(&["a", "b"]));
    clock.advance(HOUR - Duration::from_millis(1));
    assert!(!has(&keys, &url, "b").await);
    clock.advance(Duration::from_millis(1));
    assert!(has(&keys, &url, "b").await);
    assert_eq!(platform.asked(), 2);
}

#[tokio::test]
async fn keys_are_used_on_while_they_cannot_be_fetched() {
    let platform = Platform::start().await;
    let (keys, clock) = keys();
    let url = platform.url("/keys");
    assert!(has(&keys, &url, "a").await);
    platform.publishes(StatusCode::SERVICE_UNAVAILABLE, "");
    clock.advance(HOUR);
    assert!(has(&keys, &url, "a").await);
    assert_eq!(platform.asked(), 2);
    assert!(has(&keys, &url, "a").await);
    assert_eq!(platform.asked(), 2, "what failed is tried again after half a minute only");
    clock.advance(PACE.pause_after_failure);
    assert!(has(&keys, &url, "a").await);
    assert_eq!(platform.asked(), 3);
    clock.advance(PACE.usable);
    assert_eq!(keys.renewed(&url).await.unwrap_err().code(), Code::KeysWanted);
    assert!(keys.known(&url).unwrap().is_none());
}

#[tokio::test]
async fn what_is_no_key_set_is_none() {
    let platform = Platform::start().await;
    let (keys, clock) = keys();
    for body in ["", "[]", "{}", r#"{"keys": {}}"#, r#"{"keys": []}"#, r#"{"keys": [{"kty": "oct"}]}"#] {
        platform.publishes(StatusCode::OK, body);
        clock.advance(HOUR);
        assert_eq!(keys.renewed(&platform.url("/keys")).await.unwrap_err().code(), Code::KeysWanted, "{body}");
    }
    for url in [&platform.url("/elsewhere"), "file:///keys", "keys"] {
        assert_eq!(keys.renewed(url).await.unwrap_err().code(), Code::KeysWanted, "{url}");
    }
}
