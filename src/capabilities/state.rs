//! Guests' state, as the interfaces that offer it share it: scoped by the host, bounded, buffered.

use bytes::Bytes;
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::scope::Scope;
use super::served::host_error;
use super::state_view::StateView;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::store::StateScope;

/// Bytes of a key or namespace.
const MAX_KEY: usize = 1024;
/// Keys of the host begin with this; guests cannot name them.
const RESERVED: char = '\0';
/// Where the session stands, beside the guest's own keys.
const CURSOR_KEY: &str = "\0session-cursor";
/// Before a component's id: the state that the component gets with each run and gives back.
const COMPONENT_KEY: &str = "\0component-state:";

/// Why the state gives no answer. The guest decides what that means to it.
#[derive(Debug)]
pub(super) enum StateError {
    /// The key cannot be used.
    Key,
    /// Nothing is there.
    NotFound,
    /// The value is not what the interface can carry.
    NotText,
    /// The store failed.
    Unavailable(Error),
}

impl StateError {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Key => "invalid-arg",
            Self::NotFound => "not_found",
            Self::NotText => "internal",
            Self::Unavailable(_) => "unavailable",
        }
    }

    pub(super) fn message(&self) -> String {
        match self {
            Self::Key => format!("a key has 1 to {MAX_KEY} bytes and does not begin with a NUL"),
            Self::NotFound => "nothing is stored under this key".to_owned(),
            Self::NotText => "the stored bytes are not text".to_owned(),
            Self::Unavailable(error) => format!("the state cannot be reached ({})", error.code()),
        }
    }

    /// As the `host-error` of an interface.
    pub(super) fn into_value(self) -> Val {
        host_error(self.code(), self.message())
    }
}

impl HostCtx {
    /// Reads a key of the session.
    pub(super) async fn state_read(&mut self, function: Function, key: &str) -> Result<Result<Bytes, StateError>> {
        let begun = self.begin(function, key.len())?;
        let answer = match valid(key) {
            false => Err(StateError::Key),
            true => find(&self.state, &self.session_scope(), key).await.and_then(|v| v.ok_or(StateError::NotFound)),
        };
        self.calls.end(begun, answer.is_ok(), key);
        Ok(answer)
    }

    /// Reads a key of the session as text; a value that is a JSON string is given without its quotes.
    pub(super) async fn state_text(&mut self, function: Function, key: &str) -> Result<Result<String, StateError>> {
        let answer = self.state_read(function, key).await?;
        Ok(answer.and_then(|bytes| match serde_json::from_slice(&bytes) {
            Ok(serde_json::Value::String(text)) => Ok(text),
            _ => String::from_utf8(bytes.into()).map_err(|_| StateError::NotText),
        }))
    }

    /// Writes a key of the session; none as value deletes it.
    pub(super) fn state_write(
        &mut self,
        function: Function,
        key: String,
        value: Option<Bytes>,
    ) -> Result<Result<(), StateError>> {
        let begun = self.begin(function, key.len() + value.as_ref().map_or(0, Bytes::len))?;
        let answer = if valid(&key) { Ok(()) } else { Err(StateError::Key) };
        self.calls.end(begun, answer.is_ok(), &key);
        if answer.is_ok() {
            self.buffer(self.session_scope(), key, value)?;
        }
        Ok(answer)
    }

    /// Notes where the session stands; answers the key under which the session is known.
    pub(super) fn session_update(&mut self, function: Function, cursor: Vec<u8>) -> Result<String> {
        let begun = self.begin(function, cursor.len())?;
        self.calls.end(begun, true, "");
        self.buffer(self.session_scope(), CURSOR_KEY.to_owned(), Some(cursor.into()))?;
        Ok(self.scope.session.to_string())
    }

    /// Reads a value shared by the pack's sessions. The interface knows no failures, so a failure traps.
    pub(super) async fn pack_read(&mut self, function: Function, namespace: &str, key: &str) -> Result<Option<Bytes>> {
        let begun = self.begin(function, namespace.len() + key.len())?;
        let scope = self.pack_scope(namespace, key)?;
        let answer = find(&self.state, &scope, key).await;
        self.calls.end(begun, answer.is_ok(), key);
        answer.map_err(|error| match error {
            StateError::Unavailable(error) => error,
            other => Error::new(Code::StoreFailed, other.message()),
        })
    }

    /// Writes a value shared by the pack's sessions.
    pub(super) fn pack_write(&mut self, function: Function, namespace: &str, key: String, value: Bytes) -> Result<()> {
        let begun = self.begin(function, namespace.len() + key.len() + value.len())?;
        let scope = self.pack_scope(namespace, &key)?;
        self.calls.end(begun, true, &key);
        self.buffer(scope, key, Some(value))
    }

    /// Buffers what the component gave as its state, like any other write; no bytes delete it.
    pub(crate) fn keep_component_state(&mut self, state: Bytes) -> Result<()> {
        let key = component_key(&self.scope);
        self.buffer(self.session_scope(), key, Some(state).filter(|state| !state.is_empty()))
    }

    fn buffer(&mut self, scope: StateScope, key: String, value: Option<Bytes>) -> Result<()> {
        self.state.set(scope, key, value);
        self.calls.written(self.state.written_bytes())
    }

    fn session_scope(&self) -> StateScope {
        session_scope(&self.scope)
    }

    fn pack_scope(&self, namespace: &str, key: &str) -> Result<StateScope> {
        if !valid(namespace) || !valid(key) {
            return Err(Error::new(Code::GuestTrap, format!("kv: {}", StateError::Key.message())));
        }
        Ok(StateScope::Pack {
            tenant: self.scope.tenant.clone(),
            pack: self.scope.pack.clone(),
            namespace: Id::from(namespace),
        })
    }
}

/// The state that the component of `scope` left at its last run in the session; none if it left none.
///
/// # Errors
///
/// The store's.
pub(crate) async fn component_state(state: &StateView, scope: &Scope) -> Result<Option<Bytes>> {
    state.get(&session_scope(scope), &component_key(scope)).await
}

fn component_key(scope: &Scope) -> String {
    format!("{COMPONENT_KEY}{}", scope.component)
}

fn session_scope(scope: &Scope) -> StateScope {
    StateScope::Session { tenant: scope.tenant.clone(), pack: scope.pack.clone(), lane: scope.lane.clone() }
}

async fn find(state: &StateView, scope: &StateScope, key: &str) -> Result<Option<Bytes>, StateError> {
    state.get(scope, key).await.map_err(StateError::Unavailable)
}

fn valid(key: &str) -> bool {
    !key.is_empty() && key.len() <= MAX_KEY && !key.starts_with(RESERVED)
}
