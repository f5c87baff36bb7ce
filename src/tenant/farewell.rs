//! Telling the components of a pack that it is unloaded.

use std::time::Duration;

use crate::capabilities::scope::Scope;
use crate::tenant::Loaded;

/// What a component may take of the time in which a pack is replaced or the host stops.
const LONGEST: Duration = Duration::from_secs(2);

impl Loaded {
    /// Calls `on-stop` of the pack's components, all at once, with the `reason` for which the pack is unloaded. How that
    /// goes is logged: nothing depends on it, and runs that began with the pack may still end on it.
    pub async fn farewell(&self, reason: &str) {
        let program = &self.program;
        let mut limits = program.limits.clone();
        limits.timeout = limits.timeout.min(LONGEST);
        let limits = &limits;
        let told = program.components.iter().map(|(id, component)| async move {
            let scope = Scope {
                tenant: program.tenant.clone(),
                env: program.env.clone(),
                pack: program.pack.clone(),
                ..Scope::outside(id)
            };
            if let Err(error) = component.on_stop(scope, reason, limits).await {
                tracing::warn!(code = %error.code(), tenant = %program.tenant, "{error}");
            }
        });
        futures::future::join_all(told).await;
    }
}
