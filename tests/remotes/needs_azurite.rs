//! Azure Blob Storage, by Microsoft's own emulator.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use greentic_runner_host::error::Code;
use greentic_runner_host::ingest::Outcome;
use hmac::{Hmac, Mac as _};
use reqwest::{Client, StatusCode};

use crate::fetching::{Fetching, assert_is, lives, pack};
use crate::relay::Relay;
use crate::server::{Server, client, port};

/// The account that every emulator has.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const VERSION: &str = "2021-12-02";

struct Store {
    server: Server,
    client: Client,
}

impl Store {
    /// A server with a container.
    async fn start() -> Self {
        let server = Server::start("azurite-blob", |_, address| {
            let port = port(address);
            ["--silent", "--disableTelemetry", "--inMemoryPersistence", "--skipApiVersionCheck", "--blobPort", &port]
                .map(str::to_owned)
                .into()
        })
        .await;
        let store = Self { server, client: client() };
        store.send("/packs?restype=container", "restype:container", &[], Vec::new()).await;
        store
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) {
        self.send(&format!("/packs/{name}"), "", &[("x-ms-blob-type", "BlockBlob")], bytes).await;
    }

    /// Sends a signed `PUT`. `query` is the query as it is signed.
    async fn send(&self, path: &str, query: &str, headers: &[(&str, &str)], bytes: Vec<u8>) {
        let date =
            jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now()).unwrap();
        let mut headers = [headers, &[("x-ms-date", date.as_str()), ("x-ms-version", VERSION)]].concat();
        headers.sort_unstable();
        let length = if bytes.is_empty() { String::new() } else { bytes.len().to_string() };
        let signed: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let plain = path.split('?').next().unwrap();
        let query = if query.is_empty() { String::new() } else { format!("\n{query}") };
        let text = format!("PUT\n\n\n{length}\n\n\n\n\n\n\n\n\n{signed}/{ACCOUNT}/{ACCOUNT}{plain}{query}");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&STANDARD.decode(KEY).unwrap()).unwrap();
        mac.update(text.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let mut request = self.client.put(self.server.url(&format!("/{ACCOUNT}{path}"))).body(bytes);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response =
            request.header("authorization", format!("SharedKey {ACCOUNT}:{signature}")).send().await.unwrap();
        let status = response.status();
        assert_eq!(status, StatusCode::CREATED, "{}", response.text().await.unwrap());
    }

    fn connection(&self, endpoint: &str, key: &str) -> (&'static str, String) {
        let text = format!("AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={endpoint}/{ACCOUNT};");
        ("AZURE_STORAGE_CONNECTION_STRING", text)
    }
}

#[tokio::test]
async fn a_blob_is_fetched_once_per_version_and_resumed() {
    let store = Store::start().await;
    let relay = Relay::to(&store.server.address).await;
    let fetching = Fetching::with([store.connection(&relay.url(""), KEY)]);
    let locator = format!("azblob://{ACCOUNT}/packs/team/demo.gtpack");
    lives(&fetching, &relay, &locator, |bytes| store.put("team/demo.gtpack", bytes)).await;
}

#[tokio::test]
async fn an_account_is_named_by_variables_or_by_the_locator() {
    let store = Store::start().await;
    store.put("demo.gtpack", pack()).await;
    let endpoint = format!("{}/{ACCOUNT}", store.server.url(""));
    let settings = [
        ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT.to_owned()),
        ("AZURE_STORAGE_ACCOUNT_KEY", KEY.to_owned()),
        ("AZURE_STORAGE_ENDPOINT", endpoint),
    ];
    let fetching = Fetching::with(settings);
    assert_is(&fetching.fetch("az://packs/demo.gtpack").await.unwrap(), &pack(), Outcome::Downloaded);
    let named = fetching.fetch(&format!("azblob://{ACCOUNT}/packs/demo.gtpack")).await.unwrap();
    assert_is(&named, &pack(), Outcome::Downloaded);
    let (code, text) = Fetching::with([]).refused("az://packs/demo.gtpack").await;
    assert_eq!(code, Code::CredentialsInvalid, "{text}");
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let store = Store::start().await;
    let fetching = Fetching::with([store.connection(&store.server.url(""), KEY)]);
    for locator in ["az://packs/missing.gtpack", "az://no-such-container/demo.gtpack"] {
        let (code, text) = fetching.refused(locator).await;
        assert_eq!(code, Code::NotFound, "{text}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_without_a_word_of_it() {
    let store = Store::start().await;
    store.put("demo.gtpack", pack()).await;
    let wrong = STANDARD.encode("a key that opens nothing, but is one");
    let fetching = Fetching::with([store.connection(&store.server.url(""), &wrong)]);
    let (code, text) = fetching.refused("az://packs/demo.gtpack").await;
    assert_eq!(code, Code::AccessRefused, "{text}");
    assert!(text.contains("AZURE_STORAGE_ACCOUNT_KEY") && !text.contains(&wrong), "{text}");
    let fetching = Fetching::with([store.connection(&store.server.url(""), "no base64, but secret")]);
    let (code, text) = fetching.refused("az://packs/demo.gtpack").await;
    assert_eq!(code, Code::CredentialsInvalid, "{text}");
}
