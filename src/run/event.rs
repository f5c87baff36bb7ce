//! An event, in the one form that every way into the host makes of what it received.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::Id;
use crate::session::SessionKey;
use crate::store::ReplyRoute;

/// An event for a tenant.
#[derive(Clone, Debug)]
pub struct Event {
    /// The tenant.
    pub tenant: Id,
    /// The pack, where the caller names one.
    pub pack: Option<Id>,
    /// Which flow it starts if no run waits for it.
    pub flow: FlowChoice,
    /// Its session.
    pub session: SessionKey,
    /// The user, if known.
    pub user: Option<Id>,
    /// The provider it came through (`webchat`, `webhook`, …), if any.
    pub provider: Option<Id>,
    /// By what repetitions are recognised: an event that has one of these in common with an earlier one is the same.
    /// Scoped by tenant and provider by the receiver.
    pub dedupe: Vec<String>,
    /// How long these are remembered; a day unless stated.
    pub remember: Option<Duration>,
    /// The flow's input.
    pub input: Value,
    /// Where replies go.
    pub reply_to: ReplyTo,
    /// Correlates logs and answers.
    pub correlation_id: String,
}

/// Which flow an event starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowChoice {
    /// This flow.
    Id(Id),
    /// The one flow of this kind (`messaging`, `event`, `http`, `job`).
    Kind(String),
    /// The one flow of kind `messaging`, else the pack's only flow.
    Default,
    /// None: the input says what the host has to ask for first, and the events that follow from it start flows. See
    /// [`crate::run::completion`].
    Completion,
}

/// Where the replies of a run go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyTo {
    /// To whoever waits for the outcome; nothing is stored.
    Caller,
    /// To the store, where a client fetches them or a sender takes them; also to whoever waits for the outcome.
    Route(ReplyRoute),
    /// To whoever waits for the outcome as long as somebody does, and else to the store. What is stored with a
    /// checkpoint before the end is not for the caller any more.
    CallerFirst(ReplyRoute),
    /// To the store as with a route, where what the user said is kept too: in front of the replies, which name it.
    Transcript {
        /// Where both are kept.
        route: ReplyRoute,
        /// What the user said.
        said: Said,
    },
}

/// What a user said in a conversation whose transcript is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Its id, by which replies name it.
    pub id: String,
    /// What is to be kept of it before its session's turn comes; none once it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
}

impl ReplyTo {
    /// The route of replies that the store keeps.
    pub fn route(&self) -> Option<&ReplyRoute> {
        match self {
            Self::Caller => None,
            Self::Route(route) | Self::CallerFirst(route) | Self::Transcript { route, .. } => Some(route),
        }
    }

    /// What the user said, if it is still to be kept.
    pub(super) fn unkept(&self) -> Option<(&ReplyRoute, &Value)> {
        match self {
            Self::Transcript { route, said } => said.message.as_ref().map(|message| (route, message)),
            Self::Caller | Self::Route(_) | Self::CallerFirst(_) => None,
        }
    }
}
