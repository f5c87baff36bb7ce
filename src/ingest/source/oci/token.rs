//! Answers to a registry's challenges, kept as long as they hold.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::HeaderMap;
use http::{HeaderValue, Method, StatusCode};
use parking_lot::Mutex;
use serde::Deserialize;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::super::Fault;
use super::super::http::client::{Ask, Client};
use super::challenge::{Bearer, Challenge};
use super::credentials::{Credentials, Login};
use super::registry::{Call, bounded};
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::ingest::locator::OciReference;

/// The largest answer of who gives tokens, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// How long a token holds of which nobody says how long it does.
const LIFE: Duration = Duration::from_secs(60);

/// How long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(10);

/// How many repositories' tokens are kept.
const KEPT: usize = 1024;

/// Who this host says it is to who gives tokens.
const CLIENT_ID: &str = "greentic-runner";

/// A registry that asks for a login.
pub(super) struct Challenged<'a> {
    /// The URL that was asked.
    pub(super) registry: &'a Url,
    /// Who answered.
    pub(super) peer: Option<SocketAddr>,
    /// What it asks for.
    pub(super) challenge: Challenge,
}

/// Logs in to registries.
pub(super) struct Tokens {
    credentials: Credentials,
    known: Mutex<HashMap<(String, String), (HeaderValue, Instant)>>,
}

impl Tokens {
    pub(super) fn new(environment: Environment) -> Self {
        Self { credentials: Credentials::new(environment), known: Mutex::default() }
    }

    /// What was said before, and still holds.
    pub(super) fn known(&self, reference: &OciReference) -> Option<HeaderValue> {
        let known = self.known.lock();
        let (authorization, until) = known.get(&key(reference))?;
        (*until > Instant::now()).then(|| authorization.clone())
    }

    /// What to say to a registry that asks for a login; nothing if there is nothing to say.
    pub(super) async fn answer(
        &self,
        call: &Call<'_>,
        client: &Client,
        asked: &Challenged<'_>,
    ) -> Result<Option<HeaderValue>, Fault> {
        self.known.lock().remove(&key(call.reference));
        let login = self.credentials.of(call.reference).await?;
        let (authorization, life) = match (&asked.challenge.bearer, login) {
            // A token that the credentials hold is not exchanged for another.
            (Some(_), Some(Login::Token(token))) => (bearer(call.reference, &token)?, LIFE),
            (Some(offered), login) => fetch(call, client, asked, offered, login.as_ref()).await?,
            (None, Some(Login::Basic { name, password })) if asked.challenge.basic => (basic(&name, &password)?, LIFE),
            _ => return Ok(None),
        };
        let mut known = self.known.lock();
        if known.len() >= KEPT {
            let now = Instant::now();
            known.retain(|_, (_, until)| *until > now);
        }
        if known.len() < KEPT {
            known.insert(key(call.reference), (authorization.clone(), Instant::now() + life));
        }
        Ok(Some(authorization))
    }
}

fn key(reference: &OciReference) -> (String, String) {
    (reference.registry.clone(), reference.repository.clone())
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// Gets a token that lets pull from the repository.
async fn fetch(
    call: &Call<'_>,
    client: &Client,
    asked: &Challenged<'_>,
    offered: &Bearer,
    login: Option<&Login>,
) -> Result<(HeaderValue, Duration), Fault> {
    let mut realm = realm(call.reference, asked.registry, offered)?;
    let scope = format!("repository:{}:pull", call.reference.repository);
    let mut ask = vec![("scope", scope.as_str())];
    ask.extend(offered.service.as_deref().map(|service| ("service", service)));
    let response = match login {
        Some(Login::Refresh(token)) => {
            ask.extend([("grant_type", "refresh_token"), ("client_id", CLIENT_ID), ("refresh_token", token.as_str())]);
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(ask).finish();
            client.post(call.locator, &realm, Zeroizing::new(form), asked.peer).await?
        }
        login => {
            realm.query_pairs_mut().extend_pairs(ask);
            let authorization = match login {
                Some(Login::Basic { name, password }) => Some(basic(name, password)?),
                _ => None,
            };
            let (authorization, headers) = (authorization.as_ref(), &HeaderMap::new());
            let ask = Ask { url: &realm, method: Method::GET, headers, authorization, led_by: asked.peer };
            client.ask(call.locator, ask).await?
        }
    };
    let status = response.status();
    if status != StatusCode::OK {
        return Err(refused(call.reference, status));
    }
    let unusable = || -> Fault {
        Error::new(Code::SourceAnswer, format!("who gives tokens for {} sends none", call.reference))
            .hint("see that the registry names the right authorization server")
            .into()
    };
    let bytes = bounded(call.locator, response, MAX_ANSWER).await?.map(Zeroizing::new).ok_or_else(unusable)?;
    let answer: Answer = serde_json::from_slice(&bytes).map_err(|_| unusable())?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty()).ok_or_else(unusable)?;
    let token = Zeroizing::new(token);
    let life = answer.expires_in.map_or(LIFE, Duration::from_secs).min(Duration::from_secs(3600));
    Ok((bearer(call.reference, &token)?, life.saturating_sub(MARGIN)))
}

