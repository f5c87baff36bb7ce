//! Making a value once per key while anybody holds it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::error::Result;

/// Values that are shared by whoever asks for the same key, made once, and forgotten when nobody holds them.
#[derive(Debug)]
pub struct Shared<K, V> {
    slots: Mutex<HashMap<K, Slot<V>>>,
}

/// The async mutex is what makes a second caller wait for the first one's value.
type Slot<V> = Arc<tokio::sync::Mutex<Weak<V>>>;

impl<K: Eq + Hash, V> Shared<K, V> {
    /// The value of `key`; `make` is awaited if nobody holds it. A failure is not remembered.
    pub async fn get_or_make<F>(&self, key: K, make: F) -> Result<Arc<V>>
    where
        F: Future<Output = Result<V>>,
    {
        let slot = self.slot(key);
        let mut value = slot.lock().await;
        if let Some(held) = value.upgrade() {
            return Ok(held);
        }
        let made = Arc::new(make.await?);
        *value = Arc::downgrade(&made);
        Ok(made)
    }

    /// The value of `key`, if somebody holds it and nobody is making it.
    pub fn held(&self, key: &K) -> Option<Arc<V>> {
        self.slots.lock().get(key)?.try_lock().ok()?.upgrade()
    }

    fn slot(&self, key: K) -> Slot<V> {
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get(&key) {
            return Arc::clone(slot);
        }
        // A new key is rare, so this is the moment to forget the slots whose values are gone.
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|v| v.strong_count() > 0));
        Arc::clone(slots.entry(key).or_insert_with(|| Arc::new(tokio::sync::Mutex::new(Weak::new()))))
    }
}

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self { slots: Mutex::new(HashMap::new()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::error::{Code, Error};

    #[tokio::test]
    async fn callers_at_the_same_time_share_one_value() {
        let shared = Shared::<u32, u32>::default();
        let made = AtomicU32::new(0);
        let make = || async {
            tokio::task::yield_now().await;
            Ok(made.fetch_add(1, Ordering::SeqCst))
        };
        let (a, b) = tokio::join!(shared.get_or_make(1, make()), shared.get_or_make(1, make()));
        assert!(Arc::ptr_eq(&a.unwrap(), &b.unwrap()));
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_value_that_nobody_holds_is_forgotten() {
        let shared = Shared::<u32, u32>::default();
        drop(shared.get_or_make(1, async { Ok(1) }).await.unwrap());
        drop(shared.get_or_make(2, async { Ok(2) }).await.unwrap());
        assert_eq!(shared.slots.lock().len(), 1);
        assert_eq!(*shared.get_or_make(1, async { Ok(3) }).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_failure_is_not_remembered() {
        let shared = Shared::<u32, u32>::default();
        let failed = shared.get_or_make(1, async { Err(Error::new(Code::CompileFailed, "no")) }).await;
        assert_eq!(failed.unwrap_err().code(), Code::CompileFailed);
        assert_eq!(*shared.get_or_make(1, async { Ok(7) }).await.unwrap(), 7);
    }
}
