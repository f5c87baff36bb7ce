//! Google Cloud Storage, by an emulator that serves both of its interfaces.

use greentic_runner_host::error::Code;
use reqwest::Client;

use crate::fetching::{Fetching, lives};
use crate::relay::Relay;
use crate::server::{Server, client, port};

struct Store {
    server: Server,
    relay: Relay,
    client: Client,
}

impl Store {
    /// A server with a bucket. It answers to the name under which it is asked, which is the relay's.
    async fn start() -> Self {
        let relay = Relay::bind().await;
        let server = Server::start("fake-gcs-server", |_, address| {
            ["-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", &port(address), "-public-host"]
                .into_iter()
                .chain([relay.address.as_str()])
                .map(str::to_owned)
                .collect()
        })
        .await;
        relay.serve(&server.address);
        let client = client();
        let request = client.post(server.url("/storage/v1/b?project=p")).header("content-type", "application/json");
        assert!(request.body(r#"{"name": "packs"}"#).send().await.unwrap().status().is_success());
        Self { server, relay, client }
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) {
        let url = self.server.url(&format!("/upload/storage/v1/b/packs/o?uploadType=media&name={name}"));
        let request = self.client.post(url).header("content-type", "application/octet-stream");
        assert!(request.body(bytes).send().await.unwrap().status().is_success());
    }

    fn fetching(&self) -> Fetching {
        Fetching::with([("STORAGE_EMULATOR_HOST", self.relay.address.clone())])
    }
}

#[tokio::test]
async fn an_object_is_fetched_once_per_version_and_resumed() {
    let store = Store::start().await;
    let locator = "gcs://packs/team/demo.gtpack";
    lives(&store.fetching(), &store.relay, locator, |bytes| store.put("team/demo.gtpack", bytes)).await;
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let store = Store::start().await;
    for locator in ["gcs://packs/missing.gtpack", "gs://no-such-bucket/demo.gtpack"] {
        let (code, text) = store.fetching().refused(locator).await;
        assert_eq!(code, Code::NotFound, "{text}");
    }
}

#[tokio::test]
async fn credentials_that_cannot_be_read_are_not_quoted() {
    let store = Store::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (missing, broken) = (dir.path().join("missing.json"), dir.path().join("broken.json"));
    std::fs::write(&broken, r#"{"type": "service_account", "private_key": "a secret"}"#).unwrap();
    for file in [missing, broken] {
        let settings = [
            ("GOOGLE_APPLICATION_CREDENTIALS", file.to_string_lossy().into_owned()),
            ("GOOGLE_BASE_URL", store.relay.url("")),
        ];
        let (code, text) = Fetching::with(settings).refused("gcs://packs/demo.gtpack").await;
        assert_eq!(code, Code::CredentialsInvalid, "{text}");
        assert!(text.contains("GOOGLE_APPLICATION_CREDENTIALS"), "{text}");
    }
}
