//! AWS Secrets Manager, by its JSON interface and Signature Version 4.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::FutureExt as _;
use http::{Request, StatusCode};
use reqsign_aws_v4::{Credential, DefaultCredentialProvider, RequestSigner};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::remote::{Answer, Remote, Times};
use super::signing::Signing;
use super::{Vault, endpoint, name, required};
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::secret::SecretBytes;
use crate::secrets::{SecretKey, SecretScope, SecretsBackend};

const STORE: &str = "AWS Secrets Manager";
const SERVICE: &str = "secretsmanager";

/// AWS Secrets Manager in one region.
pub(super) struct Aws {
    remote: Remote,
    signing: Signing<Credential>,
    endpoint: String,
    prefix: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Value {
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

/// A failure as the interface tells it. Some of its names have the service's in front of a `#`.
#[derive(Deserialize)]
struct Failure {
    #[serde(rename = "__type")]
    kind: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NewValue<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    client_request_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_string: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_binary: Option<&'a str>,
}

impl Aws {
    /// The one that `environment` describes.
    pub(super) fn new(environment: &Environment, times: Times) -> Result<Self> {
        let remote = Remote::new(STORE, times)?;
        let region = required(environment, &["AWS_REGION", "AWS_DEFAULT_REGION"], SecretsBackend::Aws)?;
        let is_region = region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !is_region {
            return Err(Error::new(Code::SecretsBackend, "AWS_REGION is no region").hint("write it as eu-central-1"));
        }
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let usual = format!("https://{SERVICE}.{region}.amazonaws.com{suffix}");
        let settings = ["AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"];
        Ok(Self {
            endpoint: endpoint::endpoint(environment, &settings, &usual)?,
            signing: Signing::new(
                environment,
                &remote,
                DefaultCredentialProvider::new(),
                RequestSigner::new(SERVICE, region),
            ),
            prefix: name::prefix(environment),
            remote,
        })
    }

    /// What an action gives; what it fails with is in the answer.
    async fn act(&self, action: &str, input: &impl Serialize) -> Result<Answer> {
        let body = Zeroizing::new(
            serde_json::to_vec(input)
                .map_err(|e| Error::new(Code::Internal, format!("a request to {STORE} cannot be written: {e}")))?,
        );
        let (digest, body) = (hex::encode(Sha256::digest(&*body)), Bytes::from_owner(body));
        let make = || {
            async {
                let request = Request::post(format!("{}/", self.endpoint))
                    .header("content-type", "application/x-amz-json-1.1")
                    .header("x-amz-target", format!("{SERVICE}.{action}"))
                    .header("x-amz-content-sha256", &digest)
                    .body(body.clone())
                    .map_err(|_| Error::new(Code::SecretsBackend, format!("the endpoint of {STORE} is no URL")))?;
                self.signing.sign(request).await
            }
            .boxed()
        };
        self.remote.ask(make, |answer| kind(answer).is_some_and(|kind| kind.contains("Throttl"))).await
    }

    fn failed(&self, name: &str, answer: &Answer) -> Error {
        match kind(answer).as_deref() {
            Some("AccessDeniedException" | "AccessDenied" | "DecryptionFailure") => self.remote.forbidden(name),
            Some(kind) if NOT_KNOWN.contains(&kind) => self.remote.refused(kind),
            _ => self.remote.unexpected(answer),
        }
    }
}

/// The failures that say that the credentials are not accepted.
const NOT_KNOWN: [&str; 8] = [
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// The failure that an answer tells of, in JSON; what stands before the service may tell it in XML.
fn kind(answer: &Answer) -> Option<String> {
    if answer.status.is_success() {
        return None;
    }
    if let Ok(Failure { kind }) = serde_json::from_slice(&answer.body) {
        return Some(kind.rsplit('#').next().unwrap_or_default().to_owned());
    }
    let (_, rest) = std::str::from_utf8(&answer.body).ok()?.split_once("<Code>")?;
    Some(rest.split_once("</Code>")?.0.to_owned())
}

#[async_trait]
impl Vault for Aws {
    const STORE: &'static str = STORE;

    fn name(&self, scope: &SecretScope, key: &SecretKey) -> Result<String> {
        name::path(&self.prefix, scope, key)
    }

    async fn get(&self, name: &str) -> Result<Option<SecretBytes>> {
        let answer = self.act("GetSecretValue", &json!({ "SecretId": name })).await?;
        if answer.status != StatusCode::OK {
            return match kind(&answer).as_deref() {
                // The second is a secret that was deleted, as long as it can be restored.
                Some("ResourceNotFoundException" | "InvalidRequestException") => Ok(None),
                _ => Err(self.failed(name, &answer)),
            };
        }
        let value = serde_json::from_slice(&answer.body).map_err(|_| self.remote.nonsense("it is no such JSON"))?;
        match value {
            Value { secret_string: Some(text), .. } => Ok(Some(SecretBytes::new(text))),
            Value { secret_binary: Some(encoded), .. } => {
                let encoded = Zeroizing::new(encoded);
                let bytes = STANDARD.decode(&*encoded).map_err(|_| self.remote.nonsense("it is no Base64"))?;
                Ok(Some(SecretBytes::new(bytes)))
            }
            Value { .. } => Err(self.remote.nonsense("it holds no value")),
        }
    }

    async fn put(&self, name: &str, value: &SecretBytes) -> Result<()> {
        let text = std::str::from_utf8(value.expose()).ok();
        let encoded = Zeroizing::new(STANDARD.encode(value.expose()));
        let new = |id, name| NewValue {
            secret_id: id,
            name,
            // The same for every attempt, so that a repetition makes no second version.
            client_request_token: uuid::Uuid::new_v4().to_string(),
            secret_string: text,
            secret_binary: text.is_none().then_some(encoded.as_str()),
        };
        let mut answer = self.act("PutSecretValue", &new(Some(name), None)).await?;
        if kind(&answer).as_deref() == Some("ResourceNotFoundException") {
            answer = self.act("CreateSecret", &new(None, Some(name))).await?;
            if kind(&answer).as_deref() == Some("ResourceExistsException") {
                answer = self.act("PutSecretValue", &new(Some(name), None)).await?;
            }
        }
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(self.failed(name, &answer)),
        }
    }
}
