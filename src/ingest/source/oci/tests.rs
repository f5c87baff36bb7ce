//! Registries that do what none should, and those that do less than the specification says.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use futures::TryStreamExt as _;
use parking_lot::Mutex;
use serde_json::json;

use super::*;
use crate::environment::Environment;
use crate::ingest::locator::{Base, Scheme};
use crate::net::Reach;

const BYTES: &[u8] = b"the bytes of a pack, or what goes for one";

/// What was asked: the line, and the authorization that came with it.
type Asked = Vec<(String, Option<String>)>;

/// What a registry answers, by what it is asked.
type Answer = dyn Fn(&str, &HeaderMap) -> Response<Body> + Send + Sync;

struct Registry {
    address: String,
    asked: Arc<Mutex<Asked>>,
}

#[derive(Clone)]
struct Served {
    answer: Arc<Answer>,
    asked: Arc<Mutex<Asked>>,
}

impl Registry {
    async fn start(answer: impl Fn(&str, &HeaderMap) -> Response<Body> + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<Asked>>::default();
        let served = Served { answer: Arc::new(answer), asked: Arc::clone(&asked) };
        let routes = Router::new().fallback(serve).with_state(served);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, asked }
    }

    fn locator(&self, rest: &str) -> Locator {
        let text = format!("oci://{}/demo{rest}", self.address);
        Locator::parse(&text, &Base::here().unwrap(), Scheme::Fs).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().iter().map(|(line, _)| line.clone()).collect()
    }
}

async fn serve(State(served): State<Served>, request: Request) -> Response<Body> {
    let line = format!("{} {}", request.method(), request.uri());
    let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    served.asked.lock().push((line.clone(), authorization));
    (served.answer)(&line, request.headers())
}

fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

fn manifest() -> Vec<u8> {
    let layer = json!({"mediaType": "application/vnd.greentic.pack", "digest": Digest::of(BYTES).to_string(),
        "size": BYTES.len()});
    let config = json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}").to_string(),
        "size": 2});
    json!({"schemaVersion": 2, "config": config, "layers": [layer]}).to_string().into_bytes()
}

fn manifest_digest() -> String {
    Digest::of(&manifest()).to_string()
}

/// What a registry of the plainest kind answers.
fn plain(line: &str) -> Response<Body> {
    match line {
        _ if line.starts_with("HEAD") => reply(200, &[("docker-content-digest", &manifest_digest())], Body::empty()),
        _ if line.contains("/manifests/") => reply(200, &[], manifest()),
        _ => reply(200, &[], BYTES),
    }
}

fn source_with(reach: Reach, settings: &[(&str, &str)]) -> OciSource {
    OciSource::new(&SourceOptions {
        redirects: reach.clone(),
        reach,
        allow_http: false,
        connect: Duration::from_secs(5),
        netrc: None,
        environment: Environment::from_iter(settings.iter().copied()),
    })
}

fn source() -> OciSource {
    source_with(Reach::anywhere(), &[])
}

