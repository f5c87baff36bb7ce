//! What adapters share: the request they read, the context they read it in, what they make of it.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::egress::Sender;
use crate::error::{Code, Error, Result};
use crate::id::{Id, clip};
use crate::ingress::channels::{PathVerification, Verification};
use crate::ingress::envelope::{IngressEnvelope, Metadata};
use crate::ingress::keys::PublishedKeys;
use crate::ingress::{headers, json};
use crate::run::event::{Event, FlowChoice, ReplyTo};
use crate::secret::Secret;
use crate::session::SessionKey;

/// The longest id of a platform that is accepted, in bytes.
pub const MAX_PLATFORM_ID: usize = 512;

/// A request as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The path behind the tenant's prefix, as it was sent.
    pub path: &'a str,
    /// The query, as it was sent, without the `?`.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body's raw bytes.
    pub body: &'a [u8],
    /// The peer's address.
    pub peer: Option<IpAddr>,
}

impl Request<'_> {
    /// What an envelope may tell about the delivery.
    pub fn metadata(&self) -> Metadata {
        Metadata { raw_headers: headers::tellable(self.headers), ip: self.peer.map(|ip| ip.to_string()) }
    }
}

/// What the host knows about a request.
#[derive(Clone, Debug)]
pub struct Context {
    /// The tenant that it was addressed to.
    pub tenant: Id,
    /// When it was received.
    pub now: Timestamp,
    /// Unique to the request; never chosen by its sender.
    pub nonce: Uuid,
    /// The platform's public keys, as far as they were fetched, for channels with a [`Channel::key_source`].
    pub keys: Option<Arc<PublishedKeys>>,
}

impl Context {
    /// When the request was received, as envelopes show it.
    pub fn received(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

/// What a verified request stands for.
#[derive(Debug)]
pub enum Intake {
    /// Messages for flows, in their order. All of them are stored before the request is acknowledged.
    Messages(Vec<Inbound>),
    /// An event of which the platform told ids only: the runtime stores it, acknowledges it, and then makes the request
    /// that it names; [`Channel::complete`] makes the message of the answer.
    Fetch(Box<Pending>),
    /// Nothing that concerns a flow, and an answer that the platform wants: a handshake.
    Answer(Answer),
    /// Nothing that concerns a flow: to be acknowledged, counted and dropped. Says why.
    Ignored(&'static str),
}

impl Intake {
    /// One message.
    pub fn message(inbound: Inbound) -> Self {
        Self::Messages(vec![inbound])
    }
}

/// An answer to the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The media type of the body; none if there is no body.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// No body.
    pub fn empty(status: u16) -> Self {
        Self { status, content_type: None, body: String::new() }
    }

    /// A text, which no browser shows as anything else.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, content_type: Some("text/plain; charset=utf-8"), body: body.into() }
    }

    /// A JSON value.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, content_type: Some("application/json"), body: body.to_string() }
    }
}

/// A request that completes an event, after it was acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// What the platform sent.
    pub event: Value,
    /// The path to GET below the platform's base URL, with the channel's own credentials.
    pub path: String,
    /// By what repetitions are recognised.
    pub dedupe: Vec<String>,
    /// Events of one order are completed one after the other: the place that they come from.
    pub order: String,
    /// What the message's envelope tells about the delivery, of which nothing else is kept.
    #[serde(default)]
    pub metadata: Metadata,
}

/// What the platform answered to the request of a [`Pending`].
#[derive(Clone, Copy, Debug)]
pub struct Completion<'a> {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

/// How a request with a message is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Respond {
    /// At once, as soon as it is stored, whatever becomes of it.
    Ack(Answer),
    /// With what the flow replies, if it does within `within`; else with `fallback`, and what it replies then goes to
    /// the message's route. [`Channel::respond`] makes the answer.
    Sync {
        /// How long the platform is kept waiting.
        within: Duration,
        /// What it gets if the flow takes longer, fails or does not reply.
        fallback: Answer,
    },
    /// With the flow's result as an HTTP answer, by the rules of [`crate::ingress::webhook::answer`], or with the error
    /// that it ended with: for callers that called the flow itself.
    Outcome {
        /// The fingerprint of what was sent under the message's dedupe keys. With it what the flow ends with is kept as
        /// long as they are, and repetitions get it; what is not the same is refused.
        once: Option<[u8; 32]>,
    },
}

