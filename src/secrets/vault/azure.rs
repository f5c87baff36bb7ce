//! Azure Key Vault, by its REST interface.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::FutureExt as _;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request, StatusCode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::azure_token::Tokens;
use super::remote::{Answer, Remote, Times};
use super::{Vault, endpoint, name, required};
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::secret::SecretBytes;
use crate::secrets::{SecretKey, SecretScope, SecretsBackend};

const STORE: &str = "Azure Key Vault";
const VAULT: &str = "AZURE_KEYVAULT_URL";
const VERSION: &str = "api-version=7.4";
/// What values that are not text are marked with: the vault keeps texts.
const BASE64: &str = "application/octet-stream; encoding=base64";

/// One Azure Key Vault.
pub(super) struct Azure {
    remote: Remote,
    tokens: Tokens,
    vault: String,
    prefix: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Value<T> {
    value: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
}

/// A failure as the interface tells it.
#[derive(Deserialize)]
struct Failure {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    #[serde(rename = "innererror")]
    inner: Option<Box<Inner>>,
}

#[derive(Deserialize)]
struct Inner {
    code: String,
}

impl Azure {
    /// The one that `environment` describes.
    pub(super) fn new(environment: &Environment, times: Times) -> Result<Self> {
        let remote = Remote::new(STORE, times)?;
        let vault = required(environment, &[VAULT], SecretsBackend::Azure)?;
        let vault = endpoint::endpoint(environment, &[VAULT], vault)?;
        let tokens = Tokens::new(environment, remote.clone(), &vault)?;
        Ok(Self { remote, tokens, vault, prefix: name::prefix(environment) })
    }

    async fn ask(&self, method: Method, name: &str, body: Bytes) -> Result<Answer> {
        let answer = self.ask_once(&method, name, &body).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // The token may have been taken back before its time.
        self.tokens.forget().await;
        self.ask_once(&method, name, &body).await
    }

    async fn ask_once(&self, method: &Method, name: &str, body: &Bytes) -> Result<Answer> {
        let make = || {
            async {
                let bearer = self.tokens.bearer().await?;
                let mut bearer =
                    HeaderValue::from_str(&bearer).map_err(|_| self.remote.nonsense("the token is none"))?;
                bearer.set_sensitive(true);
                Request::builder()
                    .method(method.clone())
                    .uri(format!("{}/secrets/{name}?{VERSION}", self.vault))
                    .header("content-type", "application/json")
                    .header(AUTHORIZATION, bearer)
                    .body(body.clone())
                    .map_err(|_| Error::new(Code::SecretsBackend, format!("{VAULT} is no URL")))
            }
            .boxed()
        };
        self.remote.ask(make, |_| false).await
    }

    fn failed(&self, name: &str, answer: &Answer) -> Error {
        match answer.status {
            StatusCode::UNAUTHORIZED => self.remote.refused("Unauthorized"),
            StatusCode::FORBIDDEN => self.remote.forbidden(name),
            _ => self.remote.unexpected(answer),
        }
    }
}

/// Whether the vault says that there is no such secret, or that it was disabled.
fn is_absent(answer: &Answer) -> bool {
    let Ok(Failure { error }) = serde_json::from_slice(&answer.body) else { return false };
    match answer.status {
        StatusCode::NOT_FOUND => error.code == "SecretNotFound",
        StatusCode::FORBIDDEN => error.inner.is_some_and(|inner| inner.code == "SecretDisabled"),
        _ => false,
    }
}

#[async_trait]
impl Vault for Azure {
    const STORE: &'static str = STORE;

    fn name(&self, scope: &SecretScope, key: &SecretKey) -> Result<String> {
        name::plain(&self.prefix, scope, key)
    }

    async fn get(&self, name: &str) -> Result<Option<SecretBytes>> {
        let answer = self.ask(Method::GET, name, Bytes::new()).await?;
        if answer.status != StatusCode::OK {
            return if is_absent(&answer) { Ok(None) } else { Err(self.failed(name, &answer)) };
        }
        let Value { value, content_type } = serde_json::from_slice::<Value<String>>(&answer.body)
            .map_err(|_| self.remote.nonsense("it is no such JSON"))?;
        if content_type.as_deref() != Some(BASE64) {
            return Ok(Some(SecretBytes::new(value)));
        }
        let encoded = Zeroizing::new(value);
        let bytes = STANDARD.decode(&*encoded).map_err(|_| self.remote.nonsense("it is no Base64"))?;
        Ok(Some(SecretBytes::new(bytes)))
    }

    async fn put(&self, name: &str, value: &SecretBytes) -> Result<()> {
        let text = std::str::from_utf8(value.expose()).ok();
        let encoded = Zeroizing::new(STANDARD.encode(value.expose()));
        let new = Value { value: text.unwrap_or(&encoded), content_type: text.is_none().then(|| BASE64.to_owned()) };
        let body = Zeroizing::new(
            serde_json::to_vec(&new)
                .map_err(|e| Error::new(Code::Internal, format!("a request to {STORE} cannot be written: {e}")))?,
        );
        let answer = self.ask(Method::PUT, name, Bytes::from_owner(body)).await?;
        match answer.status {
            status if status.is_success() => Ok(()),
            StatusCode::CONFLICT => {
                let message = format!("{STORE} has a deleted secret {name} that it still keeps");
                Err(Error::new(Code::SecretNotStored, message).hint("restore or purge it there"))
            }
            _ => Err(self.failed(name, &answer)),
        }
    }
}
