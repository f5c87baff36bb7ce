//! The stores of clouds, by local servers that speak what Google and Microsoft document of Secret Manager and Key Vault,
//! and, for what goes wrong, of AWS too. There is no packaged emulator of the first two; AWS by one that checks
//! signatures is in `tests/remotes`.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

/// Only who hangs is not waited for.
const SHORT: Times = Times {
    attempt: Duration::from_secs(10),
    all: Duration::from_secs(60),
    pause: Duration::from_millis(1),
    longest: Duration::from_millis(50),
};

/// What a server does with requests for secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    Hangs,
    Nonsense,
    OtherJson,
    Endless,
    /// Limits its rate for that many requests.
    Busy(usize),
    /// Wants to be left alone for an hour.
    Tired,
    Broken,
    Refuses,
    Forbids,
    /// Lets nobody have values that are being replaced.
    Guards,
    Redirects,
}

#[derive(Default)]
struct Known {
    /// Values by name: for Google the Base64 of each version, for Azure the whole of what was put.
    secrets: Mutex<HashMap<String, Value>>,
    asked: AtomicUsize,
    tokens: AtomicUsize,
    /// What so many of those who ask for tokens are answered first.
    no_tokens: Mutex<(usize, StatusCode)>,
    /// What asked for tokens.
    token_requests: Mutex<Vec<String>>,
}

struct Server {
    times: Times,
    address: SocketAddr,
    known: Arc<Known>,
}

impl Server {
    async fn start(mood: Mood) -> Self {
        let known = Arc::<Known>::default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state((Arc::clone(&known), mood));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let attempt = if mood == Mood::Hangs { Duration::from_millis(300) } else { SHORT.attempt };
        Self { times: Times { attempt, ..SHORT }, address, known }
    }

    /// The store behind this server, with `more` settings.
    fn store(&self, backend: SecretsBackend, more: &[(&str, &str)]) -> Arc<dyn SecretsManager> {
        let url = format!("http://{}", self.address);
        let settings: Vec<(&str, String)> = match backend {
            SecretsBackend::Aws => vec![
                ("AWS_REGION", "eu-central-1".into()),
                ("AWS_ENDPOINT_URL", url),
                ("AWS_ACCESS_KEY_ID", "id".into()),
                ("AWS_SECRET_ACCESS_KEY", "canary-key".into()),
            ],
            SecretsBackend::Gcp => vec![
                ("GOOGLE_CLOUD_PROJECT", "demo".into()),
                ("GOOGLE_SECRET_MANAGER_ENDPOINT", url),
                ("GCE_METADATA_HOST", self.address.to_string()),
            ],
            _ => vec![
                ("AZURE_KEYVAULT_URL", url.clone()),
                ("AZURE_AUTHORITY_HOST", url),
                ("AZURE_TENANT_ID", "directory".into()),
                ("AZURE_CLIENT_ID", "client".into()),
                ("AZURE_CLIENT_SECRET", "canary-secret".into()),
            ],
        };
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let environment = Environment::from_iter(settings.into_iter().chain(more));
        open_with(backend, &environment, self.times).unwrap().unwrap()
    }
}