/// Where tokens are got. A registry that is spoken to in private does not send a login out in the open.
fn realm(reference: &OciReference, registry: &Url, offered: &Bearer) -> Result<Url> {
    let wrong = |why: &str| {
        Error::new(Code::LocatorDenied, format!("the registry of {reference} sends for its tokens {why}"))
            .hint("its authorization server has to be an https:// URL without a user name")
    };
    let realm = Url::parse(&offered.realm).map_err(|_| wrong("to what is no URL"))?;
    match (registry.scheme(), realm.scheme()) {
        (_, "https") | ("http", "http") => {}
        _ => return Err(wrong("to what is not https")),
    }
    if !realm.username().is_empty() || realm.password().is_some() {
        return Err(wrong("to a URL with a user name"));
    }
    Ok(realm)
}

fn refused(reference: &OciReference, status: StatusCode) -> Fault {
    let message = format!("who gives tokens for {reference} answers {status}");
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return Error::new(Code::FetchFailed, message).hint("try again later").into();
    }
    Error::new(Code::AccessRefused, message)
        .hint("check name and password: docker login, oras login, or OCI_REGISTRY, OCI_USERNAME and OCI_PASSWORD")
        .into()
}

fn bearer(reference: &OciReference, token: &str) -> Result<HeaderValue> {
    secret(&Zeroizing::new(format!("Bearer {token}"))).ok_or_else(|| {
        Error::new(Code::SourceAnswer, format!("the token for {reference} holds characters that no token has"))
    })
}

fn basic(name: &str, password: &str) -> Result<HeaderValue> {
    let both = Zeroizing::new(format!("{name}:{password}"));
    let encoded = Zeroizing::new(format!("Basic {}", Zeroizing::new(STANDARD.encode(both.as_bytes())).as_str()));
    secret(&encoded).ok_or_else(|| Error::new(Code::Internal, "a login makes no header"))
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> OciReference {
        OciReference { registry: "r.example".into(), repository: "a".into(), tag: Some("1".into()), digest: None }
    }

    #[test]
    fn tokens_are_got_in_private() {
        for (registry, realm_url, ok) in [
            ("https://r.example/", "https://auth.example/token", true),
            ("http://127.0.0.1:5000/", "http://127.0.0.1:5001/token", true),
            ("http://127.0.0.1:5000/", "https://auth.example/token", true),
            ("https://r.example/", "http://auth.example/token", false),
            ("https://r.example/", "file:///etc/passwd", false),
            ("https://r.example/", "https://user:secret@auth.example/", false),
            ("https://r.example/", "/token", false),
        ] {
            let offered = Bearer { realm: realm_url.into(), service: None };
            let found = realm(&reference(), &registry.parse().unwrap(), &offered);
            assert_eq!(found.is_ok(), ok, "{realm_url}");
            assert!(found.err().is_none_or(|error| !error.to_string().contains("secret")));
        }
    }

    #[test]
    fn a_token_that_would_break_the_header_is_refused_and_not_shown() {
        let error = bearer(&reference(), "secret\r\nX-Other: 1").unwrap_err();
        assert_eq!(error.code(), Code::SourceAnswer);
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(bearer(&reference(), "abc").unwrap().is_sensitive());
        assert_eq!(basic("ann", "pass word").unwrap(), "Basic YW5uOnBhc3Mgd29yZA==");
    }
}
