//! The domain services behind what a tenant's guests may ask.

use std::sync::Arc;

use super::HostCalls;
use super::tools::Tools;
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
}
