//! Something that is read where it lies, kept for a while, and read again when it is due or when somebody misses
//! something in it.
//!
//! It is read once at a time, and never more often than its [`Pace`] allows, whatever requests ask for. What cannot be
//! read again is used for some time longer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{OwnedMutexGuard, Semaphore};

use crate::clock::{Clock, Timestamp};
use crate::error::Code;

/// The most requests that wait for a reading.
pub(super) const MOST_WAITING: usize = 64;

/// Where it lies.
#[async_trait]
pub(super) trait Source<T>: Send + Sync + 'static {
    /// Reads it; else says why it cannot be read.
    async fn read(&self) -> Result<T, String>;
}

/// How often it is read, and how long it is used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The least time between two readings.
    pub(super) pause: Duration,
    /// The same after a reading that failed.
    pub(super) pause_after_failure: Duration,
    /// After so long it is read again in the background.
    pub(super) due: Duration,
    /// So long it is used though it cannot be read again.
    pub(super) usable: Duration,
    /// What it is, for the log.
    pub(super) what: &'static str,
}

pub(super) struct Refreshed<T> {
    source: Box<dyn Source<T>>,
    pace: Pace,
    clock: Arc<dyn Clock>,
    state: Mutex<State<T>>,
    /// Held by whoever reads.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    waiting: Semaphore,
}

struct State<T> {
    value: Option<Arc<T>>,
    /// When it was read.
    read: Option<Timestamp>,
    /// When a reading began last.
    tried: Option<Timestamp>,
}

/// Too many requests wait for a reading already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Busy;

impl<T: Send + Sync + 'static> Refreshed<T> {
    /// What is read when it is needed first.
    pub(super) fn new(source: impl Source<T>, pace: Pace, clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::of(State { value: None, read: None, tried: None }, source, pace, clock)
    }

    /// What was read just now.
    pub(super) fn with(value: T, source: impl Source<T>, pace: Pace, clock: Arc<dyn Clock>) -> Arc<Self> {
        let now = Some(clock.now());
        Self::of(State { value: Some(Arc::new(value)), read: now, tried: now }, source, pace, clock)
    }

    fn of(state: State<T>, source: impl Source<T>, pace: Pace, clock: Arc<dyn Clock>) -> Arc<Self> {
        let (turn, waiting) = (Arc::default(), Semaphore::new(MOST_WAITING));
        Arc::new(Self { source: Box::new(source), pace, clock, state: Mutex::new(state), turn, waiting })
    }

    /// It, as long as it may be used.
    pub(super) fn value(&self) -> Option<Arc<T>> {
        let state = self.state.lock();
        state.value.clone().filter(|_| self.is_within(self.pace.usable, state.read))
    }

    /// Reads it in the background if it is due.
    pub(super) fn read_if_due(self: &Arc<Self>) {
        if self.is_within(self.pace.due, self.state.lock().read) || !self.may_read() {
            return;
        }
        if let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() {
            tokio::spawn(Arc::clone(self).read(turn));
        }
    }

    /// Waits for the reading that is under way, or reads, unless that was done just now.
    pub(super) async fn read_once(self: &Arc<Self>) -> Result<(), Busy> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Busy)?;
        let turn = Arc::clone(&self.turn).lock_owned().await;
        if self.may_read() {
            // A task of its own: a client that goes away does not end what others wait for.
            drop(tokio::spawn(Arc::clone(self).read(turn)).await);
        }
        Ok(())
    }

    /// Whether `since` is known and at most `span` ago. A time in the future is none: the clock was set back.
    fn is_within(&self, span: Duration, since: Option<Timestamp>) -> bool {
        let now = self.clock.now();
        since.is_some_and(|since| since <= now && now.since(since) < span)
    }

    fn may_read(&self) -> bool {
        let state = self.state.lock();
        let failed = state.tried > state.read;
        let pause = if failed { self.pace.pause_after_failure } else { self.pace.pause };
        !self.is_within(pause, state.tried)
    }

    async fn read(self: Arc<Self>, turn: OwnedMutexGuard<()>) {
        if !self.may_read() {
            return;
        }
        let began = self.clock.now();
        self.state.lock().tried = Some(began);
        match self.source.read().await {
            Ok(value) => {
                let mut state = self.state.lock();
                state.value = Some(Arc::new(value));
                state.read = Some(self.clock.now().max(began));
            }
            Err(why) => {
                tracing::warn!(code = %Code::TenantKeysUnavailable, "{} cannot be read: {why}", self.pace.what);
            }
        }
        drop(turn);
    }
}
