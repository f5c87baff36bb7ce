//! How many events are worked on at once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::id::Id;

/// Places for work, and each tenant's share of them.
pub(super) struct Permits {
    all: Arc<Semaphore>,
    share: usize,
    shares: Mutex<HashMap<Id, Arc<Semaphore>>>,
}

impl Permits {
    pub(super) fn new(parallel: usize) -> Self {
        let share = (parallel * 3 / 4).max(1);
        Self { all: Arc::new(Semaphore::new(parallel)), share, shares: Mutex::default() }
    }

    /// The right to work on one event: a place of the tenant's, then one of all. No tenant can take all places.
    pub(super) async fn of(&self, tenant: &str) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let share = {
            let mut shares = self.shares.lock();
            Arc::clone(shares.entry(Id::from(tenant)).or_insert_with(|| Arc::new(Semaphore::new(self.share))))
        };
        let own = share.acquire_owned().await.ok()?;
        Some((own, Arc::clone(&self.all).acquire_owned().await.ok()?))
    }
}
