//! AWS Secrets Manager, by a server that checks signatures.

use std::path::Path;
use std::sync::Arc;

use greentic_runner_host::error::Code;
use greentic_runner_host::id::Id;
use greentic_runner_host::ingest::Environment;
use greentic_runner_host::secret::{Secret, SecretBytes};
use greentic_runner_host::secrets::{self, SecretScope, SecretsBackend, SecretsManager};
use reqwest::Client;

use crate::server::{Server, client, port};

struct Cloud {
    server: Server,
    client: Client,
    id: String,
    key: String,
}

impl Cloud {
    /// A server with a user who may do everything with secrets, and which checks signatures from now on.
    async fn start() -> Self {
        let arguments = |_: &Path, address: &str| ["-H", "127.0.0.1", "-p", &port(address)].map(str::to_owned).into();
        let server = Server::start("moto_server", arguments).await;
        let mut cloud = Self { server, client: client(), id: String::new(), key: String::new() };
        cloud.iam("CreateUser", "").await;
        let made = cloud.iam("CreateAccessKey", "").await;
        let field = |name: &str| {
            let (_, rest) = made.split_once(&format!("<{name}>")).unwrap();
            rest.split_once('<').unwrap().0.to_owned()
        };
        (cloud.id, cloud.key) = (field("AccessKeyId"), field("SecretAccessKey"));
        cloud.allow("secretsmanager:*").await;
        cloud.check_signatures("0").await;
        cloud
    }

    /// Lets the user do this, with whatever: the server knows no names of secrets in policies.
    async fn allow(&self, action: &str) {
        let policy = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": action, "Resource": "*" }]
        });
        let policy: String = url::form_urlencoded::byte_serialize(policy.to_string().as_bytes()).collect();
        self.iam("PutUserPolicy", &format!("&PolicyName=own&PolicyDocument={policy}")).await;
    }

    async fn iam(&self, action: &str, more: &str) -> String {
        let unchecked = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/iam/aws4_request, \
                         SignedHeaders=host, Signature=0";
        let body = format!("Action={action}&Version=2010-05-08&UserName=ann{more}");
        let request = self.client.post(self.server.url("/")).header("authorization", unchecked);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{action}: {}", answer.status());
        answer.text().await.unwrap()
    }

    async fn check_signatures(&self, after: &str) {
        let request = self.client.post(self.server.url("/moto-api/reset-auth")).header("content-type", "text/plain");
        assert!(request.body(after.to_owned()).send().await.unwrap().status().is_success());
    }

    fn secrets(&self, more: &[(&str, &str)]) -> Arc<dyn SecretsManager> {
        let own = [
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL", self.server.url("")),
            ("AWS_ACCESS_KEY_ID", self.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.key.clone()),
        ];
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let environment = Environment::from_iter(own.into_iter().chain(more));
        secrets::open(SecretsBackend::Aws, [&Id::from("acme")], &environment).unwrap()
    }
}

fn tenant() -> SecretScope {
    SecretScope::of_tenant(&Id::from("prod"), &Id::from("acme"))
}

#[tokio::test]
async fn what_is_stored_is_read_again() {
    let cloud = Cloud::start().await;
    let store = cloud.secrets(&[]);
    assert!(store.read(&tenant(), "CRM_KEY").await.unwrap().is_empty());
    for value in [&b"a text"[..], b"another \xc3\xbc", b"\xff\x00"] {
        store.write(&tenant(), "CRM_KEY", &SecretBytes::new(value)).await.unwrap();
        assert_eq!(store.read_bytes(&tenant(), "crm/key").await.unwrap(), [SecretBytes::new(value)]);
    }
    assert_eq!(store.read(&tenant(), "CRM_KEY").await.unwrap_err().code(), Code::SecretInvalid, "bytes are no text");
    let user = SecretScope { pack: Some("crm.demo".into()), user: Some("ann@x".into()), ..tenant() };
    assert!(store.read_bytes(&user, "CRM_KEY").await.unwrap().is_empty(), "each has its own");
    store.write(&user, "CRM_KEY", &SecretBytes::new("ann's")).await.unwrap();
    store.write(&user, "CRM_KEY_PREVIOUS", &SecretBytes::new("old")).await.unwrap();
    assert_eq!(store.read(&user, "CRM_KEY").await.unwrap(), [Secret::new("ann's"), Secret::new("old")]);
    store.check().await.unwrap();
}

#[tokio::test]
async fn credentials_are_found_in_a_profile_too() {
    let cloud = Cloud::start().await;
    cloud.secrets(&[]).write(&tenant(), "KEY", &SecretBytes::new("value")).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let profile = format!("[ci]\naws_access_key_id={}\naws_secret_access_key={}\n", cloud.id, cloud.key);
    std::fs::write(home.path().join(".aws/credentials"), profile).unwrap();
    let home = home.path().to_string_lossy().into_owned();
    let settings =
        [("HOME", home.as_str()), ("AWS_PROFILE", "ci"), ("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    assert_eq!(cloud.secrets(&settings).read(&tenant(), "KEY").await.unwrap(), [Secret::new("value")]);
}

#[tokio::test]
async fn wrong_keys_and_missing_rights_are_told_apart_without_a_word_of_them() {
    let cloud = Cloud::start().await;
    let wrong = cloud.secrets(&[("AWS_SECRET_ACCESS_KEY", "canary")]);
    let error = wrong.read_bytes(&tenant(), "KEY").await.unwrap_err();
    assert_eq!(error.code(), Code::SecretsRefused, "{error}");
    assert!(!error.to_string().contains("canary") && !error.to_string().contains(&cloud.id), "{error}");
    assert!(wrong.check().await.is_err());
    cloud.check_signatures("1000000").await;
    cloud.allow("s3:*").await;
    cloud.check_signatures("0").await;
    let store = cloud.secrets(&[]);
    let error = store.read_bytes(&tenant(), "KEY").await.unwrap_err();
    assert_eq!(error.code(), Code::SecretForbidden, "{error}");
    store.check().await.unwrap();
}
