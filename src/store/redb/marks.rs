//! Marks, and events that are not done.

use redb::{ReadTransaction, ReadableTable as _};
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::record::{Blob, decode, encode};
use super::tables::{EVENTS, Tables, mark_key};
use crate::store::{EventId, Mark};

/// What is kept, with its key, which the table's key holds only hashed.
#[derive(Debug, Serialize, Deserialize)]
struct MarkRecord {
    key: String,
    value: Blob,
}

impl Tables<'_> {
    pub(super) fn mark(&mut self, mark: &Mark) -> Result<Option<bytes::Bytes>, Fault> {
        let key = mark_key(&mark.key);
        let before: Option<MarkRecord> = match self.marks.get(&key)? {
            Some(record) => Some(decode("marks", record.value())?),
            None => None,
        };
        if before.is_none() || mark.replaces {
            let record = MarkRecord { key: mark.key.clone(), value: Blob(mark.value.clone()) };
            self.marks.insert(&key, &*encode(&record)?)?;
            self.dirty = true;
        }
        Ok(before.map(|record| record.value.0))
    }
}

pub(super) fn is_pending(txn: &ReadTransaction, event: EventId) -> Result<bool, Fault> {
    Ok(txn.open_table(EVENTS)?.get(event.0)?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is on users' disks.
    #[test]
    fn marks_keep_their_format() {
        let record = MarkRecord { key: "acme:timer:nightly".into(), value: Blob(bytes::Bytes::from_static(b"mark")) };
        let lines = [hex::encode(mark_key(&record.key)), hex::encode(encode(&record).unwrap())];
        insta::assert_snapshot!(lines.join("\n"));
    }
}