/// What is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn new() -> (Self, impl tracing::Subscriber + Send + Sync) {
        let lines = Self::default();
        let writer = lines.clone();
        (lines, tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish())
    }

    fn all(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Settings with which a store cannot be opened, and what is said of them.
type Unusable<'a> = (SecretsBackend, &'a [(&'a str, &'a str)], &'a str);

const CLOUDS: [SecretsBackend; 3] = [SecretsBackend::Aws, SecretsBackend::Gcp, SecretsBackend::Azure];
const OWN: [SecretsBackend; 2] = [SecretsBackend::Gcp, SecretsBackend::Azure];

fn tenant() -> SecretScope {
    SecretScope::of_tenant(&Id::from("prod"), &Id::from("acme"))
}

fn error(status: u16, body: Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

async fn answer(State((known, mood)): State<(Arc<Known>, Mood)>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    let path = head.uri.path().to_owned();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    if path.ends_with("/token") {
        let number = known.tokens.fetch_add(1, Ordering::SeqCst);
        let (times, status) = *known.no_tokens.lock();
        if number < times {
            return (status, "canary").into_response();
        }
        let marks = [header("metadata"), header("metadata-flavor"), header("x-identity-header")];
        let marks: String = marks.into_iter().flatten().collect();
        known.token_requests.lock().push(format!("{} {} {body} {marks}", head.method, head.uri));
        return axum::Json(json!({ "access_token": format!("token-{number}"), "expires_in": 3600 })).into_response();
    }
    if let Some(role) = path.strip_prefix("/latest/meta-data/iam/security-credentials/") {
        return match role {
            "" => "host".into_response(),
            _ => axum::Json(json!({
                "Code": "Success", "AccessKeyId": "id", "SecretAccessKey": "canary-key", "Token": "canary-token",
                "Expiration": "2100-01-01T00:00:00Z",
            }))
            .into_response(),
        };
    }
    let asked = known.asked.fetch_add(1, Ordering::SeqCst);
    let is_aws = header("x-amz-target").is_some();
    let is_gcp = path.starts_with("/v1/projects/demo/");
    let (refused, forbidden) = match (is_aws, is_gcp) {
        (true, _) => (
            error(400, json!({ "__type": "UnrecognizedClientException", "message": "canary" })),
            error(400, json!({ "__type": "com.amazonaws#AccessDeniedException", "Message": "canary" })),
        ),
        (_, true) => (
            error(401, json!({ "error": { "code": 401, "status": "UNAUTHENTICATED", "message": "canary" } })),
            error(403, json!({ "error": { "code": 403, "status": "PERMISSION_DENIED", "message": "canary" } })),
        ),
        _ => (
            error(401, json!({ "error": { "code": "Unauthorized", "message": "canary" } })),
            error(403, json!({ "error": { "code": "Forbidden", "innererror": { "code": "ForbiddenByRbac" } } })),
        ),
    };
    match mood {
        Mood::Hangs => std::future::pending().await,
        Mood::Nonsense => "<html>canary</html>".into_response(),
        Mood::OtherJson => axum::Json(json!({ "canary": ["canary"] })).into_response(),
        Mood::Endless => {
            Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 4096]))).into_response()
        }
        Mood::Busy(times) if asked < times => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")], "canary").into_response()
        }
        Mood::Tired => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")], "canary").into_response(),
        Mood::Broken => (StatusCode::BAD_GATEWAY, "canary").into_response(),
        Mood::Refuses => refused,
        Mood::Forbids => forbidden,
        Mood::Guards if format!("{path} {body}").contains("previous") => forbidden,
        Mood::Guards if is_aws => axum::Json(json!({ "SecretString": "new" })).into_response(),
        Mood::Redirects => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", "http://169.254.169.254/canary")]).into_response()
        }
        Mood::Well | Mood::Busy(_) if is_aws => error(400, json!({ "__type": "ResourceNotFoundException" })),
        Mood::Well | Mood::Guards | Mood::Busy(_) => {
            let bearer = header("authorization").unwrap_or_default();
            if !bearer.starts_with("Bearer token-") {
                return refused;
            }
            let mut secrets = known.secrets.lock();
            match is_gcp {
                true => google(&mut secrets, &format!("{} {}", head.method, head.uri), &body),
                false => azure(&mut secrets, &format!("{} {}", head.method, head.uri), &body),
            }
        }
    }
}

/// `projects.secrets` of the documented interface: `create`, `addVersion` and `versions.access`.
fn google(secrets: &mut HashMap<String, Value>, request: &str, body: &str) -> Response {
    let absent = || error(404, json!({ "error": { "code": 404, "status": "NOT_FOUND", "message": "no such secret" } }));
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    if let Some(name) = request.strip_prefix("POST /v1/projects/demo/secrets?secretId=") {
        assert_eq!(body, json!({ "replication": { "automatic": {} } }));
        secrets.insert(name.to_owned(), Value::Null);
        return axum::Json(json!({ "name": name })).into_response();
    }
    if let Some(rest) = request.strip_prefix("POST /v1/projects/demo/secrets/") {
        let name = rest.strip_suffix(":addVersion").unwrap();
        let Some(known) = secrets.get_mut(name) else { return absent() };
        *known = body["payload"]["data"].clone();
        return axum::Json(json!({ "name": name, "state": "ENABLED" })).into_response();
    }
    let name = request.strip_prefix("GET /v1/projects/demo/secrets/").unwrap();
    let name = name.strip_suffix("/versions/latest:access").unwrap();
    match secrets.get(name) {
        Some(Value::String(data)) if data == "disabled" => error(
            400,
            json!({ "error": { "code": 400, "status": "FAILED_PRECONDITION", "message": "is in DISABLED state" } }),
        ),
        Some(Value::String(data)) => axum::Json(json!({ "name": name, "payload": { "data": data } })).into_response(),
        _ => absent(),
    }
}

