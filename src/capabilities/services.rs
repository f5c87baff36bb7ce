//! The domain services behind what a tenant's guests may ask.

use std::sync::Arc;

use super::HostCalls;
use super::ledger::Ledger;
use super::tools::Tools;
use super::wasi::WasiGrants;
use crate::oauth::OAuth;
use crate::outbound::Outbound;
use crate::secrets::GuestSecrets;

/// What stands behind the interfaces, beside the store. The default is for guests that run for nobody: it refuses all.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// Requests over HTTP.
    pub http: Arc<Outbound>,
    /// Secrets.
    pub secrets: Arc<GuestSecrets>,
    /// Tokens of other services; none without the `oauth` block.
    pub oauth: Option<Arc<OAuth>>,
    /// Tools; none if the tenant has none.
    pub mcp: Option<Arc<dyn Tools>>,
    /// Where host calls are counted, if they are.
    pub calls: Option<Arc<HostCalls>>,
    /// What they have of WASI.
    pub wasi: Arc<WasiGrants>,
    /// What components of overlays have of it.
    pub overlay_wasi: Arc<WasiGrants>,
    /// Where it is counted what they use.
    pub ledger: Arc<Ledger>,
}

impl Services {
    /// The same for a component of an overlay.
    #[must_use]
    pub fn of_overlay(self) -> Self {
        Self { wasi: Arc::clone(&self.overlay_wasi), ..self }
    }
}
