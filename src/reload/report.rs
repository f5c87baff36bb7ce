//! What runs, put together for whoever asks.

use std::sync::Arc;

use super::Inner;
use super::desk::shown;
use super::status::{PackStatus, PacksStatus, TenantStatus};
use crate::clock::Timestamp;
use crate::config::HostConfig;
use crate::error::Error;
use crate::host::TenantHandle;
use crate::tenant::Sourced;

impl Inner {
    /// What runs. `error` is why the last reload had nothing to go by.
    pub(super) fn status(&self, last: Option<Timestamp>, error: Option<&Error>) -> PacksStatus {
        let tenants: Vec<_> = self.host.tenant_configs().iter().map(|config| self.tenant_status(config)).collect();
        let of_tenant = || tenants.iter().find_map(|tenant| tenant.last_error.as_ref());
        let last_error = error.map(ToString::to_string);
        let last_error = last_error.or_else(|| of_tenant().map(|e| format!("{}: {}", e.code, e.message)));
        PacksStatus {
            active: tenants.iter().filter(|tenant| tenant.pack.is_some()).count(),
            last_reload: last.map(shown),
            last_error,
            tenants,
        }
    }

    fn tenant_status(&self, config: &Arc<HostConfig>) -> TenantStatus {
        let tenant = config.tenant();
        let (last, error) = {
            let states = self.tenants.lock();
            let state = states.get(tenant);
            (state.and_then(|state| state.last), state.and_then(|state| state.error.clone()))
        };
        let mut status = of_tenant(config, self.host.tenant(tenant).as_ref());
        status.last_reload = last.map(shown);
        status.last_error = error.as_ref().map(Into::into);
        status
    }
}

/// What runs for a tenant, as far as the host itself knows.
pub(crate) fn of_tenant(config: &HostConfig, handle: Option<&TenantHandle>) -> TenantStatus {
    let required: Vec<_> = handle.map(TenantHandle::required_secrets).unwrap_or_default();
    let allowed = config.secrets_policy();
    TenantStatus {
        tenant: config.tenant().to_string(),
        pack: handle.map(|handle| pack(handle.main())),
        overlays: handle.map(|handle| handle.overlays().iter().map(pack).collect()).unwrap_or_default(),
        missing_secrets: required.iter().filter(|key| !allowed.allows(key)).cloned().collect(),
        required_secrets: required,
        last_reload: None,
        last_error: None,
        notes: handle.map(|handle| handle.notes().iter().map(Into::into).collect()).unwrap_or_default(),
    }
}

fn pack(sourced: &Sourced) -> PackStatus {
    PackStatus {
        pack_id: sourced.pack.id.to_string(),
        version: sourced.pack.version.to_string(),
        digest: sourced.pack.digest.to_string(),
        locator: sourced.locator.clone(),
        verification: sourced.verification.clone(),
    }
}