/// A platform: pure functions over what was received. Set up for a tenant, it is a [`Channel`].
///
/// Embedders add their own with [`crate::server::ServerOptions::adapters`]; `examples/custom_adapter` shows how.
pub trait Adapter: Send + Sync + 'static {
    /// The provider's name in envelopes, session keys and bindings (`adapter: slack`).
    fn provider(&self) -> &'static str;

    /// The routes that it serves, below a tenant's prefix.
    fn routes(&self) -> &'static [AdapterRoute];

    /// The secrets without which no replies are sent, where channels have a [`Channel::sender`]: if it is missing, the
    /// operator is told which of them are not there.
    fn sends_with(&self) -> &'static [&'static str] {
        &[]
    }

    /// The most bytes of a request's body, where the platform sends more than a server takes unless told otherwise.
    fn max_body(&self) -> Option<usize> {
        None
    }

    /// Sets it up for a tenant by its binding's `config` and the tenant's secrets.
    ///
    /// # Errors
    ///
    /// What in the settings cannot be used. A secret that is not there is no error: then the route is off, and
    /// [`Channel::verification`] says so.
    fn open(&self, settings: &Settings<'_>) -> Result<Box<dyn Channel>>;
}

/// A route of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdapterRoute {
    /// The path, as `/slack/events`; a part of it may be a parameter, as in `/webhook/{flow_id}`.
    pub path: &'static str,
    /// The methods, in upper case; `*` stands for all.
    pub methods: &'static [&'static str],
}

/// Where the requests of [`Pending`] events go.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What [`Pending::path`] is appended to, as `https://webexapis.com`.
    pub base_url: &'a str,
    /// The bearer token to send; none leaves the request without one.
    pub token: Option<&'a Secret>,
}

/// What a tenant has set about a channel.
pub struct Settings<'a> {
    /// The tenant.
    pub tenant: Id,
    /// What a message starts.
    pub flow: FlowChoice,
    /// The binding's `config`.
    pub config: &'a Map<String, Value>,
    /// The tenant's secrets, by their promised names (`SLACK_SIGNING_SECRET`).
    pub secrets: &'a dyn ChannelSecrets,
}

/// The secrets that adapters ask for when they are set up. They were read before, so this does no I/O.
pub trait ChannelSecrets {
    /// The secrets of this name that are valid now: more than one while a secret is replaced, none if there is none.
    fn get(&self, name: &str) -> Vec<Secret>;
}

/// An adapter that is set up for a tenant. Immutable, and without I/O or a clock of its own, so that the server, tests,
/// benches and fuzzers use the same functions.
pub trait Channel: Any + Send + Sync {
    /// How its requests are verified, for the report at start.
    fn verification(&self) -> Verification;

    /// The same path by path, for the report, where not all requests of a route are verified in one way. Then all of the
    /// route's paths and methods are told, those that are left over as its pattern (`/webhook/{flow_id}`).
    fn verification_by_path(&self) -> Vec<PathVerification> {
        Vec::new()
    }

    /// Whether `request` comes from the platform, by its raw bytes.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, whatever is wrong: the message, for the log, says which step failed, and never shows a digest.
    /// `KeysWanted` if `context.keys` lacks the key that the request names: then the runtime may fetch keys, within its
    /// bounds, and ask once more.
    fn verify(&self, context: &Context, request: &Request<'_>) -> Result<()>;

    /// What a verified request stands for.
    ///
    /// # Errors
    ///
    /// What is wrong with the request, which it is answered with. A platform repeats what is not acknowledged, so what
    /// it may send and no flow can use is [`Intake::Ignored`] and no error.
    fn normalize(&self, context: &Context, request: &Request<'_>) -> Result<Intake>;

    /// The message that a [`Pending`] event stands for, by what the platform answered. Without such events there is
    /// nothing to complete.
    fn complete(&self, _context: &Context, _pending: &Pending, _answer: Completion<'_>) -> Result<Intake> {
        Ok(Intake::Ignored("this platform sends whole events"))
    }

    /// Where [`Pending`] events are asked for. Without it such an event fails.
    fn source(&self) -> Option<Source<'_>> {
        None
    }

    /// The answer to a request of [`Respond::Sync`], made of the flow's replies. `request` is the envelope's `raw`. None
    /// if nothing can be made of them: then the platform gets the fallback.
    fn respond(&self, _request: &Value, _replies: &[Value]) -> Option<Answer> {
        None
    }

    /// The answer to a request that stands for nothing that concerns a flow, or whose message follows later.
    fn ignored(&self) -> Answer {
        Answer::empty(200)
    }

    /// The same, where it depends on the request.
    fn ignored_request(&self, _context: &Context, _request: &Request<'_>) -> Answer {
        self.ignored()
    }

    /// How replies are sent to the platform. None where clients fetch them, or are answered only in the body of their
    /// requests.
    fn sender(&self) -> Option<Arc<dyn Sender>> {
        None
    }

    /// The URL where the platform publishes the keys that its tokens are signed with: an OpenID configuration, or the
    /// key set itself. None if it signs otherwise.
    fn key_source(&self) -> Option<&str> {
        None
    }
}

/// A message for a flow.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The message.
    pub envelope: IngressEnvelope,
    /// Its session.
    pub session: SessionKey,
    /// Which flow it starts if no run waits for it.
    pub flow: FlowChoice,
    /// By what repetitions are recognised among the tenant's messages of this provider: what has one of these keys in
    /// common with an earlier message is the same message.
    pub dedupe: Vec<String>,
    /// How long these are remembered; longer than the platform repeats deliveries.
    pub remember: Duration,
    /// Where replies go.
    pub reply_to: ReplyTo,
    /// How the platform is answered.
    pub respond: Respond,
}

