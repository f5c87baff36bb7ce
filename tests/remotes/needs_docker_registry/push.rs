//! Pushing, by plain requests.

use std::collections::BTreeMap;

use greentic_runner_host::pack::model::Digest;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::server::{Server, client};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.greentic.pack.config.v1+json";

/// A layer of an artifact.
#[derive(Clone)]
pub(super) struct Layer {
    media_type: &'static str,
    bytes: Vec<u8>,
    annotations: BTreeMap<&'static str, String>,
}

impl Layer {
    pub(super) fn new(media_type: &'static str, bytes: &[u8]) -> Self {
        Self { media_type, bytes: bytes.to_vec(), annotations: BTreeMap::new() }
    }

    pub(super) fn titled(media_type: &'static str, bytes: &[u8], title: &str) -> Self {
        let mut layer = Self::new(media_type, bytes);
        layer.annotations.insert("org.opencontainers.image.title", title.to_owned());
        layer
    }

    pub(super) fn digest(&self) -> String {
        Digest::of(&self.bytes).to_string()
    }

    fn descriptor(&self) -> Value {
        let (digest, size) = (self.digest(), self.bytes.len());
        json!({"mediaType": self.media_type, "digest": digest, "size": size, "annotations": self.annotations})
    }
}

/// Somebody who may push.
#[derive(Clone)]
pub(super) struct Pusher {
    client: Client,
    base: String,
    login: Login,
}

#[derive(Clone)]
enum Login {
    None,
    Password(String, String),
    Token(String),
}

impl Pusher {
    pub(super) fn anonymous(server: &Server) -> Self {
        Self::new(server, Login::None)
    }

    pub(super) fn with_password(server: &Server, name: &str, password: &str) -> Self {
        Self::new(server, Login::Password(name.to_owned(), password.to_owned()))
    }

    pub(super) fn with_token(server: &Server, token: &str) -> Self {
        Self::new(server, Login::Token(token.to_owned()))
    }

    fn new(server: &Server, login: Login) -> Self {
        Self { client: client(), base: server.url("/v2"), login }
    }

    /// Pushes an artifact with these layers; gives the digest of its manifest.
    pub(super) async fn push(&self, repository: &str, tag: &str, layers: &[Layer]) -> String {
        let config = Layer::new(CONFIG, b"{}");
        for layer in layers.iter().chain([&config]) {
            self.blob(repository, layer).await;
        }
        let layers: Vec<Value> = layers.iter().map(Layer::descriptor).collect();
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor(), "layers": layers});
        self.manifest(repository, tag, MANIFEST, &manifest).await
    }

    /// Pushes an index of the manifests with these digests.
    pub(super) async fn index(&self, repository: &str, tag: &str, digests: &[&str]) -> String {
        let mut manifests = Vec::new();
        for digest in digests {
            let url = format!("{}/{repository}/manifests/{digest}", self.base);
            let size = self.send(self.client.get(url).header("accept", MANIFEST)).await.content_length();
            manifests.push(json!({"mediaType": MANIFEST, "digest": digest, "size": size}));
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        self.manifest(repository, tag, INDEX, &index).await
    }

    async fn manifest(&self, repository: &str, tag: &str, media_type: &str, manifest: &Value) -> String {
        let bytes = manifest.to_string().into_bytes();
        let digest = Digest::of(&bytes).to_string();
        let url = format!("{}/{repository}/manifests/{tag}", self.base);
        let pushed = self.send(self.client.put(url).header("content-type", media_type).body(bytes)).await;
        assert_eq!(pushed.status(), StatusCode::CREATED);
        digest
    }

    async fn blob(&self, repository: &str, layer: &Layer) {
        let begun = self.send(self.client.post(format!("{}/{repository}/blobs/uploads/", self.base))).await;
        assert_eq!(begun.status(), StatusCode::ACCEPTED, "{}", begun.text().await.unwrap());
        let mut url: url::Url = begun.headers()["location"].to_str().unwrap().parse().unwrap();
        url.query_pairs_mut().append_pair("digest", &layer.digest());
        let pushed = self.send(self.client.put(url).body(layer.bytes.clone())).await;
        assert_eq!(pushed.status(), StatusCode::CREATED, "{}", pushed.text().await.unwrap());
    }

    async fn send(&self, request: RequestBuilder) -> reqwest::Response {
        let request = match &self.login {
            Login::None => request,
            Login::Password(name, password) => request.basic_auth(name, Some(password)),
            Login::Token(token) => request.bearer_auth(token),
        };
        request.send().await.unwrap()
    }
}
