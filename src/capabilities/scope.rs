//! On whose behalf a guest runs.

use crate::id::Id;
use crate::store::Lane;

/// The identity of one invocation, as the host knows it.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The tenant.
    pub tenant: Id,
    /// The deployment environment (`GREENTIC_ENV`, else `local`).
    pub env: Id,
    /// The pack.
    pub pack: Id,
    /// The component.
    pub component: Id,
    /// The provider, for provider calls.
    pub provider: Option<Id>,
    /// The flow; empty text for calls outside a flow.
    pub flow: Id,
    /// The type of the flow, as flow files spell it; none for calls outside a flow.
    pub flow_type: Option<&'static str>,
    /// The node; empty text for calls outside a flow.
    pub node: Id,
    /// The session's queue, under which its state is kept.
    pub lane: Lane,
    /// The session key as it is shown.
    pub session: Id,
    /// The user, if known.
    pub user: Option<Id>,
    /// The user's language as the event says it (`de`, `pt-BR`), if it does.
    pub locale: Option<String>,
    /// The attempt at this node, from 1 on.
    pub attempt: u32,
    /// The same for every attempt at this node of this run; what leaves the process carries it.
    pub idempotency_key: String,
    /// Correlates logs and answers of one event.
    pub correlation_id: String,
}

impl Scope {
    /// The scope of what is asked of `component` on nobody's behalf.
    pub fn outside(component: &str) -> Self {
        let none = || Id::from("");
        Self {
            tenant: none(),
            env: none(),
            pack: none(),
            component: Id::from(component),
            provider: None,
            flow: none(),
            flow_type: None,
            node: none(),
            lane: Lane(none()),
            session: none(),
            user: None,
            locale: None,
            attempt: 1,
            idempotency_key: String::new(),
            correlation_id: String::new(),
        }
    }
}
