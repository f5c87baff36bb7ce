//! The state as one invocation sees it: committed values, under the run's uncommitted writes, under its own.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;
use crate::store::{StateReader, StateScope, StateWrite};

/// Uncommitted writes; none as value deletes.
pub type Overlay = HashMap<(StateScope, String), Option<Bytes>>;

/// A view of the state that buffers writes. Dropping it discards them.
#[derive(Clone)]
pub struct StateView {
    committed: Arc<dyn StateReader>,
    run: Arc<Overlay>,
    own: Overlay,
    own_bytes: usize,
}

impl StateView {
    /// A view over what is committed, and over what the run has not yet committed.
    pub fn new(committed: Arc<dyn StateReader>, run: Arc<Overlay>) -> Self {
        Self { committed, run, own: Overlay::new(), own_bytes: 0 }
    }

    /// The value that this invocation sees.
    pub async fn get(&self, scope: &StateScope, key: &str) -> Result<Option<Bytes>> {
        let at = (scope.clone(), key.to_owned());
        if let Some(value) = self.own.get(&at).or_else(|| self.run.get(&at)) {
            return Ok(value.clone());
        }
        self.committed.state_get(scope, key).await
    }

    /// Buffers a write.
    pub fn set(&mut self, scope: StateScope, key: String, value: Option<Bytes>) {
        self.own_bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
        self.own.insert((scope, key), value);
    }

    /// A view over what this one sees, for what is done on behalf of this invocation.
    #[must_use]
    pub fn over(&self) -> Self {
        let mut run = (*self.run).clone();
        run.extend(self.own.iter().map(|(at, value)| (at.clone(), value.clone())));
        Self::new(Arc::clone(&self.committed), Arc::new(run))
    }

    /// Buffers the writes of what was done on behalf of this invocation.
    pub fn absorb(&mut self, writes: Overlay) {
        writes.into_iter().for_each(|((scope, key), value)| self.set(scope, key, value));
    }

    /// How many bytes were written through this view, overwritten ones included.
    pub fn written_bytes(&self) -> usize {
        self.own_bytes
    }

    /// The writes of this invocation.
    pub fn into_writes(self) -> Overlay {
        self.own
    }
}

/// An overlay as the changes that the store takes, in a stable order.
pub fn writes_of(overlay: &Overlay) -> Vec<StateWrite> {
    let mut writes: Vec<_> = overlay
        .iter()
        .map(|((scope, key), value)| StateWrite { scope: scope.clone(), key: key.clone(), value: value.clone() })
        .collect();
    writes.sort_by(|a, b| (&a.scope, &a.key).cmp(&(&b.scope, &b.key)));
    writes
}

impl std::fmt::Debug for StateView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateView").field("own", &self.own.len()).finish_non_exhaustive()
    }
}
