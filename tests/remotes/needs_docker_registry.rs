//! OCI registries, by the reference implementation of their protocol.

mod push;
mod token;

use std::path::Path;

use greentic_runner_host::error::Code;
use greentic_runner_host::ingest::{Origin, Outcome};
use greentic_runner_host::pack::model::Digest;

use self::push::{Layer, Pusher};
use crate::fetching::{Fetching, assert_is, large, lives, pack};
use crate::relay::Relay;
use crate::server::Server;

const PACK: &str = "application/vnd.greentic.pack.v1+zip";
const TAR: &str = "application/vnd.oci.image.layer.v1.tar";

/// `ann` with the password `right secret`.
const HTPASSWD: &str = "ann:$2y$04$BlLOQPEqWZtwggwF74by8Od/aEfmw1s1tiQlau/ku7ENltrHX/SgC\n";
const PASSWORD: &str = "right secret";

async fn start(auth: impl FnOnce(&Path) -> String) -> Server {
    Server::start("docker-registry", |dir, address| {
        let root = dir.join("blobs");
        let config = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: \
             true}}\nhttp: {{addr: {address}, secret: x}}\n{}",
            root.display(),
            auth(dir)
        );
        std::fs::write(dir.join("config.yml"), config).unwrap();
        vec!["serve".to_owned(), dir.join("config.yml").to_string_lossy().into_owned()]
    })
    .await
}

async fn open() -> Server {
    start(|_| String::new()).await
}

async fn with_passwords() -> Server {
    start(|dir| {
        let file = dir.join("htpasswd");
        std::fs::write(&file, HTPASSWD).unwrap();
        format!("auth:\n  htpasswd: {{realm: packs, path: {}}}\n", file.display())
    })
    .await
}

fn anonymous() -> Fetching {
    Fetching::with([])
}

