//! A server that a platform would run: what was announced, and published keys.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

pub(crate) struct Platform {
    pub(crate) address: SocketAddr,
    /// What the next requests are answered with; then the message.
    pub(crate) answers: Mutex<VecDeque<u16>>,
    pub(crate) asked: AtomicUsize,
    pub(crate) keys: Mutex<Vec<&'static str>>,
}

impl Platform {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let platform = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            answers: Mutex::default(),
            asked: AtomicUsize::new(0),
            keys: Mutex::new(vec!["key-1"]),
        });
        let router = Router::new()
            .route("/messages/{id}", get(message))
            .route("/openid", get(openid))
            .route("/keys", get(keys))
            .with_state(Arc::clone(&platform));
        tokio::spawn(async move { axum::serve(listener, router).await });
        platform
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn message(State(platform): State<Arc<Platform>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    platform.asked.fetch_add(1, Ordering::SeqCst);
    assert_eq!(headers["authorization"], "Bearer bot-token");
    if let Some(status) = platform.answers.lock().await.pop_front() {
        return (StatusCode::from_u16(status).unwrap(), [("retry-after", "0")]).into_response();
    }
    let place = id.split('-').next().unwrap().to_owned();
    Json(json!({"kind": "message", "id": id, "place": place, "texts": [format!("text of {id}")]})).into_response()
}

async fn openid(State(platform): State<Arc<Platform>>) -> Json<Value> {
    Json(json!({"issuer": "courier", "jwks_uri": platform.url("/keys")}))
}

async fn keys(State(platform): State<Arc<Platform>>) -> Json<Value> {
    platform.asked.fetch_add(1, Ordering::SeqCst);
    let key = |kid: &&str| json!({"kty": "RSA", "kid": kid, "n": "sXch", "e": "AQAB", "endorsements": ["courier"]});
    Json(json!({"keys": platform.keys.lock().await.iter().map(key).collect::<Vec<_>>()}))
}
