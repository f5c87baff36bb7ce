//! What can be set about the server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::audit::AuditLog;
use crate::config::TenantResolver;
use crate::id::Id;
use crate::ingress::Adapter;
use crate::secret::Secret;

/// How the server behaves.
#[derive(Clone)]
pub struct ServerOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The tenant of requests that name none in any way; without it, or if it is not served, the only tenant.
    pub default_tenant: Option<Id>,
    /// How the tenant of other requests is found.
    pub tenants: TenantResolver,
    /// Who may use the admin API.
    pub admin: AdminOptions,
    /// Whether to serve the chat page and the trace of its runs. Requests must then come from this machine by a name
    /// of this machine, and from no other site.
    pub demo: bool,
    /// What a client may cost.
    pub limits: HttpLimits,
    /// Further adapters. A tenant's bindings open them by name, as `adapter: NAME`.
    pub adapters: Vec<Arc<dyn Adapter>>,
    /// Proxies that may say by `X-Forwarded-For` where a request comes from; those that may name its tenant may too.
    pub trusted_proxies: Vec<IpNet>,
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let adapters: Vec<_> = self.adapters.iter().map(|adapter| adapter.provider()).collect();
        f.debug_struct("ServerOptions")
            .field("listen", &self.listen)
            .field("default_tenant", &self.default_tenant)
            .field("tenants", &self.tenants)
            .field("admin", &self.admin)
            .field("demo", &self.demo)
            .field("limits", &self.limits)
            .field("adapters", &adapters)
            .field("trusted_proxies", &self.trusted_proxies)
            .finish()
    }
}

impl ServerOptions {
    /// The proxies that may say where a request comes from.
    pub(super) fn declared_proxies(&self) -> Vec<IpNet> {
        let mut proxies = self.trusted_proxies.clone();
        if let TenantResolver::Header { proxies: naming } = &self.tenants {
            proxies.extend(naming);
        }
        proxies
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            default_tenant: None,
            tenants: TenantResolver::default(),
            admin: AdminOptions::default(),
            demo: false,
            limits: HttpLimits::default(),
            adapters: Vec::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

/// Who may use the admin API, and where it is kept what they changed.
#[derive(Clone, Debug)]
pub struct AdminOptions {
    /// The bearer token that requests must carry. Without it only this machine is served, directly and by a name of its
    /// own.
    pub token: Option<Secret>,
    /// Where changes are written down before they are made.
    pub audit: Arc<AuditLog>,
}

impl Default for AdminOptions {
    fn default() -> Self {
        Self { token: None, audit: Arc::new(AuditLog::without_file()) }
    }
}

/// What a client may cost.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// How long the head of a request may take, from the first byte, or from the connection's opening, on.
    pub header_timeout: Duration,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// How long a connection may carry no byte in either direction. Longer than `answer_timeout`, or it would cut
    /// answers off.
    pub idle_timeout: Duration,
    /// How long a caller waits for a flow's result.
    pub answer_timeout: Duration,
    /// How long what is under way may take once the server stops.
    pub drain_timeout: Duration,
    /// How often a silent stream shows that it is alive.
    pub keep_alive: Duration,
    /// The most bytes of a body.
    pub max_body: usize,
    /// The most bytes of a request's head.
    pub max_head: usize,
    /// The most headers of a request.
    pub max_headers: usize,
    /// The most connections; further ones wait to be accepted.
    pub max_connections: usize,
    /// The most requests at once over all connections; further ones are answered with 503.
    pub max_requests: usize,
    /// The most open streams of replies and traces; further ones are answered with 503.
    pub max_streams: usize,
    /// The most requests at once on one HTTP/2 connection.
    pub max_http2_streams: u32,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(90),
            answer_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(15),
            keep_alive: Duration::from_secs(15),
            max_body: 1 << 20,
            max_head: 64 << 10,
            max_headers: 100,
            max_connections: 4096,
            max_requests: 1024,
            max_streams: 1024,
            max_http2_streams: 100,
        }
    }
}
