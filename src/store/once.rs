//! Events that act once, and whose repetitions learn what became of the first: what such an event ended with is kept as
//! long as its dedupe keys are.

use bytes::Bytes;

use super::EventId;
use super::Failure;

/// The most bytes of a result that are kept. Of a larger one it is only known that there was one.
pub const MAX_RESULT: usize = 1 << 20;

/// What makes the repetitions of an event answerable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    /// Tells whether what comes under the same dedupe key is the same.
    pub fingerprint: [u8; 32],
    /// An event that has ended and has the keys: they pass from it to this one, because what it ended with does not
    /// count.
    pub supersedes: Option<EventId>,
}

/// The event that an offered one repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The event.
    pub event: EventId,
    /// Whether the offered event has the fingerprint that was kept of it. True if one of them has none.
    pub same: bool,
    /// How it ended; none if it did not yet.
    pub ended: Option<Kept>,
}

/// What is known of how an event ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// With this result.
    Result(Bytes),
    /// It failed.
    Failure(Failure),
    /// Somehow: the result was too large to keep, or the event was not accepted as one of these.
    Nothing,
}

impl Kept {
    /// What is kept of the end of an event that went well.
    pub(super) fn of(result: Bytes) -> Self {
        if result.len() <= MAX_RESULT { Self::Result(result) } else { Self::Nothing }
    }
}

/// Whether two events that share a dedupe key may be the same.
pub(super) fn is_same(offered: Option<&Once>, kept: Option<&[u8]>) -> bool {
    match (offered, kept) {
        (Some(once), Some(kept)) => once.fingerprint == *kept,
        _ => true,
    }
}
