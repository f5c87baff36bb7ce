//! Replies on their way out: how far the sending of one is, and those that could not be delivered.

use bytes::Bytes;

use super::{Failure, ReplyRoute};
use crate::clock::Timestamp;
use crate::error::{Code, Error};
use crate::id::Id;
use crate::telemetry::TraceContext;

/// Chooses routes.
pub type RouteFilter<'a> = dyn Fn(&ReplyRoute) -> bool + Send + Sync + 'a;

/// A reply to send next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its place in its route.
    pub seq: u64,
    /// The reply itself.
    pub payload: Bytes,
    /// When it was made.
    pub at: Timestamp,
    /// The span in which it was made.
    pub trace: Option<TraceContext>,
    /// How many of its parts are done. A platform may take a long reply only in several.
    pub done: u32,
    /// The part that was being sent when a process died or an answer was lost.
    pub begun: Option<Begun>,
}

/// A part of a reply that was begun to be sent, and of which it is not known whether it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its number, from 0; the first that is not done.
    pub part: u32,
}

/// A reply that could not be delivered, kept until it is sent again or purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Its number, unique in a store and never used again.
    pub id: u64,
    /// Its tenant.
    pub tenant: Id,
    /// Where it was to go.
    pub route: ReplyRoute,
    /// The reply itself.
    pub payload: Bytes,
    /// When it was made.
    pub at: Timestamp,
    /// How many of its parts were delivered.
    pub done: u32,
    /// Why the rest was not.
    pub failure: Failure,
}

/// How far the sending of a reply is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) done: u32,
    /// Whether the first part that is not done was begun.
    pub(super) begun: bool,
}

impl Progress {
    /// That `part` was begun, or that it was not, and that all before it are done.
    pub(super) fn at(part: u32, begun: bool) -> Self {
        Self { done: part, begun }
    }

    pub(super) fn of(self, seq: u64, payload: Bytes, at: Timestamp, trace: Option<TraceContext>) -> Outgoing {
        let begun = self.begun.then_some(Begun { part: self.done });
        Outgoing { seq, payload, at, trace, done: self.done, begun }
    }
}

/// The refusal of a reply that is not the oldest of its route.
pub(super) fn reply_gone(route: &ReplyRoute, seq: u64) -> Error {
    let what = format!("reply {seq} is not the oldest of its route, which is one of {}", route.tenant());
    Error::new(Code::ReplyGone, what).hint("somebody else dealt with it; ask for the route's next reply")
}
