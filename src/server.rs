//! The HTTP server: what the outside world reaches of a host.
//!
//! In: connections. Out: events for the [`backend::Backend`], and its answers, replies and traces. The room decides
//! nothing about flows: it bounds what a client can cost (time, bytes, connections, requests), finds the tenant that a
//! request is addressed to, lets [`crate::ingress`] verify and normalize, and acknowledges only what is stored. What
//! goes out of it holds codes and correlation ids, never the insides of the host.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, SystemClock};
use crate::egress::Courier;
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::ingress::{Adapters, Channels};
use crate::telemetry::Metrics;

mod admin;
mod admission;
mod answer;
pub mod backend;
mod bearer;
mod body;
mod channel;
mod client;
mod completer;
mod connection;
mod correlation;
mod directline;
mod fetch;
mod health;
mod keys;
mod listing;
mod metrics;
mod oauth;
mod openapi;
mod opening;
mod options;
mod origin;
mod outlets;
mod page;
mod params;
mod refreshed;
mod router;
mod routes;
mod serve;
mod sse;
mod tally;
mod tenant;
mod trace;
mod webchat;
mod webhook;

pub use backend::{Backend, HostBackend};
pub use listing::RouteInfo;
pub use openapi::document as openapi;
pub use opening::open_channels;
pub use options::{AdminOptions, HttpLimits, ServerOptions};
pub use tally::{Dropped, DroppedCount};

/// A server that has its address and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
}

/// What every handler sees.
pub(crate) struct App {
    backend: Arc<dyn Backend>,
    options: ServerOptions,
    tenants: tenant::Resolver,
    adapters: Adapters,
    channels: Arc<HashMap<Id, Arc<Channels>>>,
    keys: keys::PlatformKeys,
    proxies: client::Proxies,
    tally: Arc<tally::Tally>,
    metrics: Arc<Metrics>,
    courier: Arc<Courier>,
    /// The OpenAPI document.
    openapi: Bytes,
    clock: Arc<dyn Clock>,
    /// Cancelled when the server stops accepting, so that streams end.
    draining: CancellationToken,
    requests: Semaphore,
    streams: Arc<Semaphore>,
    sockets: Arc<directline::Sockets>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Server {
    /// Takes the address that `options` name; port 0 takes a free one. Fails if keys that tokens are verified by cannot
    /// be used, or if a tenant's channel cannot be opened as its bindings say.
    pub async fn bind(options: ServerOptions, backend: Arc<dyn Backend>) -> Result<Self> {
        let cannot = |e: std::io::Error| {
            Error::new(Code::Listen, format!("cannot listen on {}: {e}", options.listen))
                .hint("choose another --port or --listen, or stop what uses it")
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let tenants = tenant::Resolver::new(&options.tenants, &clock)?;
        let adapters = Adapters::with(&options.adapters)?;
        let channels = Arc::new(opening::of_all(&adapters, &*backend).await?);
        let tally = Arc::new(tally::Tally::default());
        let listener = TcpListener::bind(options.listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let fetcher = completer::Fetcher::new(Arc::clone(&channels), Arc::clone(&clock), Arc::clone(&tally))?;
        backend.complete_with(Arc::new(fetcher)).await?;
        let courier = outlets::courier(&*backend, &channels, &clock)?;
        let metrics = match backend.metrics() {
            Some(metrics) => metrics,
            None => Arc::new(Metrics::new()?),
        };
        let app = Arc::new(App {
            metrics: Arc::clone(&metrics),
            backend,
            openapi: openapi::of(&adapters).to_string().into(),
            adapters,
            channels,
            keys: keys::PlatformKeys::new(Arc::clone(&clock)),
            proxies: client::Proxies::new(options.declared_proxies()),
            tally,
            courier,
            clock,
            tenants,
            draining: CancellationToken::new(),
            requests: Semaphore::new(options.limits.max_requests),
            streams: Arc::new(Semaphore::new(options.limits.max_streams)),
            sockets: Arc::default(),
            options,
        });
        metrics.add_source(Arc::downgrade(&app) as _);
        Ok(Self { listener, address, app })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The routes of every tenant and how they are verified, those that are off included.
    pub fn routes(&self) -> Vec<RouteInfo> {
        listing::routes(&self.app)
    }

    /// What of a tenant's bindings opens nothing, in words.
    pub fn notes(&self, tenant: &str) -> Vec<String> {
        self.app.channels.get(tenant).map(|channels| channels.notes().to_vec()).unwrap_or_default()
    }

    /// Serves, and sends replies to platforms, until `stop` resolves; then accepts nothing more, lets what is under way
    /// finish for at most the drain time of the options, and returns.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let draining = self.app.draining.clone();
        let limits = self.app.options.limits.clone();
        let courier = Arc::clone(&self.app.courier);
        let sockets = Arc::clone(&self.app.sockets);
        let router = router::router(self.app);
        // Replies to the last requests are sent as well.
        let served = CancellationToken::new();
        let sending = courier.run(served.cancelled(), limits.drain_timeout);
        let serving = async {
            serve::serve(self.listener, router, &limits, draining.clone()).await;
            served.cancel();
        };
        let stopping = async {
            stop.await;
            draining.cancel();
        };
        tokio::join!(serving, sending, stopping);
        // They were told to end when the server began to stop.
        if tokio::time::timeout(limits.drain_timeout, sockets.ended()).await.is_err() {
            tracing::warn!("streams were still open when the time to drain was over");
        }
    }
}
