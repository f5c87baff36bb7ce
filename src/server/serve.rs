//! Accepting connections, serving each within its limits, and draining them at the end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::HttpLimits;
use super::connection::Connection;
use super::correlation::Peer;

/// How long to wait after the system refused a connection (too many open files), so as not to spin.
const REFUSED: Duration = Duration::from_millis(100);

/// Serves until `stop` is cancelled, then drains.
pub(super) async fn serve(listener: TcpListener, router: Router, limits: &HttpLimits, stop: CancellationToken) {
    let builder = builder(limits);
    let graceful = GracefulShutdown::new();
    let (tasks, abort) = (TaskTracker::new(), CancellationToken::new());
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    while let Some((stream, slot)) = accept(&listener, &slots, &stop).await {
        let Ok(peer) = stream.peer_addr() else { continue };
        let router = router.clone();
        let service = tower::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.clone().oneshot(request)
        });
        let io = TokioIo::new(Connection::new(stream, limits.header_timeout, limits.idle_timeout));
        let connection = builder.serve_connection_with_upgrades(io, TowerToHyperService::new(service)).into_owned();
        let connection = graceful.watch(connection);
        let abort = abort.clone();
        tasks.spawn(async move {
            let ended = abort.run_until_cancelled(connection).await;
            if let Some(Err(error)) = ended {
                tracing::debug!(%peer, %error, "connection ended");
            }
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still busy when the time to drain was over");
    }
    abort.cancel();
    tasks.close();
    tasks.wait().await;
}

/// The next connection, as soon as there is a slot for it; none once the server stops.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = stop.run_until_cancelled(Arc::clone(slots).acquire_owned()).await?.ok()?;
    loop {
        match stop.run_until_cancelled(listener.accept()).await? {
            Ok((stream, _)) => {
                // Answers are written in one piece: waiting for more only delays them.
                drop(stream.set_nodelay(true));
                return Some((stream, slot));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                stop.run_until_cancelled(tokio::time::sleep(REFUSED)).await?;
            }
        }
    }
}

fn builder(limits: &HttpLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.max_head)
        .max_headers(limits.max_headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_http2_streams)
        .max_header_list_size(u32::try_from(limits.max_head).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(100)
        .max_send_buf_size(256 << 10)
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.header_timeout);
    builder
}
