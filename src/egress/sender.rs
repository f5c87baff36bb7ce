//! What platforms share: the requests that a reply takes, and what becomes of them.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use serde_json::Value;

use crate::error::Result;
use crate::id::clip;
use crate::secret::Secret;

/// A platform that replies are sent to, set up for a tenant. Pure functions: no I/O, no clock.
pub trait Sender: Send + Sync + 'static {
    /// The requests that a reply takes, one after the other: none if there is nothing to say. The same reply always gives
    /// the same requests, so that one that was interrupted goes on where it was. `to` is the place of the reply's route,
    /// as the platform's adapter wrote it.
    ///
    /// # Errors
    ///
    /// What of the place or the reply can never be sent. What a platform does not have is no error: it is degraded by the
    /// rules in the platform's page.
    fn render(&self, to: &str, reply: &Value) -> Result<Vec<Call>>;

    /// What the platform's answer to one of these requests means.
    fn judge(&self, _call: &Call, answer: &Answer<'_>) -> Verdict {
        by_status(answer)
    }

    /// How fast the platform lets itself be sent to: to this place, and in all. Every place has the same pace in all.
    fn pace(&self, _to: &str) -> Pace {
        Pace::default()
    }

    /// What the platform is told once as soon as a message is stored, whatever becomes of it: that a pressed button was
    /// noticed. It is tried once. `raw` is the platform's own payload.
    fn noticed(&self, _raw: &Value) -> Option<Call> {
        None
    }
}

/// A request.
#[derive(Clone, PartialEq)]
pub struct Call {
    /// What it does, for logs: `sendMessage`.
    pub what: &'static str,
    /// The method.
    pub method: http::Method,
    /// The URL. It may hold a token, so that it is never shown.
    pub url: Secret,
    /// How it is authorised.
    pub auth: Auth,
    /// What is sent.
    pub body: Body,
    /// What is sent instead if the platform refuses this.
    pub otherwise: Option<Box<Call>>,
    /// What this is a step to, where a platform takes one thing by several requests (a file, then the message with it).
    /// What the platform answered is still missing in it: [`Sender::judge`] gives it complete, as [`Verdict::Next`].
    pub then: Option<Box<Call>>,
}

impl Call {
    /// A POST of a JSON value.
    pub fn post(what: &'static str, url: impl Into<String>, auth: Auth, body: Value) -> Self {
        let (method, url) = (http::Method::POST, Secret::new(url));
        Self { what, method, url, auth, body: Body::Json(body), otherwise: None, then: None }
    }

    /// A POST of a form with a file.
    pub fn upload(
        what: &'static str,
        url: impl Into<String>,
        auth: Auth,
        fields: Vec<(String, String)>,
        file: Part,
    ) -> Self {
        Self { body: Body::Multipart { fields, file }, ..Self::post(what, url, auth, Value::Null) }
    }

    /// The same, with something to send instead if the platform refuses it.
    #[must_use]
    pub fn or(self, otherwise: Self) -> Self {
        Self { otherwise: Some(Box::new(otherwise)), ..self }
    }

    /// The same, as a step to another request.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self { then: Some(Box::new(next)), ..self }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("what", &self.what).field("method", &self.method).finish_non_exhaustive()
    }
}

/// How a request is authorised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// By its URL, or not at all.
    None,
    /// By a token.
    Bearer(Secret),
    /// By a token that an authority gives for an app's id and password.
    Client(ClientCredentials),
}

/// What an authority gives a token for: the OAuth 2.0 client credentials grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCredentials {
    /// Where tokens are asked for.
    pub token_url: String,
    /// The app.
    pub client_id: String,
    /// Its password.
    pub client_secret: Secret,
    /// What the token is for.
    pub scope: String,
}

/// What a request sends.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A JSON value.
    Json(Value),
    /// A form with a file, as `multipart/form-data`.
    Multipart {
        /// The fields, in order.
        fields: Vec<(String, String)>,
        /// The file.
        file: Part,
    },
}

/// A file in a form.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// The field's name.
    pub field: String,
    /// The file's name.
    pub name: String,
    /// The media type.
    pub mime: String,
    /// The bytes.
    pub bytes: bytes::Bytes,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("field", &self.field).field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a platform answered.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The body, if it is JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or(Value::Null)
    }

    /// How long the platform wants to be left alone, by `Retry-After` in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The platform took it.
    Sent,
    /// This request takes its place: the platform took it as a step, or wants it elsewhere.
    Next(Box<Call>),
    /// The platform certainly did not take it and may do so later, after this time if it names one.
    Later(Option<Duration>),
    /// The platform will never take it; says why, without anything secret.
    Refused(String),
    /// Nobody knows whether it was taken; says why.
    Unclear(String),
}

impl Verdict {
    /// A word for what stands in the way, if something does.
    pub fn failure(&self) -> Option<&'static str> {
        match self {
            Self::Sent | Self::Next(_) => None,
            Self::Later(_) => Some("later"),
            Self::Refused(_) => Some("refused"),
            Self::Unclear(_) => Some("unclear"),
        }
    }
}

/// What a status means where a platform says no more than that.
pub fn by_status(answer: &Answer<'_>) -> Verdict {
    match answer.status {
        200..=299 => Verdict::Sent,
        429 => Verdict::Later(answer.retry_after()),
        // A server that says when to come again did nothing.
        503 if answer.retry_after().is_some() => Verdict::Later(answer.retry_after()),
        status @ 300..=499 => Verdict::Refused(format!("it answered with {status}")),
        status => Verdict::Unclear(format!("it answered with {status}")),
    }
}

/// What a platform says, fit for a log: short, and without characters that a terminal obeys.
pub(super) fn quoted(text: &str) -> String {
    clip(text).escape_debug().to_string()
}

/// How fast a platform lets itself be sent to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// To one place (a chat).
    pub place: Option<Rate>,
    /// By one bot, to all places.
    pub all: Option<Rate>,
}

/// So many requests at once, and one more whenever so much time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time of one request.
    pub every: Duration,
    /// How many at once, at least 1.
    pub burst: u32,
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_was_certainly_not_taken_is_tried_again() {
        let of = |status, retry_after: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.extend(retry_after.map(|text| (RETRY_AFTER, HeaderValue::from_static(text))));
            by_status(&Answer { status, headers: &headers, body: b"" })
        };
        assert_eq!(of(204, None), Verdict::Sent);
        assert_eq!(of(429, Some("7")), Verdict::Later(Some(Duration::from_secs(7))));
        assert_eq!(of(429, Some("soon")), Verdict::Later(None));
        assert_eq!(of(503, Some("1")), Verdict::Later(Some(Duration::from_secs(1))));
        for unclear in [500, 502, 503, 504, 100] {
            assert!(matches!(of(unclear, None), Verdict::Unclear(_)), "{unclear}");
        }
        for refused in [301, 400, 401, 403, 404, 413] {
            assert!(matches!(of(refused, Some("1")), Verdict::Refused(_)), "{refused}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let auth = Auth::Bearer(Secret::new("canary"));
        let call = Call::post("sendMessage", "https://api.example/botcanary/sendMessage", auth, Value::Null);
        assert!(!format!("{call:?}{:?}", call.auth).contains("canary"));
    }
}
