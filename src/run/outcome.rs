//! What became of an event.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::Id;

/// The end of an event that went well.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Whether the run is over or waits.
    #[serde(flatten)]
    pub status: Status,
    /// The replies of this event, in order.
    pub replies: Vec<Value>,
    /// The session key as it is shown.
    pub session: Id,
    /// The flow that served the event.
    pub flow: Id,
}

/// Whether a run is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// It is over.
    Completed,
    /// It waits for the next event of its session.
    Waiting {
        /// Why, where the flow says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

impl Status {
    /// Its name, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Waiting { .. } => "waiting",
        }
    }
}
