//! Instruments whose attributes are made once.

use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::RwLock;

/// How many attribute sets of one instrument are kept. The SDK counts those beyond its own limit together.
const KEPT: usize = 2000;

type Make<K, B> = Box<dyn Fn(&K) -> B + Send + Sync>;

/// An instrument, bound to the attributes of each key that occurred.
pub(super) struct Bound<K, B> {
    made: RwLock<HashMap<K, B>>,
    make: Make<K, B>,
}

impl<K: Eq + Hash, B: Clone> Bound<K, B> {
    pub(super) fn new(make: impl Fn(&K) -> B + Send + Sync + 'static) -> Self {
        Self { made: RwLock::default(), make: Box::new(make) }
    }

    /// Uses the instrument of `key`.
    pub(super) fn with(&self, key: K, use_it: impl FnOnce(&B)) {
        if let Some(bound) = self.made.read().get(&key) {
            return use_it(bound);
        }
        let bound = (self.make)(&key);
        use_it(&bound);
        let mut made = self.made.write();
        if made.len() < KEPT {
            made.insert(key, bound);
        }
    }
}
