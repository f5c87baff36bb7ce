//! Tokens for Azure: by a client secret, by a federated identity, or by the managed identity of the machine.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

use super::endpoint;
use super::remote::{Answer, Remote};
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::secret::Secret;

/// How long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(120);
/// How long a token is good for if nobody says it.
const USUAL: Duration = Duration::from_secs(600);
/// The largest federated token that is read, in bytes.
const LARGEST_FILE: u64 = 64 << 10;
/// The vaults of each of Azure's clouds, as their addresses end.
const CLOUDS: [&str; 3] = ["vault.azure.net", "vault.azure.cn", "vault.usgovcloudapi.net"];
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const METADATA: &str = "http://169.254.169.254";

/// Gets tokens, and keeps one as long as it is good.
pub(super) struct Tokens {
    remote: Remote,
    way: Way,
    kept: Mutex<Option<(Secret, Instant)>>,
}

/// By what this host proves who it is.
enum Way {
    /// A secret or a federated token, at the service that gives out tokens.
    Client { url: String, id: String, scope: String, proof: Proof },
    /// The identity of an application service.
    Service { url: Url, header: Secret },
    /// The identity of a virtual machine.
    Machine { url: Url },
}

enum Proof {
    Secret(Secret),
    /// A file whose content changes.
    File(String),
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: Option<Seconds>,
}

/// Seconds, which some services write as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

impl Tokens {
    /// Tokens for the vault at `vault`, in the first way for which `environment` has all that it takes.
    pub(super) fn new(environment: &Environment, remote: Remote, vault: &str) -> Result<Self> {
        let host = Url::parse(vault).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        let cloud = CLOUDS.iter().find(|cloud| host.ends_with(**cloud)).copied().unwrap_or("vault.azure.net");
        Ok(Self { remote, way: Way::of(environment, cloud)?, kept: Mutex::default() })
    }

    /// What a request carries as `Authorization`.
    pub(super) async fn bearer(&self) -> Result<Zeroizing<String>> {
        let mut kept = self.kept.lock().await;
        let token = match &*kept {
            Some((token, until)) if Instant::now() < *until => token.clone(),
            _ => {
                let (token, good_for) = self.get().await?;
                *kept = Some((token.clone(), Instant::now() + good_for.saturating_sub(MARGIN)));
                token
            }
        };
        Ok(Zeroizing::new(format!("Bearer {}", token.expose())))
    }

    /// Gets another token next time.
    pub(super) async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    async fn get(&self) -> Result<(Secret, Duration)> {
        let (answer, _) = self.remote.once(self.request().await?).await?;
        let Answer { status, body } = answer;
        if status != StatusCode::OK {
            let busy = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            return Err(match busy {
                true => self.remote.unavailable(&format!("gets no token ({})", status.as_u16())),
                false => self.remote.refused(&format!("no token: {}", status.as_u16())),
            });
        }
        let token: Token =
            serde_json::from_slice(&body).map_err(|_| self.remote.nonsense("what gives out tokens gives none"))?;
        let seconds = match token.expires_in {
            Some(Seconds::Number(seconds)) => Some(seconds),
            Some(Seconds::Text(text)) => text.trim().parse().ok(),
            None => None,
        };
        // A day is more than any of them lives, and cannot overflow.
        let good_for = seconds.map_or(USUAL, |seconds| Duration::from_secs(seconds.min(86_400)));
        Ok((Secret::new(token.access_token), good_for))
    }

    async fn request(&self) -> Result<Request<Bytes>> {
        let request = match &self.way {
            Way::Client { url, id, scope, proof } => {
                let (name, proof, kind) = match proof {
                    Proof::Secret(secret) => ("client_secret", secret.clone(), None),
                    Proof::File(path) => ("client_assertion", assertion(path).await?, Some(ASSERTION)),
                };
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "client_credentials").append_pair("client_id", id);
                form.append_pair("scope", scope).append_pair(name, proof.expose());
                form.extend_pairs(kind.map(|kind| ("client_assertion_type", kind)));
                let form = Zeroizing::new(form.finish().into_bytes());
                let request = Request::post(url).header("content-type", "application/x-www-form-urlencoded");
                request.body(Bytes::from_owner(form))
            }
            Way::Service { url, header } => {
                Request::get(url.as_str()).header("x-identity-header", header.expose()).body(Bytes::new())
            }
            Way::Machine { url } => Request::get(url.as_str()).header("metadata", "true").body(Bytes::new()),
        };
        request.map_err(|_| wrong("the settings for tokens make no request"))
    }
}

impl Way {
    fn of(environment: &Environment, cloud: &str) -> Result<Self> {
        let set = |name: &str| environment.get(name).map(str::to_owned);
        let (id, tenant) = (set("AZURE_CLIENT_ID"), set("AZURE_TENANT_ID"));
        let federated = set("AZURE_FEDERATED_TOKEN_FILE").map(Proof::File);
        let proof = set("AZURE_CLIENT_SECRET").map(|secret| Proof::Secret(Secret::new(secret))).or(federated);
        if let Some(proof) = proof {
            let (Some(id), Some(tenant)) = (id, tenant) else {
                return Err(wrong("AZURE_CLIENT_ID and AZURE_TENANT_ID are not both set")
                    .hint("a client secret and a federated token take both"));
            };
            if !tenant.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')) {
                return Err(wrong("AZURE_TENANT_ID is no tenant's id"));
            }
            let usual = "https://login.microsoftonline.com";
            let authority = endpoint::endpoint(environment, &["AZURE_AUTHORITY_HOST"], usual)?;
            let url = format!("{authority}/{tenant}/oauth2/v2.0/token");
            return Ok(Self::Client { url, id, proof, scope: format!("https://{cloud}/.default") });
        }
        let with_query = |text: &str, version: &str| -> Result<Url> {
            let mut url = Url::parse(text).map_err(|_| wrong("the address of the managed identity is no URL"))?;
            url.query_pairs_mut()
                .append_pair("api-version", version)
                .append_pair("resource", &format!("https://{cloud}"));
            if let Some(id) = &id {
                url.query_pairs_mut().append_pair("client_id", id);
            }
            Ok(url)
        };
        if let (Some(address), Some(header)) = (set("IDENTITY_ENDPOINT"), set("IDENTITY_HEADER")) {
            return Ok(Self::Service { url: with_query(&address, "2019-08-01")?, header: Secret::new(header) });
        }
        let host = set("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or_else(|| METADATA.to_owned());
        let address = format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/'));
        Ok(Self::Machine { url: with_query(&address, "2018-02-01")? })
    }
}

async fn assertion(path: &str) -> Result<Secret> {
    let unreadable = |e: std::io::Error| wrong(&format!("AZURE_FEDERATED_TOKEN_FILE cannot be read: {e}"));
    if tokio::fs::metadata(path).await.map_err(unreadable)?.len() > LARGEST_FILE {
        return Err(wrong("AZURE_FEDERATED_TOKEN_FILE is too large for a token"));
    }
    Ok(Secret::new(tokio::fs::read_to_string(path).await.map_err(unreadable)?.trim()))
}

fn wrong(what: &str) -> Error {
    Error::new(Code::SecretsBackend, what)
}
