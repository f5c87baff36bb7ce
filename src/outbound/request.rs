//! What is asked.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http::Method;

use super::reason::{Failure, Reason};
use crate::id::clip;

/// A body that is made while it is sent.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>> + Send>>;

/// A request as a guest gives it: nothing of it is checked.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Body,
    /// How it is sent.
    pub options: Options,
}

/// The body of a request.
pub enum Body {
    /// It is all there.
    Whole(Bytes),
    /// It is made while it is sent, and can be sent once.
    Stream(BodyStream),
}

/// How a request is sent. What is not stated is as the policy says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The time of all of it, if it is less than the policy gives.
    pub timeout: Option<Duration>,
    /// The time of making a connection.
    pub connect_timeout: Option<Duration>,
    /// The time until the answer begins.
    pub head_timeout: Option<Duration>,
    /// The time between two pieces of the answer's body.
    pub idle_timeout: Option<Duration>,
    /// Whether the server's certificate need not be verified.
    pub allow_insecure: bool,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// Whether an answer whose body is not text in UTF-8 is none.
    pub text_only: bool,
}

impl Request {
    /// How many bytes the guest passed, but for those of a stream.
    pub fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let body = match &self.body {
            Body::Whole(bytes) => bytes.len(),
            Body::Stream(_) => 0,
        };
        self.method.len() + self.url.len() + headers + body
    }
}

impl Body {
    /// How many bytes it has, if that is known.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Self::Whole(bytes) => Some(bytes.len()),
            Self::Stream(_) => None,
        }
    }

    /// The body for one more request, if there may be one: a stream can be sent once.
    pub(super) fn again(&self) -> Option<Self> {
        match self {
            Self::Whole(bytes) => Some(Self::Whole(bytes.clone())),
            Self::Stream(_) => None,
        }
    }
}

/// The method that `text` names. Those that everybody knows are also known in small letters.
pub(super) fn method(text: &str) -> Result<Method, Failure> {
    const KNOWN: [Method; 7] =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH];
    if let Some(known) = KNOWN.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(text)) {
        return Ok(known);
    }
    let shown = clip(text);
    if ["connect", "trace", "track"].iter().any(|refused| refused.eq_ignore_ascii_case(text)) {
        return Err(Failure::new(Reason::MethodNotAllowed, format!("the method {shown:?} is not sent")));
    }
    let method = Method::from_bytes(text.as_bytes()).ok().filter(|_| text.len() <= 32);
    method.ok_or_else(|| Failure::new(Reason::BadMethod, format!("{shown:?} is no method")))
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Stream(_) => f.write_str("a stream"),
        }
    }
}
