//! The protocol of registries: manifests and blobs, with a login where one is asked for.

use std::net::IpAddr;

use http::header::{ACCEPT, RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use oci_client::errors::{OciEnvelope, OciErrorCode};
use oci_client::manifest::OCI_IMAGE_MEDIA_TYPE;
use reqwest::Response;
use url::{Host, Url};

use super::super::http::answer;
use super::super::http::client::{self, Ask};
use super::super::{Fault, SourceOptions, not_found};
use super::challenge::Challenge;
use super::manifest::{self, ACCEPT as MANIFESTS, MAX_MANIFEST};
use super::token::{Challenged, Tokens};
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::ingest::locator::{Locator, OciReference};
use crate::pack::model::Digest;

/// The largest error that is read, in bytes.
const MAX_ERROR: usize = 64 << 10;

const DIGEST: &str = "docker-content-digest";

/// What is asked for.
pub(super) struct Call<'l> {
    pub(super) locator: &'l Locator,
    pub(super) reference: &'l OciReference,
    pub(super) method: Method,
}

/// The registries, as far as they were talked to.
pub(super) struct Registries {
    client: client::Client,
    tokens: Tokens,
    environment: Environment,
    allow_http: bool,
}

impl Registries {
    pub(super) fn new(options: &SourceOptions) -> Self {
        Self {
            client: client::Client::new(options),
            tokens: Tokens::new(options.environment.clone()),
            environment: options.environment.clone(),
            allow_http: options.allow_http,
        }
    }

    /// The digest that the registry states for what `tag` means, if it states one.
    pub(super) async fn digest_of(&self, call: &Call<'_>, tag: &str) -> Result<Option<Digest>, Fault> {
        let call = Call { method: Method::HEAD, ..*call };
        let response = self.send(&call, &format!("manifests/{tag}"), accepted()?).await?;
        if matches!(response.status(), StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) {
            return Ok(None);
        }
        let response = check(&call, response).await?;
        let stated = response.headers().get(DIGEST).and_then(|value| value.to_str().ok());
        Ok(stated.and_then(|text| text.parse().ok()))
    }

    /// The manifest with that tag or digest, which has the digest `want`.
    pub(super) async fn manifest(&self, call: &Call<'_>, name: &str, want: Option<Digest>) -> Result<Vec<u8>, Fault> {
        let response = self.send(call, &format!("manifests/{name}"), accepted()?).await?;
        let response = check(call, response).await?;
        let too_large = || manifest::invalid(call.reference, "it is larger than 4 MiB");
        let bytes = bounded(call.locator, response, MAX_MANIFEST).await?.ok_or_else(too_large)?;
        let found = Digest::of(&bytes);
        match want.filter(|want| *want != found) {
            Some(want) => Err(Error::new(
                Code::DigestMismatch,
                format!("the registry of {} sends a manifest with the digest {found}, not {want}", call.reference),
            )
            .hint("the registry, or something on the way to it, is broken or changes what it passes on")
            .into()),
            None => Ok(bytes),
        }
    }

    /// The answer that brings a blob from `offset` on, or all of it, or says that it has none there.
    pub(super) async fn blob(&self, call: &Call<'_>, digest: &str, offset: u64) -> Result<Response, Fault> {
        let mut headers = HeaderMap::new();
        if offset > 0 {
            headers.insert(RANGE, header(&format!("bytes={offset}-"))?);
        }
        let response = self.send(call, &format!("blobs/{digest}"), headers).await?;
        if offset > 0 && response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(response);
        }
        check(call, response).await
    }

    /// Asks, and asks again with a login if the registry wants one.
    async fn send(&self, call: &Call<'_>, path: &str, headers: HeaderMap) -> Result<Response, Fault> {
        let url = self.url(call.reference, path)?;
        let known = self.tokens.known(call.reference);
        let send = |authorization: Option<HeaderValue>| {
            let (url, headers, method) = (&url, &headers, call.method.clone());
            async move {
                let ask = Ask { url, method, headers, authorization: authorization.as_ref(), led_by: None };
                self.client.ask(call.locator, ask).await
            }
        };
        let response = send(known).await?;
        let is_registry = response.url().origin() == url.origin();
        if response.status() != StatusCode::UNAUTHORIZED || !is_registry {
            return Ok(response);
        }
        let challenge = Challenge::read(response.headers().get_all(WWW_AUTHENTICATE));
        let asked = Challenged { registry: &url, peer: response.remote_addr(), challenge };
        match self.tokens.answer(call, &self.client, &asked).await? {
            Some(authorization) => send(Some(authorization)).await,
            None => Ok(response),
        }
    }

    fn url(&self, reference: &OciReference, path: &str) -> Result<Url> {
        let host = api_host(&reference.registry);
        let scheme = if self.is_plain(host) { "http" } else { "https" };
        let url = format!("{scheme}://{host}/v2/{}/{path}", reference.repository);
        Url::parse(&url).map_err(|e| Error::new(Code::LocatorInvalid, format!("{reference} makes no URL: {e}")))
    }

    /// Whether a registry is spoken to without TLS: on this machine, or if its operator lists it and allows that.
    fn is_plain(&self, host: &str) -> bool {
        let listed = self.environment.get("OCI_HTTP_REGISTRIES").unwrap_or_default();
        let is_listed = listed.split(',').any(|registry| registry.trim().eq_ignore_ascii_case(host));
        is_loopback(host) || (self.allow_http && is_listed)
    }
}

/// The host that answers for a registry: one of them has its protocol elsewhere.
fn api_host(registry: &str) -> &str {
    match registry {
        "docker.io" | "index.docker.io" => "registry-1.docker.io",
        other => other,
    }
}

