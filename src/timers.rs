//! Timers: starts the flows of tenants on their schedules.
//!
//! In: the timers of the tenants' bindings, the host's clock. Out: events, each with the schedule and its time as its
//! dedupe key, so that a time acts once, whichever hosts on one store see it come. What is due follows from how far a
//! schedule has come, which is kept in the store: after an absence the last time that was missed runs once, and a
//! schedule that is new has missed nothing. Schedules belong to bindings, and nothing here is swapped when packs are.
//!
//! The room stands above `host`, as `reload` does, and holds no rule about time of its own: what a schedule means is
//! [`schedule`](crate::schedule)'s.

mod due;
mod entry;
mod kept;
mod status;
#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::host::RunnerHost;
use entry::Entry;
pub use status::{LastRun, TenantTimers, TimerCounts, TimerStatus, TimersStatus};

/// The longest sleep, so that it is soon seen that the clock was set or the machine was suspended.
const LONGEST: Duration = Duration::from_secs(10);

/// The shortest, so that a clock that stands still costs nothing.
const SHORTEST: Duration = Duration::from_millis(1);

/// How long what could not be started waits until it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// How many schedules are started at once.
const AT_ONCE: usize = 32;

/// The timers of a host's tenants.
///
/// ```
/// use std::sync::Arc;
///
/// use greentic_runner_host::{HostBuilder, HostConfig, Timers};
///
/// # #[tokio::main]
/// # async fn main() -> greentic_runner_host::Result<()> {
/// let bindings = "{ tenant: acme, timers: [{ flow_id: nightly, cron: '0 5 * * *', timezone: Europe/Berlin }] }";
/// let config = HostConfig::from_yaml(bindings, "acme.yaml")?;
/// let host = Arc::new(HostBuilder::new().with_config(config).with_memory_store().build()?);
/// host.start().await?;
/// let timers = Timers::new(&host);
/// timers.start();
/// assert_eq!(timers.status().tenants[0].timers[0].cron, "0 0 5 * * *");
/// timers.stop().await;
/// host.stop().await?;
/// # Ok(())
/// # }
/// ```
pub struct Timers {
    inner: Arc<Inner>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Inner {
    host: Arc<RunnerHost>,
    entries: Vec<Entry>,
    /// One step at a time.
    stepping: tokio::sync::Mutex<()>,
}

impl Timers {
    /// The timers that the bindings of the host's tenants hold. Nothing is started yet.
    pub fn new(host: &Arc<RunnerHost>) -> Self {
        let configs = host.tenant_configs();
        let entries = configs.iter().flat_map(|config| config.timers().iter().map(|timer| Entry::new(config, timer)));
        let (host, entries) = (Arc::clone(host), entries.collect());
        Self {
            inner: Arc::new(Inner { host, entries, stepping: tokio::sync::Mutex::default() }),
            task: Mutex::default(),
        }
    }

    /// Starts flows on their schedules from now on, until this is stopped or dropped. The host must be started.
    pub fn start(&self) {
        let mut task = self.task.lock();
        if self.inner.entries.is_empty() || task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        *task = Some(tokio::spawn(Arc::clone(&self.inner).work()));
    }

    /// Starts nothing further. What was started goes on, and how far each schedule has come is known and saved.
    pub async fn stop(&self) {
        let task = self.task.lock().take();
        if let Some(task) = task {
            // Between two steps: one cut short has started a flow that no count knows of.
            let _alone = self.inner.stepping.lock().await;
            task.abort();
            // Ends as it was told to; what it held is free then.
            let _ = task.await;
        }
    }

    /// Starts what is due now, and says how long nothing will be: what [`Timers::start`] does again and again, for those
    /// who have a loop of their own.
    pub async fn step(&self) -> Duration {
        self.inner.step().await
    }

    /// Every schedule, with what it did and will do.
    pub fn status(&self) -> TimersStatus {
        TimersStatus::of(&self.inner.entries, self.inner.host.clock().now())
    }
}

impl Inner {
    async fn work(self: Arc<Self>) {
        loop {
            let step = AssertUnwindSafe(self.step()).catch_unwind().await;
            let pause = step.unwrap_or_else(|_| {
                tracing::error!("timers: the host panicked; it goes on in a moment");
                AGAIN
            });
            tokio::time::sleep(pause).await;
        }
    }

    async fn step(&self) -> Duration {
        let _alone = self.stepping.lock().await;
        let now = self.host.clock().now();
        futures::stream::iter(&self.entries).for_each_concurrent(AT_ONCE, |entry| entry.step(&self.host, now)).await;
        let now = self.host.clock().now();
        let pauses = self.entries.iter().map(|entry| entry.pause(now));
        pauses.min().unwrap_or(LONGEST).clamp(SHORTEST, LONGEST)
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().take() {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Timers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timers").field("schedules", &self.inner.entries.len()).finish_non_exhaustive()
    }
}