impl Inbound {
    /// The event that the host works on; the flow's input is the envelope.
    pub fn into_event(self, correlation_id: String) -> Result<Event> {
        let input = serde_json::to_value(&self.envelope)
            .map_err(|e| Error::new(Code::Internal, format!("an envelope is not JSON: {e}")))?;
        let scoped = |key: &String| dedupe_key([&*self.envelope.tenant, &*self.envelope.provider, key]);
        let dedupe = self.dedupe.iter().map(scoped).collect();
        Ok(Event {
            tenant: Id::from(self.envelope.tenant),
            pack: None,
            flow: self.flow,
            session: self.session,
            user: self.envelope.provider_ids.user_id.map(Id::from),
            provider: Some(Id::from(self.envelope.provider)),
            dedupe,
            remember: Some(self.remember),
            input,
            reply_to: self.reply_to,
            correlation_id,
        })
    }
}

/// Checks an id that a platform or its user chose: not empty, bounded, no control characters.
pub fn platform_id(what: &str, text: &str) -> Result<String> {
    if text.is_empty() {
        return Err(Error::new(Code::RequestInvalid, format!("{what} is missing or empty")));
    }
    if text.len() > MAX_PLATFORM_ID || text.chars().any(char::is_control) {
        let shown = clip(text).escape_debug().to_string();
        return Err(Error::new(Code::RequestInvalid, format!("{what} \"{shown}\" cannot be used as an id"))
            .hint(format!("at most {MAX_PLATFORM_ID} bytes and no control characters")));
    }
    Ok(text.to_owned())
}

/// A body that must be a JSON object.
pub fn json_object(body: &[u8]) -> Result<Value> {
    let invalid = |what: String| Error::new(Code::RequestInvalid, what);
    let text =
        std::str::from_utf8(body).map_err(|e| invalid(format!("the body is not UTF-8 (byte {})", e.valid_up_to())))?;
    let value = json::parse(text.as_bytes()).map_err(|e| invalid(format!("the body cannot be read as JSON: {e}")))?;
    if value.is_object() { Ok(value) } else { Err(invalid("the body is not a JSON object".into())) }
}

/// The longest key by which repetitions are recognised, in bytes.
const LONGEST_KEY: usize = 2048;

/// Several parts as one text; different parts never give the same text. Where that would be long, it is their digest:
/// platforms do not bound everything that tells two deliveries apart.
pub fn dedupe_key<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let key = SessionKey::of(parts).stored().to_string();
    // No part can look like this: a `%` in it would be escaped.
    if key.len() <= LONGEST_KEY { key } else { format!("%sha256:{}", hex::encode(Sha256::digest(key))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_ids_are_bounded() {
        assert_eq!(platform_id("from.id", "29:1x|ä").unwrap(), "29:1x|ä");
        for bad in ["", "a\nb", "a\u{0}", &"x".repeat(MAX_PLATFORM_ID + 1)] {
            let error = platform_id("from.id", bad).unwrap_err();
            assert_eq!(error.code(), Code::RequestInvalid);
            assert!(!error.message().contains('\n'), "{error}");
        }
    }

    #[test]
    fn long_keys_are_digests_and_still_different() {
        let long = "x".repeat(LONGEST_KEY);
        let keys = [
            dedupe_key(["a", &long]),
            dedupe_key(["b", &long]),
            dedupe_key(["a", &long[1..]]),
            dedupe_key(["%sha256", "0"]),
        ];
        assert!(keys.iter().all(|key| key.len() <= 80 && keys.iter().filter(|other| *other == key).count() == 1));
        assert!(keys[0].starts_with("%sha256:") && keys[3].starts_with("%25"));
        assert_eq!(dedupe_key([&long[2..], ""]).len(), LONGEST_KEY - 1);
    }

    #[test]
    fn a_body_must_be_an_object() {
        let deep = "[".repeat(100_000);
        for bad in [&b""[..], b"[]", b"{\"a\":", b"{\"a\":\"\xff\"}", deep.as_bytes()] {
            assert_eq!(json_object(bad).unwrap_err().code(), Code::RequestInvalid);
        }
    }
}
