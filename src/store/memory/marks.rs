//! Marks, and events that are not done.

use bytes::Bytes;

use super::Inner;
use crate::store::{EventId, Mark};

impl Inner {
    pub(super) fn mark(&mut self, mark: Mark) -> Option<Bytes> {
        let before = self.marks.get(&mark.key).cloned();
        if before.is_none() || mark.replaces {
            self.marks.insert(mark.key, mark.value);
        }
        before
    }

    pub(super) fn is_pending(&self, event: EventId) -> bool {
        self.events.contains_key(&event)
    }
}
