//! What repetitions of events learn.

use std::collections::HashMap;

use super::Inner;
use crate::store::once::is_same;
use crate::store::{EventId, Kept, NewEvent, Repeated};

#[derive(Debug, Default)]
pub(super) struct Onces(HashMap<EventId, Entry>);

#[derive(Debug)]
struct Entry {
    fingerprint: [u8; 32],
    ended: Option<Kept>,
}

impl Onces {
    /// An event was accepted.
    pub(super) fn begin(&mut self, id: EventId, event: &NewEvent) {
        if let Some(once) = event.once.filter(|_| !event.dedupe.is_empty()) {
            self.0.insert(id, Entry { fingerprint: once.fingerprint, ended: None });
        }
    }

    /// An event ended, or one that was made of it when it was replayed.
    pub(super) fn end(&mut self, id: EventId, kept: Kept) {
        if let Some(entry) = self.0.get_mut(&id) {
            entry.ended = Some(kept);
        }
    }

    /// A dedupe key of an event is forgotten.
    pub(super) fn forget(&mut self, id: EventId) {
        self.0.remove(&id);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Inner {
    /// Whether an event that has the keys of the offered one leaves them to it.
    pub(super) fn is_superseded(&self, offered: &NewEvent, known: EventId) -> bool {
        offered.once.and_then(|once| once.supersedes) == Some(known) && !self.events.contains_key(&known)
    }

    /// What an event learns that repeats another.
    pub(super) fn repeated(&self, offered: &NewEvent, known: EventId) -> Repeated {
        let entry = self.once.0.get(&known);
        let same = is_same(offered.once.as_ref(), entry.map(|entry| &entry.fingerprint[..]));
        let under_way = self.events.contains_key(&known);
        let ended = (!under_way).then(|| entry.and_then(|entry| entry.ended.clone()).unwrap_or(Kept::Nothing));
        Repeated { event: known, same, ended }
    }
}
