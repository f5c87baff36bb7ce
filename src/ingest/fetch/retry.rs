//! Trying again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::FetchOptions;
use crate::ingest::source::Fault;

/// The attempts that are left, and the pauses between them.
pub(super) struct Retries {
    pauses: ExponentialBackoff,
    longest: Duration,
}

impl Retries {
    pub(super) fn new(options: &FetchOptions) -> Self {
        let pauses = ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(options.pause)
            .with_max_delay(options.longest_pause)
            .with_max_times(options.attempts.saturating_sub(1))
            .build();
        Self { pauses, longest: options.longest_pause }
    }

    /// Waits until it is time to try again. Gives the fault back if that would not help, or if it was tried often
    /// enough, or if the source wants to be left alone for too long.
    pub(super) async fn wait(&mut self, fault: Fault) -> Result<(), Fault> {
        if !fault.may_pass() || fault.after.is_some_and(|after| after > self.longest) {
            return Err(fault);
        }
        let Some(pause) = self.pauses.next() else { return Err(fault) };
        let pause = pause.max(fault.after.unwrap_or_default());
        tracing::debug!(error = %fault.error, ?pause, "trying again");
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