/// Get Secret and Set Secret of the documented interface.
fn azure(secrets: &mut HashMap<String, Value>, request: &str, body: &str) -> Response {
    let (request, version) = request.split_once('?').unwrap();
    assert_eq!(version, "api-version=7.4");
    if let Some(name) = request.strip_prefix("PUT /secrets/") {
        if name.ends_with("deleted") {
            return error(
                409,
                json!({ "error": { "code": "Conflict", "innererror": { "code": "ObjectIsDeletedButRecoverable" } } }),
            );
        }
        let value: Value = serde_json::from_str(body).unwrap();
        secrets.insert(name.to_owned(), value.clone());
        return axum::Json(value).into_response();
    }
    match secrets.get(request.strip_prefix("GET /secrets/").unwrap()) {
        Some(Value::Null) => {
            error(403, json!({ "error": { "code": "Forbidden", "innererror": { "code": "SecretDisabled" } } }))
        }
        Some(value) => axum::Json(value.clone()).into_response(),
        None => error(404, json!({ "error": { "code": "SecretNotFound", "message": "no such secret" } })),
    }
}

#[tokio::test]
async fn what_is_stored_is_read_again() {
    let server = Server::start(Mood::Well).await;
    for backend in OWN {
        let store = server.store(backend, &[]);
        assert!(store.read(&tenant(), "CRM_KEY").await.unwrap().is_empty(), "{backend:?}");
        for value in [&b"a text"[..], b"another \xc3\xbc", b"\xff\x00"] {
            store.write(&tenant(), "CRM_KEY", &SecretBytes::new(value)).await.unwrap();
            let found = store.read_bytes(&tenant(), "crm/key").await.unwrap();
            assert_eq!(found, [SecretBytes::new(value)], "{backend:?}");
        }
        let error = store.read(&tenant(), "CRM_KEY").await.unwrap_err();
        assert_eq!(error.code(), Code::SecretInvalid, "{backend:?}: bytes are no text");
        store.check().await.unwrap();
    }
    let names: Vec<_> = server.known.secrets.lock().keys().cloned().collect();
    assert!(names.contains(&"greentic--prod--acme--_--_--crm_key".to_owned()), "{names:?}");
    assert!(names.contains(&"greentic--prod--acme--0x--0x--crm-key".to_owned()), "{names:?}");
}

#[tokio::test]
async fn a_secret_that_is_replaced_has_two_values() {
    let server = Server::start(Mood::Well).await;
    for backend in OWN {
        let store = server.store(backend, &[]);
        store.write(&tenant(), "TOKEN", &SecretBytes::new("new")).await.unwrap();
        store.write(&tenant(), "TOKEN_PREVIOUS", &SecretBytes::new("old")).await.unwrap();
        assert_eq!(store.read(&tenant(), "TOKEN").await.unwrap(), [Secret::new("new"), Secret::new("old")]);
        assert_eq!(store.read_bytes(&tenant(), "TOKEN").await.unwrap(), [SecretBytes::new("new")]);
    }
}

