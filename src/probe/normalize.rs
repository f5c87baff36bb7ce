//! What an adapter makes of a recorded request, without a server.

use serde::Serialize;
use uuid::Uuid;

use super::recording::Recording;
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::ingress::adapter::{Answer, Channel, Completion, Context, Inbound, Intake};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It is messages for flows.
    Message,
    /// It is acknowledged, and no message.
    AckIgnore,
    /// It is answered at once, and no message.
    Handshake,
}

/// What an adapter made of a request.
#[derive(Debug)]
pub struct Normalized {
    /// What becomes of the request.
    pub disposition: Disposition,
    /// The messages, in their order.
    pub messages: Vec<Inbound>,
    /// The answer of a handshake.
    pub answer: Option<Answer>,
    /// Why it is no message.
    pub reason: Option<&'static str>,
}

/// The context of a recorded request. What the host makes unique to a request is made of the recording here, so that the
/// same recording always gives the same.
pub fn context(tenant: &Id, now: Timestamp, recording: &Recording) -> Context {
    let mut digest = blake3::Hasher::new();
    for part in [recording.method.as_bytes(), recording.path.as_bytes(), &recording.body] {
        digest.update(&part.len().to_le_bytes()).update(part);
    }
    let mut random = [0; 16];
    digest.finalize_xof().fill(&mut random);
    let nonce = uuid::Builder::from_random_bytes(random).into_uuid();
    Context { tenant: tenant.clone(), now, nonce, keys: None }
}

/// Normalizes a recorded request, without verifying it. What a platform only announces is completed by the recording's
/// answer; where none was recorded, what the event itself tells must do.
///
/// # Errors
///
/// What is wrong with the request, by its adapter.
pub fn normalize(channel: &dyn Channel, context: &Context, recording: &Recording) -> Result<Normalized> {
    let intake = match channel.normalize(context, &recording.request())? {
        Intake::Fetch(pending) => {
            let body = recording.fetched.as_deref().unwrap_or(b"{}");
            // As after the acknowledgement: another request's time, and nothing of this one but what is kept.
            let later = Context { nonce: Uuid::nil(), ..context.clone() };
            channel.complete(&later, &pending, Completion { status: 200, body })?
        }
        intake => intake,
    };
    let empty = |disposition| Normalized { disposition, messages: Vec::new(), answer: None, reason: None };
    Ok(match intake {
        Intake::Messages(messages) => Normalized { messages, ..empty(Disposition::Message) },
        Intake::Answer(answer) => Normalized { answer: Some(answer), ..empty(Disposition::Handshake) },
        Intake::Ignored(reason) => Normalized { reason: Some(reason), ..empty(Disposition::AckIgnore) },
        Intake::Fetch(_) => {
            return Err(Error::new(Code::Internal, "the adapter announces what was asked for already"));
        }
    })
}
