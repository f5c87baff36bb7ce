//! Telling the components of a pack that it is unloaded.

use std::time::Duration;

use crate::capabilities::scope::Scope;
use crate::id::Id;
use crate::tenant::Loaded;

/// What a component may take of the time in which a pack is replaced or the host stops.
const LONGEST: Duration = Duration::from_secs(2);

impl Loaded {
    /// Calls `on-stop` of the packs' components, all at once, with the `reason` for which the packs are unloaded. Those
    /// that stay in what is loaded `next` are left alone. How that goes is logged: nothing depends on it, and runs that
    /// began with the packs may still end on them.
    pub async fn farewell(&self, reason: &str, next: Option<&Self>) {
        let next = next.filter(|next| self.stays_in(&next.set));
        let stays = |id: &Id, component| next.is_some_and(|next| next.program.holds(id, component));
        let program = &self.program;
        let mut limits = program.limits.clone();
        limits.timeout = limits.timeout.min(LONGEST);
        let limits = &limits;
        let told = program.components.iter().filter(|(id, component)| !stays(id, component)).map(
            |(id, component)| async move {
                let scope = Scope {
                    tenant: program.tenant.clone(),
                    env: program.env.clone(),
                    pack: program.pack.clone(),
                    ..Scope::outside(id)
                };
                if let Err(error) = component.on_stop(scope, reason, limits).await {
                    tracing::warn!(code = %error.code(), tenant = %program.tenant, "{error}");
                }
            },
        );
        futures::future::join_all(told).await;
    }
}
