//! What is begun with something that is worth something once (a code, a refresh token, what a broker tells) is brought to
//! its end, whoever waits for it. All of it is bounded in time by those who begin it.

use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::error::{Code, Error, Result};

/// How long a host that stops waits for it.
const PATIENCE: Duration = Duration::from_secs(15);

/// The works of one tenant.
#[derive(Debug, Default)]
pub(super) struct Works(TaskTracker);

impl Works {
    /// Runs `work` to its end, and waits for it until `end` at the latest.
    pub(super) async fn within<T: Send + 'static>(
        &self,
        end: Instant,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        match tokio::time::timeout_at(end.into(), self.0.spawn(work.in_current_span())).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Error::new(Code::Internal, "what was begun with a provider did not end well")),
            Err(_) => Err(Error::new(Code::OAuthUnavailable, "the time was up before the provider answered")),
        }
    }

    /// Runs `work` to its end, and nobody waits for it but a host that stops.
    pub(super) fn begin(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(work.in_current_span()));
    }

    /// Waits until nothing is under way any more, for a while. Whether that is so.
    pub(super) async fn finish(&self) -> bool {
        self.0.close();
        let ended = tokio::time::timeout(PATIENCE, self.0.wait()).await.is_ok();
        self.0.reopen();
        ended
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_work_goes_on_without_whoever_waited_and_is_waited_for_at_the_end() {
        let works = Arc::new(Works::default());
        let (release, released) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel::<()>();
        let work = async move {
            released.await.ok();
            done.send(()).ok();
            Ok(())
        };
        let error = works.within(Instant::now(), work).await.unwrap_err();
        assert_eq!(error.code(), Code::OAuthUnavailable);
        let finishing = tokio::spawn({
            let works = Arc::clone(&works);
            async move { works.finish().await }
        });
        tokio::task::yield_now().await;
        assert!(!finishing.is_finished(), "something is under way");
        release.send(()).unwrap();
        assert!(finishing.await.unwrap());
        ended.await.unwrap();
        assert_eq!(works.within(Instant::now() + PATIENCE, async { Ok(7) }).await.unwrap(), 7, "it can begin again");
    }

    #[tokio::test]
    #[allow(clippy::panic, reason = "that is what is tried")]
    async fn a_work_that_ends_badly_is_an_error() {
        let works = Works::default();
        let work = async { panic!("canary") };
        let error = works.within::<()>(Instant::now() + PATIENCE, work).await.unwrap_err();
        assert_eq!(error.code(), Code::Internal);
        assert!(works.finish().await);
    }
}