fn is_loopback(host: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{host}")) else { return false };
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn accepted() -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, header(&MANIFESTS.join(", ")).unwrap_or(HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE)));
    Ok(headers)
}

fn header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|e| Error::new(Code::Internal, format!("a header cannot be made: {e}")))
}

/// All of a body, if it has at most `limit` bytes.
pub(super) async fn bounded(locator: &Locator, mut response: Response, limit: usize) -> Result<Option<Vec<u8>>, Fault> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| client::failed(locator, e))? {
        if bytes.len().saturating_add(chunk.len()) > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

/// Refuses an answer that does not bring what was asked for.
async fn check(call: &Call<'_>, response: Response) -> Result<Response, Fault> {
    let status = response.status();
    if matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return Ok(response);
    }
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = after.and_then(|text| answer::retry_after(text, std::time::SystemTime::now()));
    let said = bounded(call.locator, response, MAX_ERROR).await.ok().flatten();
    let said = said.and_then(|bytes| serde_json::from_slice::<OciEnvelope>(&bytes).ok());
    Err(refused(call, status, after, said.as_ref()))
}

/// What a status and a registry's own words mean.
fn refused(
    call: &Call<'_>,
    status: StatusCode,
    after: Option<std::time::Duration>,
    said: Option<&OciEnvelope>,
) -> Fault {
    let reference = call.reference;
    let first = said.and_then(|envelope| envelope.errors.first());
    let words = first.map(|error| format!(" ({})", clip(&error.message))).unwrap_or_default();
    let message = format!("the registry of {reference} answers {status}{words}");
    let is_limit = first.is_some_and(|error| error.code == OciErrorCode::Toomanyrequests);
    match status.as_u16() {
        404 => not_found(call.locator),
        408 | 421 | 425 | 429 | 500..=599 => throttled(message, after),
        _ if is_limit => throttled(message, after),
        401 | 403 => Error::new(Code::AccessRefused, message)
            .hint(
                "see that the repository exists, then log in (docker login, oras login), or set OCI_REGISTRY, \
                 OCI_USERNAME and OCI_PASSWORD",
            )
            .into(),
        _ => Error::new(Code::SourceAnswer, message)
            .hint("check the locator: it has to name a registry that speaks the OCI distribution protocol")
            .into(),
    }
}

fn throttled(message: String, after: Option<std::time::Duration>) -> Fault {
    let error =
        Error::new(Code::FetchFailed, message).hint("try again later; if it stays so, ask those who run the registry");
    Fault { error, after }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Reach;

    fn registries(allow_http: bool, listed: &str) -> Registries {
        Registries::new(&SourceOptions {
            reach: Reach::anywhere(),
            redirects: Reach::anywhere(),
            allow_http,
            connect: std::time::Duration::from_secs(1),
            netrc: None,
            environment: Environment::from_iter([("OCI_HTTP_REGISTRIES", listed)]),
        })
    }

    fn reference(registry: &str) -> OciReference {
        OciReference { registry: registry.into(), repository: "a/b".into(), tag: Some("1".into()), digest: None }
    }

    #[test]
    fn only_this_machine_and_what_is_listed_and_allowed_goes_without_tls() {
        let (strict, listed) =
            (registries(false, "inner.example:5000"), registries(true, "x.example, inner.example:5000"));
        for (registries, registry, url) in [
            (&strict, "127.0.0.1:5000", "http://127.0.0.1:5000/v2/a/b/manifests/1"),
            (&strict, "[::1]:5000", "http://[::1]:5000/v2/a/b/manifests/1"),
            (&strict, "localhost", "http://localhost/v2/a/b/manifests/1"),
            (&strict, "localhost.example", "https://localhost.example/v2/a/b/manifests/1"),
            (&strict, "inner.example:5000", "https://inner.example:5000/v2/a/b/manifests/1"),
            (&listed, "inner.example:5000", "http://inner.example:5000/v2/a/b/manifests/1"),
            (&listed, "inner.example", "https://inner.example/v2/a/b/manifests/1"),
            (&listed, "docker.io", "https://registry-1.docker.io/v2/a/b/manifests/1"),
        ] {
            assert_eq!(registries.url(&reference(registry), "manifests/1").unwrap().as_str(), url);
        }
    }

    #[test]
    fn a_registrys_words_are_told_and_its_status_judged() {
        let reference = reference("registry.example");
        let locator = Locator::Oci(reference.clone());
        let call = Call { locator: &locator, reference: &reference, method: Method::GET };
        let said = |code: &str| {
            let text = format!(r#"{{"errors": [{{"code": "{code}", "message": "the words"}}]}}"#);
            serde_json::from_str::<OciEnvelope>(&text).unwrap()
        };
        for (status, word, code) in [
            (404, "MANIFEST_UNKNOWN", Code::NotFound),
            (401, "UNAUTHORIZED", Code::AccessRefused),
            (403, "DENIED", Code::AccessRefused),
            (403, "TOOMANYREQUESTS", Code::FetchFailed),
            (429, "TOOMANYREQUESTS", Code::FetchFailed),
            (503, "X", Code::FetchFailed),
            (400, "NAME_INVALID", Code::SourceAnswer),
            (302, "X", Code::SourceAnswer),
        ] {
            let fault = refused(&call, StatusCode::from_u16(status).unwrap(), None, Some(&said(word)));
            assert_eq!(fault.error.code(), code, "{status} {word}");
            assert_eq!(fault.error.message().contains("the words"), code != Code::NotFound, "{}", fault.error);
        }
    }
}
