//! Providers as the admin API shows them. Of a configuration only the keys are shown: its values may be secret.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{Code, Error};
use crate::id::Id;
use crate::tenant::{Instance, Tenant};

/// The providers of tenants.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct ProvidersStatus {
    /// Every tenant, sorted.
    pub tenants: Vec<TenantProviders>,
}

/// The providers of a tenant.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TenantProviders {
    /// The tenant.
    pub tenant: String,
    /// Those of its packs and those that are stored, sorted by id.
    pub providers: Vec<ProviderStatus>,
}

/// A provider.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ProviderStatus {
    /// Its id.
    pub provider_id: String,
    /// Its type.
    pub provider_type: String,
    /// Where it comes from.
    pub source: ProviderSource,
    /// The component that implements it.
    pub component_ref: String,
    /// The pack that its component is to be of, if it is stored so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack_ref: Option<String>,
    /// Whether flows may call it.
    pub enabled: bool,
    /// Whether they can.
    pub state: ProviderState,
    /// Why not, or what else there is to know.
    pub notes: Vec<ProviderNote>,
    /// The keys of its configuration, sorted. Their values are not shown.
    pub config_keys: Vec<String>,
}

/// Something to know of a provider.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ProviderNote {
    /// The stable code.
    pub code: String,
    /// What it is.
    pub message: String,
}

/// Where a provider comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderSource {
    /// A pack declares it.
    Pack,
    /// An operator stored it.
    Stored,
}

/// Whether a provider can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderState {
    /// It can.
    Ready,
    /// It is stored, and was not enabled.
    Disabled,
    /// Its component or its configuration cannot be used.
    Broken,
    /// No pack is loaded that could implement it.
    NotLoaded,
}

impl ProviderNote {
    fn of(error: &Error) -> Self {
        Self { code: error.code().to_string(), message: error.message().to_owned() }
    }
}

/// The providers of a tenant: those that are `stored`, and those of its packs that they do not hide.
pub(super) fn of_tenant(tenant: &Tenant, stored: &[std::sync::Arc<Instance>]) -> TenantProviders {
    let hidden: BTreeSet<&str> = stored.iter().map(|instance| instance.provider_id.as_str()).collect();
    let mut providers: Vec<_> = stored.iter().map(|instance| of_stored(tenant, instance)).collect();
    providers.extend(of_packs(tenant).into_iter().filter(|status| !hidden.contains(status.provider_id.as_str())));
    providers.sort_unstable_by(|one, other| one.provider_id.cmp(&other.provider_id));
    TenantProviders { tenant: tenant.config().tenant().to_string(), providers }
}

/// A stored provider as it is now.
pub(super) fn of_stored(tenant: &Tenant, instance: &Instance) -> ProviderStatus {
    let loaded = tenant.loaded();
    let id = Id::from(instance.provider_id.as_str());
    let callable = loaded.as_ref().map(|loaded| loaded.program.provider(&id).map(drop));
    let (state, why) = match callable {
        None => (ProviderState::NotLoaded, None),
        Some(Ok(())) => (ProviderState::Ready, None),
        Some(Err(error)) if error.code() == Code::ProviderDisabled => (ProviderState::Disabled, None),
        Some(Err(error)) => (ProviderState::Broken, Some(ProviderNote::of(&error))),
    };
    let mut config_keys: Vec<_> = instance.config.keys().cloned().collect();
    config_keys.sort_unstable();
    ProviderStatus {
        provider_id: instance.provider_id.clone(),
        provider_type: instance.provider_type.clone(),
        source: ProviderSource::Stored,
        component_ref: instance.component_ref.clone(),
        pack_ref: instance.pack_ref.clone(),
        enabled: instance.enabled,
        state,
        notes: why.into_iter().collect(),
        config_keys,
    }
}

/// The providers that a tenant's packs declare, an upper pack's in place of a lower one's.
fn of_packs(tenant: &Tenant) -> Vec<ProviderStatus> {
    let Some(loaded) = tenant.loaded() else { return Vec::new() };
    let mut found: std::collections::BTreeMap<Id, ProviderStatus> = std::collections::BTreeMap::new();
    for decl in loaded.set.packs().flat_map(|sourced| sourced.pack.providers.values()) {
        let bound = tenant.config().provider_config(&decl.id);
        let declared = decl.config.as_ref().and_then(serde_json::Value::as_object);
        let mut config_keys: Vec<_> = bound.or(declared).into_iter().flat_map(|map| map.keys().cloned()).collect();
        config_keys.sort_unstable();
        let (state, why) = match loaded.program.provider(&decl.id) {
            Ok(_) => (ProviderState::Ready, None),
            Err(error) => (ProviderState::Broken, Some(ProviderNote::of(&error))),
        };
        let status = ProviderStatus {
            provider_id: decl.id.to_string(),
            provider_type: decl.provider_type.clone(),
            source: ProviderSource::Pack,
            component_ref: decl.component.to_string(),
            pack_ref: None,
            enabled: true,
            state,
            notes: why.into_iter().collect(),
            config_keys,
        };
        found.insert(decl.id.clone(), status);
    }
    found.into_values().collect()
}
