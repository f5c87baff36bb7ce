//! Requests to brokers and providers: bounded, without redirects, and none to a server that asked for a pause.

use std::time::{Duration, Instant};

use url::Url;

use super::pace::Pauses;
use super::settings::{OAuthBroker, OAuthEndpoints};
use crate::error::{Code, Error, Result};
use crate::net::AllowedHost;
use crate::outbound::{Answer, Body, Options, Outbound, Policy, Reason, Request, shown_origin};

/// The time of a request.
pub(super) const TIME: Duration = Duration::from_secs(10);
/// Bytes of an answer.
pub(super) const MAX_ANSWER: usize = 256 << 10;
const MAX_REQUEST: usize = 64 << 10;
/// Requests at once.
const AT_ONCE: usize = 32;

#[derive(Debug)]
pub(super) struct Web {
    outbound: Outbound,
    pauses: Pauses,
}

impl Web {
    /// Reaches what is public, and what the bindings name.
    pub(super) fn new(settings: &OAuthBroker) -> Self {
        let named = settings.providers.values().flat_map(|provider| match &provider.endpoints {
            OAuthEndpoints::Issuer(issuer) => vec![issuer],
            OAuthEndpoints::Stated { authorization: _, token } => vec![token],
        });
        let named = named.chain(&settings.http_base_url).filter_map(Url::host);
        let policy = Policy {
            enabled: true,
            allow: "*".parse().into_iter().collect(),
            allow_private: named.map(|host| AllowedHost::Host(host.to_owned())).collect(),
            timeout: TIME,
            max_request: MAX_REQUEST,
            max_response: MAX_ANSWER,
            max_redirects: 0,
            concurrency: AT_ONCE,
            ..Policy::default()
        };
        Self { outbound: Outbound::new(policy), pauses: Pauses::default() }
    }

    /// Asks for JSON.
    pub(super) async fn get(&self, url: &Url, end: Instant) -> Result<Answer> {
        self.ask("GET", url, Vec::new(), Vec::new(), end).await
    }

    /// Sends JSON and asks for some.
    pub(super) async fn post(
        &self,
        url: &Url,
        mut headers: Vec<(String, Vec<u8>)>,
        body: Vec<u8>,
        end: Instant,
    ) -> Result<Answer> {
        headers.push(("content-type".to_owned(), b"application/json".to_vec()));
        self.ask("POST", url, headers, body, end).await
    }

    /// Asks, and tells why there is no answer that says anything.
    pub(super) async fn ask(
        &self,
        method: &str,
        url: &Url,
        mut headers: Vec<(String, Vec<u8>)>,
        body: Vec<u8>,
        end: Instant,
    ) -> Result<Answer> {
        let server = shown_origin(url.as_str());
        if let Some(left) = self.pauses.left(&server, Instant::now()) {
            let message = format!("{server} asked to be left alone for another {} s", left.as_secs() + 1);
            return Err(Error::new(Code::OAuthUnavailable, message));
        }
        if !headers.iter().any(|(name, _)| name == "accept") {
            headers.push(("accept".to_owned(), b"application/json".to_vec()));
        }
        let (method, url) = (method.to_owned(), url.to_string());
        let request = Request { method, url, headers, body: Body::Whole(body.into()), options: Options::default() };
        let answer = self.outbound.send(request, end).await.map_err(|failure| {
            let code = match failure.reason() {
                Reason::BadAnswer | Reason::AnswerTooLarge => Code::OAuthAnswer,
                Reason::Internal => Code::Internal,
                _ => Code::OAuthUnavailable,
            };
            Error::new(code, format!("no answer of use from {server}: {failure}"))
        })?;
        match answer.status {
            429 | 503 => {
                let after = answer.headers.iter().find(|(name, _)| name == "retry-after");
                self.pauses.begin(&server, after.map(|(_, value)| value.as_slice()), Instant::now());
                let what = if answer.status == 429 { "has too much to do with us" } else { "cannot serve now" };
                Err(Error::new(Code::OAuthUnavailable, format!("{server} {what}: status {}", answer.status)))
            }
            500.. => {
                let message = format!("{server} failed with status {}", answer.status);
                Err(Error::new(Code::OAuthUnavailable, message))
            }
            _ => Ok(answer),
        }
    }
}

/// The error for an answer that means nothing. What it holds is never shown: it may be a token.
pub(super) fn nonsense(server: &str, what: &str) -> Error {
    Error::new(Code::OAuthAnswer, format!("{} gave an answer of no use: {what}", shown_origin(server)))
}
