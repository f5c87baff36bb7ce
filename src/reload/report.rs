//! What runs, put together for whoever asks.

use super::Inner;
use super::status::{PacksStatus, rfc3339};
use crate::clock::Timestamp;
use crate::error::Error;

impl Inner {
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
