//! Events of which only ids are known yet: what they stand for is asked for after they were accepted.

use async_trait::async_trait;
use serde_json::Value;

use crate::error::Result;
use crate::id::Id;
use crate::run::event::Event;

/// Something that was announced and is still to be asked for.
#[derive(Clone, Debug)]
pub struct Announced {
    /// The tenant that it is for.
    pub tenant: Id,
    /// The provider that announced it.
    pub provider: Id,
    /// What is to be asked for, as it was given with [`crate::run::event::FlowChoice::Completion`].
    pub pending: Value,
    /// Correlates logs and answers.
    pub correlation_id: String,
}

/// Asks for what was announced.
#[async_trait]
pub trait Completer: Send + Sync + 'static {
    /// The events that it stands for. It may be asked for several times; repetitions among the events are recognised.
    /// What fails for good makes the announcement a dead letter, which can be replayed.
    async fn complete(&self, announced: &Announced) -> Result<Vec<Event>>;
}
