//! S3, by a server that checks signatures.

use std::path::Path;
use std::sync::Arc;

use greentic_runner_host::audit::AuditLog;
use greentic_runner_host::error::Code;
use greentic_runner_host::ingest::locator::{Base, Scheme};
use greentic_runner_host::ingest::{Environment, Locator, Origin, Outcome};
use greentic_runner_host::reload::status::TenantOutcome;
use greentic_runner_host::reload::{ReloadConfig, Reloader};
use greentic_runner_host::{HostBuilder, HostConfig};
use reqwest::{Client, Response};

use crate::fetching::{Fetching, assert_is, lives, pack};
use crate::relay::Relay;
use crate::server::{Server, client, port};

const BUCKET: &str = "packs";

/// What the server takes for a signature as long as it does not check them: which service is meant stands in it.
fn unchecked(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

struct Store {
    server: Server,
    client: Client,
    id: String,
    secret: String,
}

impl Store {
    /// A server with a bucket, and a user who may do everything in it.
    async fn start() -> Self {
        let arguments = |_: &Path, address: &str| ["-H", "127.0.0.1", "-p", &port(address)].map(str::to_owned).into();
        let server = Server::start("moto_server", arguments).await;
        let client = client();
        let mut store = Self { server, client, id: String::new(), secret: String::new() };
        store.iam("CreateUser", "").await;
        let key = store.iam("CreateAccessKey", "").await;
        let field = |name: &str| {
            let (_, rest) = key.split_once(&format!("<{name}>")).unwrap();
            rest.split_once('<').unwrap().0.to_owned()
        };
        (store.id, store.secret) = (field("AccessKeyId"), field("SecretAccessKey"));
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
        let policy = url::form_urlencoded::byte_serialize(policy.as_bytes()).collect::<String>();
        store.iam("PutUserPolicy", &format!("&PolicyName=all&PolicyDocument={policy}")).await;
        store.put("", Vec::new()).await;
        store
    }

    async fn iam(&self, action: &str, more: &str) -> String {
        let body = format!("Action={action}&Version=2010-05-08&UserName=ann{more}");
        let request = self.client.post(self.server.url("/")).header("authorization", unchecked("iam"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        good(request.send().await.unwrap()).await.text().await.unwrap()
    }

    /// Puts `bytes` under `key`, or makes the bucket.
    async fn put(&self, key: &str, bytes: Vec<u8>) {
        self.check_signatures(false).await;
        let url = self.server.url(&format!("/{BUCKET}/{key}"));
        let request = self.client.put(url.trim_end_matches('/')).header("authorization", unchecked("s3"));
        good(request.body(bytes).send().await.unwrap()).await;
        self.check_signatures(true).await;
    }

    async fn check_signatures(&self, check: bool) {
        let after = if check { "0" } else { "1000000" };
        let request = self.client.post(self.server.url("/moto-api/reset-auth")).header("content-type", "text/plain");
        good(request.body(after).send().await.unwrap()).await;
    }

    fn settings(&self, endpoint: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", endpoint.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", self.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret.clone()),
        ]
    }
}

async fn good(response: Response) -> Response {
    if !response.status().is_success() {
        panic!("{}: {}", response.status(), response.text().await.unwrap());
    }
    response
}

#[tokio::test]
async fn an_object_is_fetched_once_per_version_and_resumed() {
    let store = Store::start().await;
    let relay = Relay::to(&store.server.address).await;
    let fetching = Fetching::with(store.settings(&relay.url("")));
    lives(&fetching, &relay, "s3://packs/team/demo.gtpack", |bytes| store.put("team/demo.gtpack", bytes)).await;
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let store = Store::start().await;
    let fetching = Fetching::with(store.settings(&store.server.url("")));
    for locator in ["s3://packs/missing.gtpack", "s3://no-such-bucket/demo.gtpack"] {
        let (code, text) = fetching.refused(locator).await;
        assert_eq!(code, Code::NotFound, "{text}");
    }
}

#[tokio::test]
async fn wrong_keys_are_refused_without_a_word_of_them() {
    let store = Store::start().await;
    store.put("demo.gtpack", pack()).await;
    let endpoint = store.server.url("");
    for (id, key) in [(store.id.as_str(), "wrong-secret"), ("AKIANOBODY", "no-secret")] {
        let settings = [
            ("AWS_ENDPOINT_URL", endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", id.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", key.to_owned()),
        ];
        let (code, text) = Fetching::with(settings).refused("s3://packs/demo.gtpack").await;
        assert_eq!(code, Code::AccessRefused, "{text}");
        assert!(text.contains("AWS_ACCESS_KEY_ID") && !text.contains(id), "{text}");
    }
    let half = [("AWS_ENDPOINT_URL", endpoint.clone()), ("AWS_SECRET_ACCESS_KEY", "only secret".to_owned())];
    let (code, text) = Fetching::with(half).refused("s3://packs/demo.gtpack").await;
    assert_eq!(code, Code::CredentialsInvalid, "{text}");
}

#[tokio::test]
async fn a_profile_serves_as_well_as_the_environment() {
    let store = Store::start().await;
    store.put("demo.gtpack", pack()).await;
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let profile = format!("[ci]\naws_access_key_id={}\naws_secret_access_key={}\n", store.id, store.secret);
    std::fs::write(home.path().join(".aws/credentials"), profile).unwrap();
    let settings = [
        ("HOME", home.path().to_string_lossy().into_owned()),
        ("AWS_PROFILE", "ci".to_owned()),
        ("AWS_ENDPOINT_URL_S3", store.server.url("")),
    ];
    let fetching = Fetching::with(settings);
    let fetched = fetching.fetch("s3://packs/demo.gtpack").await.unwrap();
    assert_is(&fetched, &pack(), Outcome::Downloaded);
}

#[tokio::test]
async fn a_remote_index_may_name_objects_for_it_names_no_host() {
    let store = Store::start().await;
    store.put("demo.gtpack", pack()).await;
    let fetching = Fetching::with(store.settings(&store.server.url("")));
    let fetched = fetching.fetch_as("s3://packs/demo.gtpack", None, Origin::RemoteIndex).await.unwrap();
    assert_is(&fetched, &pack(), Outcome::Downloaded);
}

#[tokio::test]
async fn an_index_in_a_bucket_names_what_lies_beside_it() {
    let store = Store::start().await;
    store.put("conf/demo.gtpack", pack()).await;
    let index = r#"{"demo": {"main_pack": {"name": "demo", "version": "1.0.0", "locator": "demo.gtpack"}}}"#;
    store.put("conf/index.json", index.into()).await;
    let dir = tempfile::tempdir().unwrap();
    let locator = Locator::parse("s3://packs/conf/index.json", &Base::here().unwrap(), Scheme::Fs).unwrap();
    let mut config = ReloadConfig { watch_files: false, ..ReloadConfig::index(locator) };
    config.cache_dir = dir.path().join("cache");
    config.fetch.environment = Environment::from_iter(store.settings(&store.server.url("")));
    let tenant = HostConfig::from_yaml("tenant: demo", "demo.yaml").unwrap();
    let host = Arc::new(HostBuilder::new().with_config(tenant).with_memory_store().build().unwrap());
    let mut reloader = Reloader::new(Arc::clone(&host), Arc::new(AuditLog::without_file()), config).unwrap();
    for outcome in [TenantOutcome::Loaded, TenantOutcome::Unchanged] {
        let done = reloader.first().await.unwrap();
        assert_eq!((done.len(), done[0].outcome), (1, outcome), "{:?}", reloader.failed());
    }
    assert_eq!(&*host.tenant("demo").unwrap().pack().pack, "greentic.demo");
}
