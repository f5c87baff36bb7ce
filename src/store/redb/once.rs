//! What repetitions of events learn, as long as the dedupe keys of the first are remembered.

use bytes::Bytes;
use redb::ReadableTable as _;

use super::fault::Fault;
use super::record::{Blob, EndRecord, OnceRecord, decode, encode};
use super::tables::Tables;
use crate::store::once::is_same;
use crate::store::{EventId, Kept, NewEvent, Repeated};

type Result<T> = std::result::Result<T, Fault>;

impl Tables<'_> {
    /// An event was accepted.
    pub(super) fn begin_once(&mut self, id: u64, event: &NewEvent) -> Result<()> {
        if let Some(once) = event.once.filter(|_| !event.dedupe.is_empty()) {
            let fingerprint = Blob(Bytes::copy_from_slice(&once.fingerprint));
            self.once.insert(id, &*encode(&OnceRecord { fingerprint, ended: None })?)?;
        }
        Ok(())
    }

    /// An event ended, or one that was made of it when it was replayed.
    pub(super) fn end_once(&mut self, EventId(id): EventId, kept: Kept) -> Result<()> {
        if let Some(mut record) = self.once_of(id)? {
            record.ended = Some(match kept {
                Kept::Result(result) => EndRecord::Result(Blob(result)),
                Kept::Failure(failure) => EndRecord::Failure(failure),
                Kept::Nothing => EndRecord::Nothing,
            });
            self.once.insert(id, &*encode(&record)?)?;
        }
        Ok(())
    }

    /// A dedupe key of an event is forgotten.
    pub(super) fn forget_once(&mut self, id: u64) -> Result<()> {
        self.once.remove(id)?;
        Ok(())
    }

    /// Whether an event that has the keys of the offered one leaves them to it.
    pub(super) fn is_superseded(&self, offered: &NewEvent, known: u64) -> Result<bool> {
        let named = offered.once.and_then(|once| once.supersedes) == Some(EventId(known));
        Ok(named && self.events.get(known)?.is_none())
    }

    /// What an event learns that repeats another.
    pub(super) fn repeated(&self, offered: &NewEvent, known: u64) -> Result<Repeated> {
        let record = self.once_of(known)?;
        let same = is_same(offered.once.as_ref(), record.as_ref().map(|record| &*record.fingerprint.0));
        let ended = match (self.events.get(known)?, record.and_then(|record| record.ended)) {
            (Some(_), _) => None,
            (None, Some(EndRecord::Result(Blob(result)))) => Some(Kept::Result(result)),
            (None, Some(EndRecord::Failure(failure))) => Some(Kept::Failure(failure)),
            (None, Some(EndRecord::Nothing) | None) => Some(Kept::Nothing),
        };
        Ok(Repeated { event: EventId(known), same, ended })
    }

    fn once_of(&self, id: u64) -> Result<Option<OnceRecord>> {
        self.once.get(id)?.map(|record| decode("once", record.value())).transpose()
    }
}
