//! The handshake: Meta asks with the verify token, and wants the challenge back as it is.

use std::borrow::Cow;

use super::super::adapter::{Answer, Request};
use super::super::gate::Gate;
use super::super::verify;
use crate::error::{Code, Error, Result};

/// The longest challenge that is given back.
const MAX_CHALLENGE: usize = 256;

/// Whether Meta asks, by the verify token.
///
/// # Errors
///
/// `RequestDenied`: what Meta expects for a wrong token is 403.
pub(super) fn verify(gate: &Gate, request: &Request<'_>) -> Result<()> {
    let Some(secrets) = gate.secrets()? else { return Ok(()) };
    let token = parameter(request, "hub.verify_token");
    if token.is_some_and(|token| verify::is_secret(secrets, token.as_bytes())) {
        return Ok(());
    }
    Err(Error::new(Code::RequestDenied, "hub.verify_token is missing or not the tenant's verify token"))
}

/// Gives the challenge back. It is somebody's text until the token is known to be right and harmless even then: it may
/// only be a short word, and no browser takes the answer for a page.
pub(super) fn answer(request: &Request<'_>) -> Result<Answer> {
    if parameter(request, "hub.mode").as_deref() != Some("subscribe") {
        return Err(Error::new(Code::RequestDenied, "hub.mode is not subscribe"));
    }
    match parameter(request, "hub.challenge") {
        Some(challenge) if is_word(&challenge) => Ok(Answer::text(200, challenge)),
        _ => Err(Error::new(Code::RequestDenied, "hub.challenge is missing or no short word")),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_CHALLENGE
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// A parameter of the query that comes once.
fn parameter<'a>(request: &Request<'a>, name: &str) -> Option<Cow<'a, str>> {
    let pairs = form_urlencoded::parse(request.query.unwrap_or_default().as_bytes());
    let mut found = pairs.filter(|(found, _)| found == name).map(|(_, value)| value);
    found.next().filter(|_| found.next().is_none())
}
