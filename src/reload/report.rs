//! What runs, put together for whoever asks.

use super::Inner;
use super::handle::Readiness;
use super::status::{PacksStatus, rfc3339};
use crate::clock::Timestamp;
use crate::error::Error;

impl Inner {
    /// Whether every tenant that should have packs has some, and why not.
    pub(super) fn readiness(&self) -> Readiness {
        let states = self.tenants.lock();
        let failed = states.iter().filter_map(|(tenant, state)| Some((tenant, state.error.as_ref()?)));
        Readiness::lacking(
            failed.filter(|(tenant, _)| self.host.tenant(tenant).is_none()).map(|(_, error)| error.code().to_string()),
        )
    }

    /// What runs. `error` is why the last reload had nothing to go by.
    pub(super) fn status(&self, last: Option<Timestamp>, error: Option<&Error>) -> PacksStatus {
        let mut status = PacksStatus::of_host(&self.host);
        let states = self.tenants.lock();
        for tenant in &mut status.tenants {
            let Some(state) = states.get(tenant.tenant.as_str()) else { continue };
            tenant.last_reload = state.last.and_then(rfc3339);
            tenant.last_error = state.error.as_ref().map(Into::into);
        }
        let of_tenant = || states.values().find_map(|state| state.error.as_ref());
        status.last_error = error.or_else(of_tenant).map(ToString::to_string);
        status.last_reload = last.and_then(rfc3339);
        status
    }
}