#[tokio::test]
async fn a_replaced_value_that_may_not_be_read_is_none_and_told_once() {
    for backend in CLOUDS {
        let server = Server::start(Mood::Guards).await;
        let store = server.store(backend, &[]);
        let (lines, subscriber) = Lines::new();
        let _here = tracing::subscriber::set_default(subscriber);
        store.write(&tenant(), "TOKEN", &SecretBytes::new("new")).await.unwrap();
        for _ in 0..3 {
            assert_eq!(store.read(&tenant(), "TOKEN").await.unwrap(), [Secret::new("new")], "{backend:?}");
        }
        let told = lines.all();
        assert_eq!(told.lines().count(), 1, "{backend:?}: {told}");
        assert!(
            told.contains("WARN greentic::secrets") && told.contains("token") && told.contains("previous"),
            "{told}"
        );
        // By itself it is refused like any other.
        let error = store.read(&tenant(), "TOKEN_PREVIOUS").await.unwrap_err();
        assert_eq!(error.code(), Code::SecretForbidden, "{backend:?}");
    }
}

#[tokio::test]
async fn a_name_that_just_fits_is_read_though_no_further_one_does() {
    let server = Server::start(Mood::Well).await;
    let prefix = ("greentic--prod--acme--_--_--".len(), "greentic--prod--acme--0x--0x--".len());
    for (backend, longest) in [(SecretsBackend::Gcp, 255 - prefix.0), (SecretsBackend::Azure, 127 - prefix.1)] {
        let (store, name) = (server.store(backend, &[]), "k".repeat(longest));
        store.write(&tenant(), &name, &SecretBytes::new("value")).await.unwrap();
        assert_eq!(store.read(&tenant(), &name).await.unwrap(), [Secret::new("value")], "{backend:?}");
    }
}

#[tokio::test]
async fn what_was_disabled_is_not_there_and_what_was_deleted_is_not_replaced() {
    let server = Server::start(Mood::Well).await;
    server.known.secrets.lock().extend([
        ("greentic--prod--acme--_--_--key".to_owned(), json!("disabled")),
        ("greentic--prod--acme--0x--0x--key".to_owned(), Value::Null),
    ]);
    for backend in OWN {
        assert!(server.store(backend, &[]).read_bytes(&tenant(), "KEY").await.unwrap().is_empty(), "{backend:?}");
    }
    let azure = server.store(SecretsBackend::Azure, &[]);
    let error = azure.write(&tenant(), "deleted", &SecretBytes::new("x")).await.unwrap_err();
    assert_eq!(error.code(), Code::SecretNotStored);
}

#[tokio::test]
async fn stores_that_misbehave_end_in_typed_errors_in_time() {
    for (mood, code, attempts) in [
        (Mood::Hangs, Code::SecretUnavailable, 4),
        (Mood::Nonsense, Code::SecretsAnswer, 1),
        (Mood::OtherJson, Code::SecretsAnswer, 1),
        (Mood::Endless, Code::SecretsAnswer, 1),
        (Mood::Busy(99), Code::SecretUnavailable, 4),
        (Mood::Tired, Code::SecretUnavailable, 1),
        (Mood::Broken, Code::SecretUnavailable, 4),
        (Mood::Refuses, Code::SecretsRefused, 1),
        (Mood::Forbids, Code::SecretForbidden, 1),
        (Mood::Redirects, Code::SecretsAnswer, 1),
    ] {
        for backend in CLOUDS {
            let server = Server::start(mood).await;
            let store = server.store(backend, &[]);
            let begun = Instant::now();
            let error = store.read_bytes(&tenant(), "KEY").await.unwrap_err();
            assert_eq!(error.code(), code, "{backend:?} {mood:?}: {error}");
            assert!(!error.to_string().contains("canary"), "{backend:?} {mood:?}: {error}");
            assert!(begun.elapsed() < SHORT.all, "{backend:?} {mood:?}");
            // A token that is not accepted is got anew, once.
            let attempts = if (backend, mood) == (SecretsBackend::Azure, Mood::Refuses) { 2 } else { attempts };
            assert_eq!(server.known.asked.load(Ordering::SeqCst), attempts, "{backend:?} {mood:?}");
            if (backend, mood) == (SecretsBackend::Azure, Mood::Refuses) {
                assert_eq!(server.known.tokens.load(Ordering::SeqCst), 2, "the second attempt has another token");
            }
            let writing = store.write(&tenant(), "KEY", &SecretBytes::new("canary")).await;
            if mood != Mood::OtherJson && mood != Mood::Nonsense && mood != Mood::Endless {
                assert_eq!(writing.unwrap_err().code(), code, "{backend:?} {mood:?}");
            }
            let ready = store.check().await.is_ok();
            assert_eq!(ready, mood == Mood::Forbids, "{backend:?} {mood:?}: it knows this host, or does not answer so");
        }
    }
}