/// A registry's login for `ann`.
fn login(registry: &Registry) -> [(&'static str, String); 3] {
    [("OCI_REGISTRY", registry.address.clone()), ("OCI_USERNAME", "ann".into()), ("OCI_PASSWORD", "secret".into())]
}

async fn read(source: &OciSource, locator: &Locator, offset: u64) -> Result<Vec<u8>, Fault> {
    let stat = source.stat(locator).await?;
    let body = source.open(locator, &stat, offset).await?;
    Ok(body.try_collect::<Vec<_>>().await?.concat())
}

async fn refused(registry: &Registry, source: &OciSource) -> Error {
    read(source, &registry.locator(":1"), 0).await.unwrap_err().error
}

#[tokio::test]
async fn a_registry_that_knows_no_ranges_is_read_from_the_beginning() {
    let registry = Registry::start(|line, _| plain(line)).await;
    assert_eq!(read(&source(), &registry.locator(":1"), 10).await.unwrap(), &BYTES[10..]);
    let all = BYTES.len() as u64;
    assert!(read(&source(), &registry.locator(":1"), all).await.unwrap().is_empty());
}

#[tokio::test]
async fn ranges_are_asked_for_and_a_wrong_one_is_refused() {
    let registry = Registry::start(|line, headers| match headers.get(header::RANGE) {
        Some(range) => {
            assert_eq!(range, "bytes=10-");
            let total = BYTES.len();
            reply(206, &[("content-range", &format!("bytes 10-{}/{total}", total - 1))], &BYTES[10..])
        }
        None => plain(line),
    });
    assert_eq!(read(&source(), &registry.await.locator(":1"), 10).await.unwrap(), &BYTES[10..]);
    let other = Registry::start(|line, headers| match headers.get(header::RANGE) {
        Some(_) => reply(206, &[("content-range", "bytes 11-20/41")], &BYTES[11..21]),
        None => plain(line),
    })
    .await;
    let fault = read(&source(), &other.locator(":1"), 10).await.unwrap_err();
    assert_eq!(fault.error.code(), Code::SourceAnswer);
}

#[tokio::test]
async fn a_registry_that_states_no_digest_is_read_to_know_it() {
    let registry = Registry::start(|line, _| match line {
        _ if line.starts_with("HEAD") => reply(200, &[], Body::empty()),
        _ => plain(line),
    })
    .await;
    let (source, locator) = (source(), registry.locator(":1"));
    let stat = source.stat(&locator).await.unwrap();
    assert_eq!(stat.version, Some(manifest_digest()));
    assert_eq!((stat.size, stat.digest), (Some(BYTES.len() as u64), Some(Digest::of(BYTES))));
    assert_eq!(registry.asked(), ["HEAD /v2/demo/manifests/1", "GET /v2/demo/manifests/1"]);
}

#[tokio::test]
async fn what_is_named_by_digest_is_asked_once() {
    let registry = Registry::start(|line, _| plain(line)).await;
    let (source, locator) = (source(), registry.locator(&format!("@{}", manifest_digest())));
    for _ in 0..3 {
        source.stat(&locator).await.unwrap();
    }
    assert_eq!(registry.asked(), [format!("GET /v2/demo/manifests/{}", manifest_digest())]);
}

#[tokio::test]
async fn a_manifest_of_another_digest_is_refused() {
    let registry = Registry::start(|line, _| match line {
        _ if line.starts_with("HEAD") => reply(200, &[("docker-content-digest", &manifest_digest())], Body::empty()),
        _ => reply(200, &[("docker-content-digest", &manifest_digest())], [manifest(), b" ".to_vec()].concat()),
    })
    .await;
    assert_eq!(refused(&registry, &source()).await.code(), Code::DigestMismatch);
}

#[tokio::test]
async fn a_manifest_without_end_is_not_read_to_it() {
    let registry = Registry::start(|line, _| match line {
        _ if line.starts_with("HEAD") => plain(line),
        _ => {
            let chunk = || Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b' '; 64 << 10]));
            reply(200, &[], Body::from_stream(stream_of(chunk)))
        }
    })
    .await;
    let error = refused(&registry, &source()).await;
    assert_eq!(error.code(), Code::ArtifactInvalid);
    assert!(error.to_string().contains("4 MiB"), "{error}");
}

fn stream_of<T>(make: impl Fn() -> T) -> impl futures::Stream<Item = T> {
    futures::stream::repeat_with(make)
}

#[tokio::test]
async fn a_login_is_not_sent_along_with_a_redirect() {
    let elsewhere = Registry::start(|_, _| reply(200, &[], BYTES)).await;
    let blob = format!("http://{}/blob?signature=x", elsewhere.address);
    let registry = Registry::start(move |line, headers| match headers.get("authorization") {
        None => reply(401, &[("www-authenticate", "Basic realm=\"packs\"")], Body::empty()),
        Some(_) if line.contains("/blobs/") => reply(307, &[("location", &blob)], Body::empty()),
        Some(_) => plain(line),
    })
    .await;
    let login = login(&registry);
    let source = source_with(Reach::anywhere(), &login.each_ref().map(|(name, value)| (*name, value.as_str())));
    assert_eq!(read(&source, &registry.locator(":1"), 0).await.unwrap(), BYTES);
    assert!(registry.asked.lock().iter().any(|(_, login)| login.as_deref() == Some("Basic YW5uOnNlY3JldA==")));
    assert_eq!(*elsewhere.asked.lock(), [("GET /blob?signature=x".to_owned(), None)]);
}

