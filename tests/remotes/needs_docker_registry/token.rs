//! An authorization server that the registry trusts.
//!
//! `keys/` holds a key and its certificate, made for this alone; they open nothing else.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::PASSWORD;

const KEY: &str = include_str!("keys/key.pem");
const CERTIFICATE: &str = include_str!("keys/cert.pem");
const ISSUER: &str = "tokens of a test";
const SERVICE: &str = "packs";

/// An authorization server on a port of its own.
pub(super) struct Server {
    address: String,
    asked: Asked,
}

type Asked = Arc<Mutex<Vec<String>>>;

#[derive(Deserialize)]
struct Ask {
    service: String,
    scope: String,
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    refresh_token: String,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Asked::default();
        let routes = Router::new().route("/token", get(by_login).post(by_refresh)).with_state(Arc::clone(&asked));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, asked }
    }

    /// What a registry's settings say of it.
    pub(super) fn settings(&self, dir: &Path) -> String {
        let file = dir.join("cert.pem");
        std::fs::write(&file, CERTIFICATE).unwrap();
        format!(
            "auth:\n  token: {{realm: 'http://{}/token', service: {SERVICE}, issuer: {ISSUER}, rootcertbundle: {}}}\n",
            self.address,
            file.display()
        )
    }

    /// What it was asked since this was asked before.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock())
    }

    /// A token for who pushes.
    pub(super) fn push_token(&self, repository: &str) -> String {
        token(repository, &["pull", "push"])
    }
}

async fn by_login(State(asked): State<Asked>, Query(ask): Query<Ask>, headers: HeaderMap) -> Response {
    let ann = format!("Basic {}", STANDARD.encode(format!("ann:{PASSWORD}")));
    if headers.get("authorization").is_none_or(|value| value != ann.as_str()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    asked.lock().push(format!("GET ann {}", ask.scope));
    answer("token", &ask)
}

async fn by_refresh(State(asked): State<Asked>, body: String) -> Response {
    let form: std::collections::BTreeMap<String, String> =
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let ask: Ask = serde_json::from_value(json!(form)).unwrap();
    assert_eq!(ask.grant_type, "refresh_token");
    asked.lock().push(format!("POST {} {}", ask.refresh_token, ask.scope));
    answer("access_token", &ask)
}

fn answer(field: &str, ask: &Ask) -> Response {
    assert_eq!(ask.service, SERVICE);
    let repository = ask.scope.strip_prefix("repository:").and_then(|rest| rest.strip_suffix(":pull")).unwrap();
    Json(json!({field: token(repository, &["pull"]), "expires_in": 300})).into_response()
}

fn token(repository: &str, actions: &[&str]) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let access: Value = json!([{"type": "repository", "name": repository, "actions": actions}]);
    let claims = json!({
        "iss": ISSUER, "sub": "ann", "aud": SERVICE, "jti": "1",
        "iat": now - 60, "nbf": now - 60, "exp": now + 300, "access": access,
    });
    let der: String = CERTIFICATE.lines().filter(|line| !line.starts_with("-----")).collect();
    let mut header = Header::new(Algorithm::ES256);
    header.x5c = Some(vec![der]);
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ec_pem(KEY.as_bytes()).unwrap()).unwrap()
}
