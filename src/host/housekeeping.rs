//! What the host does by itself: forgetting what has expired, taking up what was left behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::readings::Readings;
use crate::clock::Clock;
use crate::error::Result;
use crate::run::lanes::Lanes;
use crate::store::Store;

const INTERVAL: Duration = Duration::from_secs(30);

/// How long replies that nobody fetched, and dead letters, are kept.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);

/// Works while the host lives; it keeps neither the host nor its store alive.
pub(super) fn spawn(
    store: &Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    lanes: &Arc<Lanes>,
    readings: &Arc<Readings>,
) -> JoinHandle<()> {
    let (store, lanes, readings) = (Arc::downgrade(store), Arc::downgrade(lanes), Arc::downgrade(readings));
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            ticks.tick().await;
            let (Some(store), Some(lanes)) = (store.upgrade(), lanes.upgrade()) else { return };
            if let Err(error) = once(&*store, &*clock, &lanes).await {
                tracing::error!(code = %error.code(), "housekeeping failed: {error}");
            }
            if let Some(readings) = readings.upgrade()
                && let Err(error) = readings.read_store(&*store).await
            {
                tracing::error!(code = %error.code(), "how much is stored cannot be read: {error}");
            }
        }
    })
}

async fn once(store: &dyn Store, clock: &dyn Clock, lanes: &Lanes) -> Result<()> {
    // A sweep that fails must not keep sessions from being taken up again.
    let recovered = lanes.recover().await;
    while store.sweep(clock.now(), KEEP).await? > 0 {
        tokio::task::yield_now().await;
    }
    recovered.map(drop)
}