#[tokio::test]
async fn a_login_is_not_sent_to_another_registry() {
    let challenge = |_: &str, _: &HeaderMap| reply(401, &[("www-authenticate", "Basic realm=\"x\"")], Body::empty());
    let (named, other) = (Registry::start(challenge).await, Registry::start(challenge).await);
    let login = login(&named);
    let source = source_with(Reach::anywhere(), &login.each_ref().map(|(name, value)| (*name, value.as_str())));
    let error = refused(&other, &source).await;
    assert_eq!(error.code(), Code::AccessRefused);
    assert!(other.asked.lock().iter().all(|(_, login)| login.is_none()));
    // The one that it is for has it, once, and refuses it.
    let error = refused(&named, &source).await;
    assert!(error.code() == Code::AccessRefused && !error.to_string().contains("secret"), "{error}");
    assert_eq!(named.asked.lock().iter().filter(|(_, login)| login.is_some()).count(), 1);
}

#[tokio::test]
async fn a_registry_cannot_send_for_tokens_where_nobody_may_go() {
    let tokens = Registry::start(|_, _| reply(200, &[], r#"{"token": "t"}"#)).await;
    let realm = format!("Bearer realm=\"http://{}/token\"", tokens.address);
    let registry = Registry::start(move |_, _| reply(401, &[("www-authenticate", &realm)], Body::empty())).await;
    // What a remote index names reaches the registry only because that is allowed.
    let port = registry.address.rsplit_once(':').unwrap().1.to_owned();
    let locator =
        Locator::parse(&format!("oci://localhost:{port}/demo:1"), &Base::here().unwrap(), Scheme::Fs).unwrap();
    let source = source_with(Reach::public(&["localhost".parse().unwrap()]), &[]);
    let fault = source.stat(&locator).await.unwrap_err();
    assert_eq!(fault.error.code(), Code::LocatorDenied, "{}", fault.error);
    assert!(!registry.asked().is_empty() && tokens.asked().is_empty());
}

#[tokio::test]
async fn tokens_that_are_none_are_refused() {
    for (body, status, code) in [
        (r#"{"token": "a secret\r\nX-Other: 1"}"#.to_owned(), 200, Code::SourceAnswer),
        (r#"{"token": ""}"#.to_owned(), 200, Code::SourceAnswer),
        ("{}".to_owned(), 200, Code::SourceAnswer),
        ("a secret".to_owned(), 200, Code::SourceAnswer),
        (" ".repeat(2 << 20), 200, Code::SourceAnswer),
        (String::new(), 403, Code::AccessRefused),
        (String::new(), 503, Code::FetchFailed),
        (String::new(), 302, Code::AccessRefused),
    ] {
        let tokens = Registry::start(move |_, _| reply(status, &[], body.clone()));
        let tokens = tokens.await;
        let realm = format!("Bearer realm=\"http://{}/token\",service=\"s\"", tokens.address);
        let registry = Registry::start(move |_, _| reply(401, &[("www-authenticate", &realm)], Body::empty())).await;
        let error = refused(&registry, &source()).await;
        let is_told = status != 302 && error.code() == code || status == 302 && error.code() == Code::RedirectRefused;
        assert!(is_told && !error.to_string().contains("secret"), "{status}: {error}");
        assert_eq!(tokens.asked()[0], "GET /token?scope=repository%3Ademo%3Apull&service=s");
    }
}

#[tokio::test]
async fn a_challenge_that_never_ends_is_answered_once() {
    let registry = Registry::start(|_, _| {
        let realm = "Bearer realm=\"/relative\", Digest nonce=\"x\"";
        reply(StatusCode::UNAUTHORIZED.as_u16(), &[("www-authenticate", realm)], Body::empty())
    })
    .await;
    assert_eq!(refused(&registry, &source()).await.code(), Code::LocatorDenied);
    assert_eq!(registry.asked(), ["HEAD /v2/demo/manifests/1"]);
}