#[tokio::test]
async fn all_attempts_together_have_a_time_of_their_own() {
    for backend in CLOUDS {
        let server = Server::start(Mood::Hangs).await;
        let server = Server { times: Times { all: server.times.attempt * 2, ..server.times }, ..server };
        let error = server.store(backend, &[]).read_bytes(&tenant(), "KEY").await.unwrap_err();
        assert_eq!(error.code(), Code::SecretUnavailable, "{backend:?}: {error}");
        assert!(server.known.asked.load(Ordering::SeqCst) < 4, "{backend:?}: no time is left for the last attempts");
    }
}

#[tokio::test]
async fn a_store_that_limits_its_rate_is_asked_again() {
    for backend in CLOUDS {
        let server = Server::start(Mood::Busy(2)).await;
        assert!(server.store(backend, &[]).read_bytes(&tenant(), "KEY").await.unwrap().is_empty(), "{backend:?}");
        assert_eq!(server.known.asked.load(Ordering::SeqCst), 3, "{backend:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_said_so() {
    for backend in CLOUDS {
        let server = Server::start(Mood::Well).await;
        let address = { TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap() };
        let url = format!("http://{address}");
        let settings = ["AWS_ENDPOINT_URL_SECRETS_MANAGER", "GOOGLE_SECRET_MANAGER_ENDPOINT", "AZURE_KEYVAULT_URL"];
        let store = server.store(backend, &settings.map(|name| (name, url.as_str())));
        let error = store.read_bytes(&tenant(), "KEY").await.unwrap_err();
        assert_eq!(error.code(), Code::SecretUnavailable, "{backend:?}: {error}");
    }
}

/// Settings by which a machine that this server plays gives out the credentials.
fn of_machine(address: &str) -> [(&'static str, String); 6] {
    [
        ("AWS_ACCESS_KEY_ID", String::new()),
        ("AWS_SECRET_ACCESS_KEY", String::new()),
        ("AZURE_CLIENT_SECRET", String::new()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{address}")),
        ("GCE_METADATA_HOST", address.to_owned()),
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST", format!("http://{address}")),
    ]
}

#[tokio::test]
async fn who_gives_out_credentials_and_gives_no_answer_is_asked_again() {
    for backend in CLOUDS {
        for (times, status, code, attempts) in [
            (2, StatusCode::SERVICE_UNAVAILABLE, None, 3),
            (1, StatusCode::TOO_MANY_REQUESTS, None, 2),
            (99, StatusCode::BAD_GATEWAY, Some(Code::SecretUnavailable), 4),
            (99, StatusCode::FORBIDDEN, Some(Code::SecretsRefused), 1),
        ] {
            let server = Server::start(Mood::Well).await;
            *server.known.no_tokens.lock() = (times, status);
            let settings = of_machine(&server.address.to_string());
            let store = server.store(backend, &settings.each_ref().map(|(name, value)| (*name, value.as_str())));
            let read = store.read_bytes(&tenant(), "KEY").await;
            let error = read.as_ref().err();
            assert_eq!(error.map(Error::code), code, "{backend:?} {status}: {error:?}");
            assert!(!format!("{error:?}").contains("canary"), "{backend:?} {status}: {error:?}");
            assert_eq!(server.known.tokens.load(Ordering::SeqCst), attempts, "{backend:?} {status}");
            assert_eq!(server.known.asked.load(Ordering::SeqCst), usize::from(code.is_none()), "{backend:?} {status}");
        }
    }
}

#[tokio::test]
async fn who_gives_out_credentials_and_is_not_there_is_said_so() {
    for backend in CLOUDS {
        let server = Server::start(Mood::Well).await;
        let address = { TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap() };
        let settings = of_machine(&address.to_string());
        let store = server.store(backend, &settings.each_ref().map(|(name, value)| (*name, value.as_str())));
        let error = store.read_bytes(&tenant(), "KEY").await.unwrap_err();
        assert_eq!(error.code(), Code::SecretUnavailable, "{backend:?}: {error}");
        assert!(store.check().await.is_err(), "{backend:?}");
    }
}

#[tokio::test]
async fn tokens_for_azure_are_got_in_each_documented_way_and_kept() {
    let server = Server::start(Mood::Well).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("federated");
    std::fs::write(&file, "federated-token\n").unwrap();
    let (url, file) = (format!("http://{}", server.address), file.to_string_lossy().into_owned());
    let ways: [(&[(&str, &str)], &str); 4] = [
        (
            &[("AZURE_CLIENT_ID", "client"), ("AZURE_TENANT_ID", "directory"), ("AZURE_CLIENT_SECRET", "s")],
            "POST /directory/oauth2/v2.0/token grant_type=client_credentials&client_id=client&\
             scope=https%3A%2F%2Fvault.azure.net%2F.default&client_secret=s ",
        ),
        (
            &[("AZURE_CLIENT_ID", "client"), ("AZURE_TENANT_ID", "directory"), ("AZURE_FEDERATED_TOKEN_FILE", &file)],
            "POST /directory/oauth2/v2.0/token grant_type=client_credentials&client_id=client&\
             scope=https%3A%2F%2Fvault.azure.net%2F.default&client_assertion=federated-token&\
             client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer ",
        ),
        (
            &[("IDENTITY_ENDPOINT", &format!("{url}/msi/token")), ("IDENTITY_HEADER", "header")],
            "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net  header",
        ),
        (
            &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url)],
            "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net  true",
        ),
    ];
    for (settings, request) in ways {
        let own = [("AZURE_KEYVAULT_URL", url.as_str()), ("AZURE_AUTHORITY_HOST", url.as_str())];
        let environment = Environment::from_iter(own.into_iter().chain(settings.iter().copied()));
        let store = open_with(SecretsBackend::Azure, &environment, SHORT).unwrap().unwrap();
        for _ in 0..3 {
            store.read_bytes(&tenant(), "KEY").await.unwrap();
        }
        assert_eq!(std::mem::take(&mut *server.known.token_requests.lock()), [request]);
    }
}

#[test]
fn settings_that_do_not_suffice_are_named() {
    let url = ("AZURE_KEYVAULT_URL", "https://v.vault.azure.net");
    let cases: [Unusable<'_>; 9] = [
        (SecretsBackend::Aws, &[], "AWS_REGION or AWS_DEFAULT_REGION is not set"),
        (SecretsBackend::Aws, &[("AWS_REGION", "x/y")], "AWS_REGION is no region"),
        (
            SecretsBackend::Aws,
            &[("AWS_REGION", "x"), ("AWS_ENDPOINT_URL", "http://a.example")],
            "AWS_ENDPOINT_URL is neither",
        ),
        (SecretsBackend::Gcp, &[], "GOOGLE_CLOUD_PROJECT or GOOGLE_PROJECT_ID is not set"),
        (SecretsBackend::Gcp, &[("GOOGLE_CLOUD_PROJECT", "a/b")], "GOOGLE_CLOUD_PROJECT is no project"),
        (SecretsBackend::Azure, &[], "AZURE_KEYVAULT_URL is not set"),
        (SecretsBackend::Azure, &[("AZURE_KEYVAULT_URL", "v.vault.azure.net")], "AZURE_KEYVAULT_URL is no URL"),
        (SecretsBackend::Azure, &[url, ("AZURE_CLIENT_SECRET", "canary")], "are not both set"),
        (
            SecretsBackend::Azure,
            &[url, ("AZURE_CLIENT_SECRET", "canary"), ("AZURE_CLIENT_ID", "i"), ("AZURE_TENANT_ID", "a/b")],
            "AZURE_TENANT_ID is no tenant's id",
        ),
    ];
    for (backend, settings, what) in cases {
        let error = open(backend, &Environment::from_iter(settings.iter().copied())).err().unwrap();
        assert_eq!(error.code(), Code::SecretsBackend, "{error}");
        assert!(error.to_string().contains(what) && !error.to_string().contains("canary"), "{error}");
    }
}
