//! What goes into a call of a component and what comes out.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use crate::capabilities::AssetsDir;
use crate::capabilities::scope::Scope;
use crate::capabilities::services::Services;
use crate::capabilities::state_view::StateView;
use crate::engine::limits::Limits;
use crate::error::Error;

/// One call of one operation.
#[derive(Debug)]
pub struct Call<'a> {
    /// Who calls: decided by the host, never by the guest.
    pub scope: Scope,
    /// The operation.
    pub op: &'a str,
    /// The payload.
    pub input: &'a Value,
    /// What the guest may see of the state, and where its writes are buffered.
    pub state: StateView,
    /// The files of the pack that the guest may read.
    pub assets: Option<Arc<AssetsDir>>,
    /// What the guest may ask beside the store.
    pub services: Services,
    /// What the call may use.
    pub limits: &'a Limits,
    /// When the event's time is up; the call ends at this or after `limits.timeout`, whichever comes first.
    pub deadline: Instant,
    /// Whether to record host calls in the answer.
    pub trace: bool,
}

/// Adds a provider's configuration to its input as `config`, never over a key that the caller set.
pub(crate) fn add_config(input: &mut Value, config: Option<&Value>) {
    let Some(config) = config else { return };
    if input.is_null() {
        *input = json!({});
    }
    if let Value::Object(map) = input {
        map.entry("config").or_insert_with(|| config.clone());
    }
}

/// What a call that went well gives back.
#[derive(Debug)]
pub struct Answer {
    /// The result.
    pub output: Value,
    /// The state with the guest's writes, to be committed with the next checkpoint.
    pub state: StateView,
    /// The host calls that the guest made, if they were recorded.
    pub host_calls: Vec<HostCall>,
}

/// A call that went wrong. The guest's writes are gone.
#[derive(Debug)]
pub struct CallFailure {
    /// What went wrong.
    pub error: Error,
    /// Whether the component says that another attempt may help. Limits and traps are never retryable.
    pub retryable: bool,
    /// How long the component asks to wait before another attempt.
    pub backoff_ms: Option<u64>,
    /// The error as `err_map` sees it: `{code, message, retryable, backoff_ms?, details?}`.
    pub value: Value,
    /// The host calls that the guest made, if they were recorded.
    pub host_calls: Vec<HostCall>,
}

/// A host call that a guest made, for traces.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostCall {
    /// The interface, with version.
    pub interface: String,
    /// The function.
    pub function: String,
    /// How long the host took.
    pub micros: u64,
    /// Whether the host answered with success.
    pub ok: bool,
    /// A short note that holds no secret, such as the state key.
    pub note: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_never_replaces_what_the_caller_set() {
        let config = json!({ "unit": "C" });
        let with_config = |mut input: Value| {
            add_config(&mut input, Some(&config));
            input
        };
        assert_eq!(with_config(json!({ "config": 1 })), json!({ "config": 1 }));
        assert_eq!(with_config(Value::Null), json!({ "config": { "unit": "C" } }));
        assert_eq!(with_config(json!("text")), json!("text"));
    }
}
