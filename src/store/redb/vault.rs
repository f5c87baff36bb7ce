//! What is kept until it is taken, or until its time.

use redb::{ReadTransaction, ReadableTable as _};
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::record::{Blob, decode, encode};
use super::tables::{Tables, VAULT, vault_key};
use crate::clock::Timestamp;
use crate::store::VaultEntry;
use crate::store::vault::has_expired;

type Result<T> = std::result::Result<T, Fault>;

/// What is kept, with its key, which the table's key holds only hashed.
#[derive(Debug, Serialize, Deserialize)]
struct VaultRecord {
    key: String,
    value: Blob,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl VaultRecord {
    fn at(self, now: Timestamp) -> Option<bytes::Bytes> {
        (!has_expired(self.expires_at, now)).then_some(self.value.0)
    }
}

impl Tables<'_> {
    pub(super) fn vault_put(&mut self, entry: &VaultEntry) -> Result<()> {
        let key = vault_key(&entry.key);
        self.dirty = true;
        self.vault_remove(&entry.key)?;
        let VaultEntry { key: text, value, expires_at } = entry.clone();
        self.vault.insert(&key, &*encode(&VaultRecord { key: text, value: Blob(value), expires_at })?)?;
        if let Some(at) = expires_at {
            self.vault_due.insert((at.0, &key), ())?;
        }
        Ok(())
    }

    pub(super) fn vault_take(&mut self, key: &str, now: Timestamp) -> Result<Option<bytes::Bytes>> {
        let Some(record) = self.vault_remove(key)? else { return Ok(None) };
        self.dirty = true;
        Ok(record.at(now))
    }

    fn vault_remove(&mut self, key: &str) -> Result<Option<VaultRecord>> {
        let key = vault_key(key);
        let record: Option<VaultRecord> = match self.vault.remove(&key)? {
            Some(record) => Some(decode("vault", record.value())?),
            None => None,
        };
        if let Some(VaultRecord { expires_at: Some(at), .. }) = record {
            self.vault_due.remove((at.0, &key))?;
        }
        Ok(record)
    }

    pub(super) fn sweep_vault(&mut self, now: Timestamp, limit: usize) -> Result<usize> {
        for done in 0..limit {
            let first = self.vault_due.first()?.map(|(key, _)| (key.value().0, *key.value().1));
            let Some((at, key)) = first.filter(|(at, _)| *at <= now.0) else { return Ok(done) };
            self.vault_due.remove((at, &key))?;
            self.vault.remove(&key)?;
        }
        Ok(limit)
    }
}

pub(super) fn vault_get(txn: &ReadTransaction, key: &str, now: Timestamp) -> Result<Option<bytes::Bytes>> {
    let Some(record) = txn.open_table(VAULT)?.get(&vault_key(key))?.map(|v| v.value().to_vec()) else {
        return Ok(None);
    };
    let record: VaultRecord = decode("vault", &record)?;
    Ok(record.at(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is on users' disks.
    #[test]
    fn entries_keep_their_format() {
        let value = Blob(bytes::Bytes::from_static(b"sealed"));
        let record = VaultRecord { key: "oauth/token/00".into(), value, expires_at: Some(Timestamp(7)) };
        let lines = [hex::encode(vault_key(&record.key)), hex::encode(encode(&record).unwrap())];
        insta::assert_snapshot!(lines.join("\n"));
    }
}