#[tokio::test]
async fn a_tag_is_fetched_once_per_version_and_resumed() {
    let server = open().await;
    let relay = Relay::to(&server.address).await;
    let pusher = Pusher::anonymous(&server);
    let locator = format!("oci://{}/team/demo:stable", relay.address);
    lives(&anonymous(), &relay, &locator, |bytes| {
        let pusher = pusher.clone();
        async move {
            pusher.push("team/demo", "stable", &[Layer::new(PACK, &bytes)]).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_digest_names_one_version_whatever_the_tag_means() {
    let server = open().await;
    let pusher = Pusher::anonymous(&server);
    let first = pusher.push("demo", "1", &[Layer::new(PACK, &pack())]).await;
    pusher.push("demo", "1", &[Layer::new(PACK, &large(2))]).await;
    let fetching = anonymous();
    let by_digest = format!("oci://{}/demo@{first}", server.address);
    assert_is(&fetching.fetch(&by_digest).await.unwrap(), &pack(), Outcome::Downloaded);
    // With both, the digest counts.
    let both = fetching.fetch(&format!("oci://{}/demo:1@{first}", server.address)).await.unwrap();
    assert_is(&both, &pack(), Outcome::Cached);
    let by_tag = format!("oci://{}/demo:1", server.address);
    assert_is(&fetching.fetch(&by_tag).await.unwrap(), &large(2), Outcome::Downloaded);
}

#[tokio::test]
async fn components_and_indexes_are_artifacts_too() {
    let server = open().await;
    let pusher = Pusher::anonymous(&server);
    let (wasm, readme) = (b"\0asm\r\0\x01\0".to_vec(), b"# read me".to_vec());
    let layers =
        [Layer::new("text/markdown", &readme), Layer::new("application/vnd.wasm.content.layer.v1+wasm", &wasm)];
    let digest = pusher.push("component", "1", &layers).await;
    let fetching = anonymous();
    let component = fetching.fetch(&format!("oci://{}/component@{digest}", server.address)).await.unwrap();
    assert_is(&component, &wasm, Outcome::Downloaded);
    pusher.index("component", "all", &[&digest]).await;
    let by_index = fetching.fetch(&format!("oci://{}/component:all", server.address)).await.unwrap();
    assert_is(&by_index, &wasm, Outcome::Cached);
}

#[tokio::test]
async fn an_artifact_that_could_mean_several_things_lists_them() {
    let server = open().await;
    let pusher = Pusher::anonymous(&server);
    let layers = [Layer::titled(TAR, &pack(), "one.gtpack"), Layer::titled(TAR, &large(3), "two.gtpack")];
    pusher.push("both", "1", &layers).await;
    let fetching = anonymous();
    let (code, text) = fetching.refused(&format!("oci://{}/both:1", server.address)).await;
    assert_eq!(code, Code::ArtifactUnclear);
    for part in ["one.gtpack", "two.gtpack", &Digest::of(&pack()).to_string()] {
        assert!(text.contains(part), "{text}");
    }
    // One that has a telling name among others is meant.
    let layers = [Layer::titled(TAR, &pack(), "demo.gtpack"), Layer::titled(TAR, b"text", "README.md")];
    pusher.push("both", "2", &layers).await;
    let told = fetching.fetch(&format!("oci://{}/both:2", server.address)).await.unwrap();
    assert_is(&told, &pack(), Outcome::Downloaded);
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let server = open().await;
    Pusher::anonymous(&server).push("demo", "1", &[Layer::new(PACK, &pack())]).await;
    let missing = Digest::of(b"missing");
    for locator in ["demo:2".to_owned(), "other:1".to_owned(), format!("demo@{missing}")] {
        let (code, text) = anonymous().refused(&format!("oci://{}/{locator}", server.address)).await;
        assert_eq!(code, Code::NotFound, "{text}");
    }
}

#[tokio::test]
async fn bytes_that_do_not_have_the_stated_digest_are_refused() {
    let server = open().await;
    let layer = Layer::new(PACK, &large(4));
    Pusher::anonymous(&server).push("demo", "1", std::slice::from_ref(&layer)).await;
    // Its own storage goes bad.
    let hex = layer.digest().strip_prefix("sha256:").unwrap().to_owned();
    let blobs = server.dir.path().join("blobs/docker/registry/v2/blobs/sha256");
    let file = blobs.join(&hex[..2]).join(&hex).join("data");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[2_000_000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (code, text) = anonymous().refused(&format!("oci://{}/demo:1", server.address)).await;
    assert_eq!(code, Code::DigestMismatch, "{text}");
}

#[tokio::test]
async fn a_remote_index_may_not_name_a_registry_on_this_machine() {
    let server = open().await;
    Pusher::anonymous(&server).push("demo", "1", &[Layer::new(PACK, &pack())]).await;
    let relay = Relay::to(&server.address).await;
    let locator = format!("oci://{}/demo:1", relay.address);
    let error = anonymous().fetch_as(&locator, None, Origin::RemoteIndex).await.unwrap_err();
    assert_eq!(error.code(), Code::LocatorDenied);
    assert!(relay.asked().is_empty(), "it was asked");
}

/// The settings for a login, as each tool keeps it.
fn docker_config(dir: &Path, text: &str) -> (&'static str, String) {
    std::fs::write(dir.join("config.json"), text).unwrap();
    ("DOCKER_CONFIG", dir.to_string_lossy().into_owned())
}

fn named(registry: &str, password: &str) -> [(&'static str, String); 3] {
    [("OCI_REGISTRY", registry.to_owned()), ("OCI_USERNAME", "ann".to_owned()), ("OCI_PASSWORD", password.to_owned())]
}

#[tokio::test]
async fn a_registry_with_passwords_takes_each_kind_of_login() {
    use base64::Engine as _;
    let server = with_passwords().await;
    let registry = &server.address;
    Pusher::with_password(&server, "ann", PASSWORD).push("demo", "1", &[Layer::new(PACK, &pack())]).await;
    let locator = format!("oci://{registry}/demo:1");
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("ann:{PASSWORD}"));
    let (file, helpers) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());

    let by_file = docker_config(file.path(), &format!(r#"{{"auths": {{"{registry}": {{"auth": "{auth}"}}}}}}"#));
    let by_helper = {
        use std::os::unix::fs::PermissionsExt as _;
        let program = helpers.path().join("docker-credential-vault");
        let text = format!(
            "#!/bin/sh\n[ \"$(cat)\" = \"{registry}\" ] && echo '{{\"Username\": \"ann\", \"Secret\": \"{PASSWORD}\"}}'\n"
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let path = format!("{}:{}", helpers.path().display(), std::env::var("PATH").unwrap());
        let text = format!(r#"{{"credHelpers": {{"{registry}": "vault"}}}}"#);
        [docker_config(helpers.path(), &text), ("PATH", path)]
    };
    for settings in [named(registry, PASSWORD).to_vec(), vec![by_file], by_helper.to_vec()] {
        let what = settings[0].0;
        let fetching = Fetching::with(settings);
        let fetched = fetching.fetch(&locator).await.unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_is(&fetched, &pack(), Outcome::Downloaded);
    }
}

#[tokio::test]
async fn a_wrong_login_or_none_is_refused_without_a_word_of_it() {
    let server = with_passwords().await;
    let registry = &server.address;
    Pusher::with_password(&server, "ann", PASSWORD).push("demo", "1", &[Layer::new(PACK, &pack())]).await;
    let locator = format!("oci://{registry}/demo:1");
    for settings in [vec![], named(registry, "wrong secret").to_vec(), named("other.example", PASSWORD).to_vec()] {
        let (code, text) = Fetching::with(settings).refused(&locator).await;
        assert_eq!(code, Code::AccessRefused, "{text}");
        assert!(text.contains("docker login"), "{text}");
    }
    let (code, _) = Fetching::with(named(registry, PASSWORD).into_iter().skip(1)).refused(&locator).await;
    assert_eq!(code, Code::CredentialsInvalid);
}

#[tokio::test]
async fn tokens_are_got_where_the_registry_says() {
    let tokens = token::Server::start().await;
    let server = start(|dir| tokens.settings(dir)).await;
    Pusher::with_token(&server, &tokens.push_token("team/demo"))
        .push("team/demo", "1", &[Layer::new(PACK, &pack())])
        .await;
    let locator = format!("oci://{}/team/demo:1", server.address);

    let fetching = Fetching::with(named(&server.address, PASSWORD));
    assert_is(&fetching.fetch(&locator).await.unwrap(), &pack(), Outcome::Downloaded);
    assert_eq!(tokens.asked(), ["GET ann repository:team/demo:pull"]);
    // A token serves as long as it holds.
    assert_is(&fetching.fetch(&locator).await.unwrap(), &pack(), Outcome::Cached);
    assert!(tokens.asked().is_empty());

    let dir = tempfile::tempdir().unwrap();
    let text = format!(r#"{{"auths": {{"{}": {{"identitytoken": "a secret refresh token"}}}}}}"#, server.address);
    let refreshing = Fetching::with([docker_config(dir.path(), &text)]);
    assert_is(&refreshing.fetch(&locator).await.unwrap(), &pack(), Outcome::Downloaded);
    assert_eq!(tokens.asked(), ["POST a secret refresh token repository:team/demo:pull"]);

    for settings in [vec![], named(&server.address, "wrong secret").to_vec()] {
        let (code, text) = Fetching::with(settings).refused(&locator).await;
        assert_eq!(code, Code::AccessRefused, "{text}");
    }
}
