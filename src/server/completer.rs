//! Asking platforms for what they only announced: one GET below the platform's base URL, with the channel's own token.
//!
//! It is repeated while the platform does not know the thing yet, is busy or fails, for a while. Then it is a failure,
//! and the announcement becomes a dead letter.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use reqwest::redirect::Policy;
use url::Url;
use uuid::Uuid;

use super::fetch::chain;
use super::tally::Tally;
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::ingress::adapter::{Completion, Pending, Source};
use crate::ingress::{Channel, Channels, Context, Intake};
use crate::net;
use crate::run::completion::{Announced, Completer};
use crate::run::event::Event;

/// The most bytes of an answer.
const MAX_BYTES: usize = 4 << 20;
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a platform that is busy or fails is asked again.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a platform is asked again for what it does not know: what it announces may be there a little later.
const UNKNOWN: Duration = Duration::from_secs(10);
/// The first pause; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// Asks for what the channels' platforms announced.
pub(super) struct Fetcher {
    channels: Arc<HashMap<Id, Arc<Channels>>>,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    tally: Arc<Tally>,
}

/// What one request gave.
enum Given {
    /// An answer to make something of.
    Answer(StatusCode, Vec<u8>),
    /// None yet: why, how long it may last, and how long the platform wants to be left alone.
    NotYet(String, Duration, Option<Duration>, Option<(StatusCode, Vec<u8>)>),
}

impl Fetcher {
    pub(super) fn new(
        channels: Arc<HashMap<Id, Arc<Channels>>>,
        clock: Arc<dyn Clock>,
        tally: Arc<Tally>,
    ) -> Result<Self> {
        net::tls::install();
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("greentic-runner/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::new(Code::Internal, format!("no HTTP client can be made: {e}")))?;
        Ok(Self { channels, client, clock, tally })
    }

    fn channel(&self, announced: &Announced) -> Result<(&'static str, &Arc<dyn Channel>)> {
        let open = self.channels.get(&announced.tenant).into_iter().flat_map(|channels| channels.iter());
        let mut found = open.filter(|open| open.provider == &*announced.provider && open.channel.source().is_some());
        found.next().map(|open| (open.provider, &open.channel)).ok_or_else(|| {
            Error::new(
                Code::CompletionFailed,
                format!("no channel of {} asks for what it announces", announced.provider),
            )
            .hint("bind the channel again, or purge the dead letter")
        })
    }

    /// The platform's answer, after as many requests as it takes.
    async fn fetch(&self, source: Source<'_>, pending: &Pending) -> Result<(StatusCode, Vec<u8>)> {
        let url = below(source.base_url, &pending.path)?;
        let began = Instant::now();
        let mut pause = PAUSE;
        loop {
            match self.ask(&url, source).await? {
                Given::Answer(status, body) => return Ok((status, body)),
                Given::NotYet(why, patience, wanted, answer) => {
                    let wait = wanted.unwrap_or(pause).max(pause);
                    if began.elapsed() + wait > patience {
                        let failed = || Error::new(Code::CompletionFailed, format!("the platform did not tell: {why}"));
                        return answer.ok_or_else(failed);
                    }
                    tracing::debug!("asking the platform again in {wait:?}: {why}");
                    tokio::time::sleep(wait).await;
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
    }

    async fn ask(&self, url: &Url, source: Source<'_>) -> Result<Given> {
        let request = self.client.get(url.clone());
        let request = match source.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        };
        let not_yet = |e: reqwest::Error| Given::NotYet(chain(&e.without_url()), PATIENCE, None, None);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Ok(not_yet(error)),
        };
        let status = response.status();
        let wanted = retry_after(response.headers());
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > MAX_BYTES => {
                    let message = format!("the platform's answer is larger than {MAX_BYTES} bytes");
                    return Err(Error::new(Code::CompletionFailed, message));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Ok(not_yet(error)),
            }
        }
        let why = format!("it answered with {status}");
        Ok(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let message = format!("the platform refuses the bot's token ({status})");
                return Err(Error::new(Code::CompletionFailed, message)
                    .hint("set the bot's token anew, then replay the dead letter"));
            }
            StatusCode::NOT_FOUND => Given::NotYet(why, UNKNOWN, wanted, Some((status, body))),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::LOCKED => Given::NotYet(why, PATIENCE, wanted, None),
            status if status.is_server_error() => Given::NotYet(why, PATIENCE, wanted, None),
            status if status.is_redirection() => return Err(Error::new(Code::CompletionFailed, why)),
            status => Given::Answer(status, body),
        })
    }
}

#[async_trait]
impl Completer for Fetcher {
    async fn complete(&self, announced: &Announced) -> Result<Vec<Event>> {
        let pending: Pending = serde_json::from_value(announced.pending.clone())
            .map_err(|e| Error::new(Code::StoreFormat, format!("a stored announcement cannot be read: {e}")))?;
        let (provider, channel) = self.channel(announced)?;
        let Some(source) = channel.source() else { return Ok(Vec::new()) };
        let (status, body) = self.fetch(source, &pending).await?;
        let tenant = announced.tenant.clone();
        let context = Context { tenant, now: self.clock.now(), nonce: Uuid::now_v7(), keys: None };
        match channel.complete(&context, &pending, Completion { status: status.as_u16(), body: &body })? {
            Intake::Messages(messages) => {
                messages.into_iter().map(|inbound| inbound.into_event(announced.correlation_id.clone())).collect()
            }
            Intake::Ignored(why) => {
                self.tally.ignored(provider, why);
                Ok(Vec::new())
            }
            Intake::Answer(_) | Intake::Fetch(_) => {
                Err(Error::new(Code::Internal, format!("the adapter {provider} completes events with no messages")))
            }
        }
    }
}

/// A path below a base URL, which it must not leave: the token goes there.
fn below(base: &str, path: &str) -> Result<Url> {
    let failed = |why: &str| Error::new(Code::CompletionFailed, format!("the platform's base URL {why}"));
    let parsed = Url::parse(base).map_err(|_| failed("is no URL"))?;
    if !matches!(parsed.scheme(), "https" | "http") {
        return Err(failed("is not one of https"));
    }
    let url = Url::parse(&format!("{}{path}", base.trim_end_matches('/'))).map_err(|_| failed("fits no path"))?;
    let climbs = path.split(['/', '?']).any(|part| part == "..");
    if !path.starts_with('/') || climbs || url.origin() != parsed.origin() {
        return Err(failed("does not lead to what was announced"));
    }
    Ok(url)
}

/// How long the platform wants to be left alone, by `Retry-After` in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_stay_below_the_base_url() {
        let of = |base: &str, path: &str| below(base, path).map(|url| url.to_string()).ok();
        assert_eq!(of("https://api.example", "/v1/m/1").as_deref(), Some("https://api.example/v1/m/1"));
        assert_eq!(of("https://api.example/x/", "/v1?a=b").as_deref(), Some("https://api.example/x/v1?a=b"));
        assert_eq!(of("http://127.0.0.1:9", "/v1").as_deref(), Some("http://127.0.0.1:9/v1"));
        for (base, path) in [
            ("https://api.example", "@evil.example/"),
            ("https://api.example", ".evil.example/"),
            ("https://api.example", ":8443/"),
            ("https://api.example/x", "/../y"),
            ("https://api.example", "v1"),
            ("ftp://api.example", "/v1"),
            ("api.example", "/v1"),
        ] {
            assert_eq!(of(base, path), None, "{base} {path}");
        }
    }
}
