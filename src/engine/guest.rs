//! One invocation's store: its place in the pool, its limits, its deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::{Store, UpdateDeadline};

use super::Engine;
use super::failure::{self, DeadlinePassed, Subject};
use super::limiter::Limiter;
use super::limits::Limits;
use crate::error::{Code, Error, Result};

/// What the engine needs of a store's data.
pub trait GuestData: Send + 'static {
    /// The limiter of this store.
    fn limiter(&mut self) -> &mut Limiter;
}

/// A store for one invocation. It is dropped whole, whatever became of the invocation.
pub struct Guest<T: 'static> {
    // Declared before the place: the pool's slots are free before the next guest is let in.
    store: Store<T>,
    limits: Limits,
    deadline: Instant,
    _place: OwnedSemaphorePermit,
}

impl Engine {
    /// Waits for a place and arms `limits` on a store that holds `data`. The guest's time ends at `deadline` or after
    /// `limits.timeout`, whichever comes first, and runs from now on.
    ///
    /// # Errors
    ///
    /// [`Code::EngineBusy`] if no place was free in time, [`Code::DeadlinePassed`] if the deadline came first.
    pub async fn guest<T: GuestData>(&self, data: T, limits: &Limits, deadline: Instant) -> Result<Guest<T>> {
        let place = self.admit(deadline).await?;
        let deadline = deadline.min(Instant::now() + limits.timeout);
        let mut store = Store::new(self.wasm(), data);
        store.limiter(|data| data.limiter());
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| {
            if Instant::now() < deadline { Ok(UpdateDeadline::Yield(1)) } else { Err(DeadlinePassed.into()) }
        });
        store.set_hostcall_fuel(limits.host_call_bytes.max(limits.output_bytes));
        store.set_max_component_handles(limits.handles);
        Ok(Guest { store, limits: limits.clone(), deadline, _place: place })
    }

    async fn admit(&self, deadline: Instant) -> Result<OwnedSemaphorePermit> {
        let admission = &self.0.admission;
        if let Ok(place) = Arc::clone(admission).try_acquire_owned() {
            return Ok(place);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = left.min(self.0.admission_wait);
        match tokio::time::timeout(wait, Arc::clone(admission).acquire_owned()).await {
            Ok(place) => place.map_err(|e| super::internal("the engine stopped", e)),
            Err(_) if wait == left => {
                Err(Error::new(Code::DeadlinePassed, "the deadline passed while no instance was free"))
            }
            Err(_) => Err(busy(wait)),
        }
    }
}

pub(super) fn busy(waited: Duration) -> Error {
    Error::new(Code::EngineBusy, format!("no instance became free within {} ms", waited.as_millis()))
        .hint("try again later, or give the engine more instances")
}

impl<T: GuestData> Guest<T> {
    /// The store, to instantiate in and to call with.
    pub fn store(&mut self) -> &mut Store<T> {
        &mut self.store
    }

    /// When the guest's time is up.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The data as the guest left it.
    pub fn into_data(self) -> T {
        self.store.into_data()
    }

    /// Says in the host's terms why `subject` failed.
    pub fn failure(&mut self, subject: Subject<'_>, cause: &wasmtime::Error) -> Error {
        let denied = self.store.data_mut().limiter().denied();
        failure::explain(subject, cause, denied, &self.limits)
    }
}

/// Waits for `work` of a guest until its `deadline`. The epoch stops a guest that computes; this stops one that waits
/// for the host.
pub async fn until<R>(deadline: Instant, work: impl Future<Output = wasmtime::Result<R>>) -> wasmtime::Result<R> {
    match tokio::time::timeout_at(deadline.into(), work).await {
        Ok(result) => result,
        Err(_) => Err(DeadlinePassed.into()),
    }
}

impl<T> std::fmt::Debug for Guest<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
