//! What adapters share: the request they read, the context they read it in, what they make of it.

use std::net::IpAddr;

use http::HeaderMap;
use serde_json::Value;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::id::{Id, clip};
use crate::ingress::envelope::{IngressEnvelope, Metadata};
use crate::ingress::headers;
use crate::run::event::{Event, FlowChoice, ReplyTo};
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
    /// A message for a flow.
    Message(Box<Inbound>),
    /// Nothing that concerns a flow: to be acknowledged and dropped. Says why.
    Ignored(&'static str),
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
    /// By what repetitions are recognised among the tenant's messages of this provider.
    pub dedupe: Option<String>,
    /// Where replies go.
    pub reply_to: ReplyTo,
}

impl Inbound {
    /// The event that the host works on; the flow's input is the envelope.
    pub fn into_event(self, correlation_id: String) -> Result<Event> {
        let input = serde_json::to_value(&self.envelope)
            .map_err(|e| Error::new(Code::Internal, format!("an envelope is not JSON: {e}")))?;
        let dedupe = self.dedupe.map(|key| dedupe_key([&*self.envelope.tenant, &*self.envelope.provider, &*key]));
        Ok(Event {
            tenant: Id::from(self.envelope.tenant),
            pack: None,
            flow: self.flow,
            session: self.session,
            user: self.envelope.provider_ids.user_id.map(Id::from),
            provider: Some(Id::from(self.envelope.provider)),
            dedupe,
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
    let value: Value = serde_json::from_str(text).map_err(|e| invalid(format!("the body is not JSON: {e}")))?;
    if value.is_object() { Ok(value) } else { Err(invalid("the body is not a JSON object".into())) }
}

/// Several parts as one text; different parts never give the same text.
pub fn dedupe_key<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    SessionKey::of(parts).stored().to_string()
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
    fn a_body_must_be_an_object() {
        let deep = "[".repeat(100_000);
        for bad in [&b""[..], b"[]", b"{\"a\":", b"{\"a\":\"\xff\"}", deep.as_bytes()] {
            assert_eq!(json_object(bad).unwrap_err().code(), Code::RequestInvalid);
        }
    }
}
