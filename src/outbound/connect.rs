//! The time that connecting may take: each request says it, and the connector, which knows no requests, keeps to it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tower::{Layer, Service};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long connecting may take at most.
const LONGEST: Duration = Duration::from_secs(5);

tokio::task_local! {
    static LIMIT: Duration;
}

/// Runs `work`, of which connecting takes `limit` at most.
pub(super) async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> T {
    LIMIT.scope(limit.unwrap_or(LONGEST).min(LONGEST), work).await
}

/// Bounds the connector.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectTime;

/// A connector that is bounded.
#[derive(Clone, Debug)]
pub(super) struct Bounded<S>(S);

impl<S> Layer<S> for ConnectTime {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded(inner)
    }
}

impl<S, R> Service<R> for Bounded<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: R) -> Self::Future {
        // Read now: what is connected to may be finished by another task, if the request is given up.
        let limit = LIMIT.try_with(|limit| *limit).unwrap_or(LONGEST);
        let connect = self.0.call(target);
        Box::pin(async move {
            let connected = tokio::time::timeout(limit, connect).await;
            connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
        })
    }
}
