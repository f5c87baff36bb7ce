//! Google Secret Manager, by its REST interface.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::FutureExt as _;
use http::{Method, Request, StatusCode};
use reqsign_google::{Credential, DefaultCredentialProvider, RequestSigner};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::remote::{Answer, Remote, Times};
use super::signing::Signing;
use super::{Vault, endpoint, name, required};
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::secret::SecretBytes;
use crate::secrets::{SecretKey, SecretScope, SecretsBackend};

const STORE: &str = "Google Secret Manager";

/// Google Secret Manager of one project.
pub(super) struct Gcp {
    remote: Remote,
    signing: Signing<Credential>,
    /// Where the project's secrets are.
    secrets: String,
    prefix: String,
}

#[derive(Deserialize)]
struct Accessed {
    payload: Payload<String>,
}

#[derive(Serialize)]
struct NewVersion<'a> {
    payload: Payload<&'a str>,
}

#[derive(Deserialize, Serialize)]
struct Payload<T> {
    data: T,
}

/// A failure as the interface tells it.
#[derive(Deserialize)]
struct Failure {
    error: Status,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

impl Gcp {
    /// The one that `environment` describes.
    pub(super) fn new(environment: &Environment, times: Times) -> Result<Self> {
        let remote = Remote::new(STORE, times)?;
        let project = required(environment, &["GOOGLE_CLOUD_PROJECT", "GOOGLE_PROJECT_ID"], SecretsBackend::Gcp)?;
        let is_project = project.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':'));
        if !is_project {
            return Err(Error::new(Code::SecretsBackend, "GOOGLE_CLOUD_PROJECT is no project"));
        }
        let usual = "https://secretmanager.googleapis.com";
        let endpoint = endpoint::endpoint(environment, &["GOOGLE_SECRET_MANAGER_ENDPOINT"], usual)?;
        Ok(Self {
            secrets: format!("{endpoint}/v1/projects/{project}/secrets"),
            signing: Signing::new(
                environment,
                &remote,
                DefaultCredentialProvider::new(),
                RequestSigner::new("secretmanager"),
            ),
            prefix: name::prefix(environment),
            remote,
        })
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Answer> {
        let make = || {
            async {
                let request = Request::builder()
                    .method(method.clone())
                    .uri(format!("{}{path}", self.secrets))
                    .header("content-type", "application/json")
                    .body(body.clone())
                    .map_err(|_| Error::new(Code::SecretsBackend, format!("the endpoint of {STORE} is no URL")))?;
                self.signing.sign(request).await
            }
            .boxed()
        };
        self.remote.ask(make, |_| false).await
    }

    fn failed(&self, name: &str, answer: &Answer) -> Error {
        match (answer.status, status(answer).as_deref()) {
            (StatusCode::UNAUTHORIZED, _) | (_, Some("UNAUTHENTICATED")) => self.remote.refused("UNAUTHENTICATED"),
            (StatusCode::FORBIDDEN, _) => self.remote.forbidden(name),
            _ => self.remote.unexpected(answer),
        }
    }
}

/// The failure that an answer tells of.
fn status(answer: &Answer) -> Option<String> {
    let Failure { error } = serde_json::from_slice(&answer.body).ok()?;
    Some(error.status)
}

/// Whether the store itself says that there is no such secret, and not whoever else answers at a wrong address.
fn is_absent(answer: &Answer) -> bool {
    answer.status == StatusCode::NOT_FOUND && status(answer).as_deref() == Some("NOT_FOUND")
}

#[async_trait]
impl Vault for Gcp {
    const STORE: &'static str = STORE;

    fn name(&self, scope: &SecretScope, key: &SecretKey) -> Result<String> {
        name::dashed(&self.prefix, scope, key)
    }

    async fn get(&self, name: &str) -> Result<Option<SecretBytes>> {
        let answer = self.ask(Method::GET, &format!("/{name}/versions/latest:access"), Bytes::new()).await?;
        if answer.status != StatusCode::OK {
            // The second is a version that was disabled or destroyed.
            let is_disabled = status(&answer).as_deref() == Some("FAILED_PRECONDITION");
            return if is_absent(&answer) || is_disabled { Ok(None) } else { Err(self.failed(name, &answer)) };
        }
        let Accessed { payload } =
            serde_json::from_slice(&answer.body).map_err(|_| self.remote.nonsense("it is no such JSON"))?;
        let encoded = Zeroizing::new(payload.data);
        let bytes = STANDARD.decode(&*encoded).map_err(|_| self.remote.nonsense("it is no Base64"))?;
        Ok(Some(SecretBytes::new(bytes)))
    }

    async fn put(&self, name: &str, value: &SecretBytes) -> Result<()> {
        let encoded = Zeroizing::new(STANDARD.encode(value.expose()));
        let version = NewVersion { payload: Payload { data: encoded.as_str() } };
        let body = Zeroizing::new(
            serde_json::to_vec(&version)
                .map_err(|e| Error::new(Code::Internal, format!("a request to {STORE} cannot be written: {e}")))?,
        );
        let (body, path) = (Bytes::from_owner(body), format!("/{name}:addVersion"));
        let mut answer = self.ask(Method::POST, &path, body.clone()).await?;
        if is_absent(&answer) {
            let made = Bytes::from_static(br#"{"replication":{"automatic":{}}}"#);
            let made = self.ask(Method::POST, &format!("?secretId={name}"), made).await?;
            if !made.status.is_success() && made.status != StatusCode::CONFLICT {
                return Err(self.failed(name, &made));
            }
            answer = self.ask(Method::POST, &path, body).await?;
        }
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(self.failed(name, &answer)),
        }
    }
}
