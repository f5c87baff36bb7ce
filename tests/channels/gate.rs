//! A store that holds the work on some sessions back until a test lets it go: flows that hang, exactly as long as wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use greentic_runner_host::Result;
use greentic_runner_host::error::{Code, Error};
use greentic_runner_host::store::{Lane, MemoryStore};
use tokio::sync::Semaphore;

use crate::store::{Hand, Handled};

/// Sessions with this word in them are held back.
pub(crate) const HELD: &str = "held";

/// The first event of a session with this word in it cannot be accepted at first.
pub(crate) const STUMBLING: &str = "stumbling";

/// What keeps what users say before it is their sessions' turn is neither held back nor does it stumble.
fn is_session(lane: &Lane, word: &str) -> bool {
    lane.0.contains(word) && !lane.0.ends_with(":relay")
}

pub(crate) type Gate = Handled<Keeper>;

/// What keeps the gate.
pub(crate) struct Keeper {
    open: Semaphore,
    stumbled: AtomicBool,
}

impl Gate {
    pub(crate) fn closed() -> Arc<Self> {
        let hand = Keeper { open: Semaphore::new(0), stumbled: AtomicBool::new(false) };
        Self::new(Arc::new(MemoryStore::default()), hand)
    }

    /// Lets everything go that is held or will be.
    pub(crate) fn open(&self) {
        self.hand.open.close();
    }
}

#[async_trait]
impl Hand for Keeper {
    async fn before(&self, transaction: &str, lane: Option<&Lane>) -> Result<()> {
        match (transaction, lane) {
            ("accept", Some(lane)) if is_session(lane, STUMBLING) && !self.stumbled.swap(true, Ordering::SeqCst) => {
                Err(Error::new(Code::StoreFailed, "the disk is busy"))
            }
            ("claim", Some(lane)) if is_session(lane, HELD) => {
                drop(self.open.acquire().await);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
