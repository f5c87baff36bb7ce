//! What is kept until it is taken, or until its time.

use bytes::Bytes;

use super::Inner;
use super::sweep::take_due;
use crate::clock::Timestamp;
use crate::store::VaultEntry;
use crate::store::vault::has_expired;

impl Inner {
    pub(super) fn vault_put(&mut self, entry: VaultEntry) {
        let VaultEntry { key, value, expires_at } = entry;
        let before = self.vault.insert(key.clone(), (value, expires_at));
        if let Some((_, Some(at))) = before {
            self.due.vault.remove(&(at, key.clone()));
        }
        self.due.vault.extend(expires_at.map(|at| (at, key)));
    }

    pub(super) fn vault_get(&self, key: &str, now: Timestamp) -> Option<Bytes> {
        let (value, expires_at) = self.vault.get(key)?;
        (!has_expired(*expires_at, now)).then(|| value.clone())
    }

    pub(super) fn vault_take(&mut self, key: &str, now: Timestamp) -> Option<Bytes> {
        let (value, expires_at) = self.vault.remove(key)?;
        if let Some(at) = expires_at {
            self.due.vault.remove(&(at, key.to_owned()));
        }
        (!has_expired(expires_at, now)).then_some(value)
    }

    pub(super) fn sweep_vault(&mut self, now: Timestamp, limit: usize) -> usize {
        let gone = take_due(&mut self.due.vault, limit, |(at, _)| *at <= now);
        for (_, key) in &gone {
            self.vault.remove(key);
        }
        gone.len()
    }
}
