//! Providers that operators store while the host runs, beside those that packs declare.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::catalog::Components;
use super::provider::{self, LoadedProvider};
use crate::engine::limits::Limits;
use crate::error::{Code, Error, Kind, Result};
use crate::id::{Id, clip};
use crate::pack::model::ProviderDecl;
use crate::pack::overlay::{Merged, PackIdentity};
use crate::secret::{Hidden, credentials};

/// A provider as it is stored.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Instance {
    /// Its id, by which flows call it. It hides a provider of the pack with the same id.
    #[serde(default)]
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]*$"), length(max = 256))]
    pub provider_id: String,
    /// Its type, by which flows may call it if no provider of the pack has it.
    #[schemars(length(min = 1, max = 256))]
    pub provider_type: String,
    /// The pack that its component is of, as `ID` or `ID@VERSION`; any of the tenant's unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack_ref: Option<String>,
    /// The component of a loaded pack that implements it.
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]+$"), length(max = 256))]
    pub component_ref: String,
    /// The export by which it is called; informative, what the component exports decides.
    #[serde(default = "export")]
    #[schemars(length(max = 256))]
    pub export: String,
    /// The world of the component; informative as well.
    #[serde(default = "world")]
    #[schemars(length(max = 256))]
    pub world: String,
    /// Whether flows may call it; they may not unless stated.
    #[serde(default)]
    pub enabled: bool,
    /// Its configuration, which it gets with every call. It is never shown.
    #[serde(default)]
    pub config: Map<String, Value>,
}

fn export() -> String {
    "schema-core-api".to_owned()
}

fn world() -> String {
    "greentic:provider/schema-core@1.0.0".to_owned()
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider_id, provider_type, component_ref, enabled, config, .. } = self;
        f.debug_struct("Instance")
            .field("provider_id", provider_id)
            .field("provider_type", provider_type)
            .field("component_ref", component_ref)
            .field("enabled", enabled)
            .field("config", &config.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// A stored provider, and what flows find of it.
pub(crate) struct Bound {
    pub(crate) instance: Arc<Instance>,
    /// How it is called, or why it is not.
    pub(crate) loaded: Result<LoadedProvider>,
}

/// The stored providers of a tenant by id.
pub(crate) type Stored = BTreeMap<Id, Bound>;

/// Has every stored provider's component take its configuration.
///
/// # Errors
///
/// That the host is too busy to ask. What is wrong with one of them stands there.
pub(super) async fn bind(
    instances: &[Arc<Instance>],
    merged: &Merged,
    components: &Components,
    limits: &Limits,
) -> Result<Stored> {
    let bound = instances.iter().map(|instance| async {
        let loaded = match load(instance, merged, components, limits).await {
            Ok(_) if !instance.enabled => Err(disabled(instance)),
            loaded => loaded,
        };
        (Id::from(instance.provider_id.as_str()), Bound { instance: Arc::clone(instance), loaded })
    });
    let stored: Stored = futures::future::join_all(bound).await.into_iter().collect();
    let busy = stored
        .values()
        .find_map(|bound| bound.loaded.as_ref().err().filter(|error| error.code().kind() == Kind::Unavailable));
    busy.map_or(Ok(()), |busy| Err(busy.clone()))?;
    Ok(stored)
}

async fn load(
    instance: &Instance,
    merged: &Merged,
    components: &Components,
    limits: &Limits,
) -> Result<LoadedProvider> {
    let Instance { provider_id: id, component_ref, .. } = instance;
    let broken = |why: String| Error::new(Code::StoredProvider, format!("provider {id} {why}"));
    let component = match components.get(component_ref.as_str()) {
        Some(Ok(component)) => &component.prepared,
        Some(Err(cause)) => {
            let error = broken(format!("is implemented by component {component_ref}, which cannot be used"));
            return Err(error.with_details(vec![cause.clone()]));
        }
        None => {
            let known: Vec<_> = merged.pack.components.keys().map(AsRef::as_ref).collect();
            let why = format!("names component {:?}, which the loaded packs do not have", clip(component_ref));
            return Err(broken(why).hint(format!("they have: {}", known.join(", "))));
        }
    };
    if let Some(pack_ref) = &instance.pack_ref {
        let own = merged.packs.get(merged.pack_of_component(component_ref));
        if !own.is_some_and(|pack| names(pack_ref, pack)) {
            let is_of = own.map(|pack| format!("{}@{}", pack.id, pack.version)).unwrap_or_default();
            return Err(broken(format!("is to be of pack {:?}, and its component is of {is_of}", clip(pack_ref))));
        }
    }
    component.provider_callable().map_err(|cause| {
        broken(format!("is implemented by component {component_ref}, which is no provider")).with_details(vec![cause])
    })?;
    let config = (!instance.config.is_empty()).then(|| Value::Object(instance.config.clone()));
    let loaded = provider::load(&declared(instance), Arc::clone(component), config.as_ref(), limits).await;
    loaded.map_err(|error| match error.code() {
        Code::ProviderConfig => error.hint("store the provider again, with a configuration that it takes"),
        _ => error,
    })
}

fn names(pack_ref: &str, pack: &PackIdentity) -> bool {
    match pack_ref.split_once('@') {
        None => *pack.id == *pack_ref,
        Some((id, version)) => *pack.id == *id && pack.version.to_string() == version,
    }
}

/// The same as a pack declares one.
fn declared(instance: &Instance) -> ProviderDecl {
    ProviderDecl {
        id: Id::from(instance.provider_id.as_str()),
        provider_type: instance.provider_type.clone(),
        capabilities: Vec::new(),
        ops: Vec::new(),
        component: Id::from(instance.component_ref.as_str()),
        export: instance.export.clone(),
        world: instance.world.clone(),
        config: None,
        config_schema_ref: None,
    }
}

fn disabled(instance: &Instance) -> Error {
    let id = &instance.provider_id;
    Error::new(Code::ProviderDisabled, format!("provider {id} is disabled"))
        .hint(format!("enable it with POST /admin/providers/TENANT/{id}/enable"))
}

/// `text` without the texts and numbers of a configuration, and without what looks like a credential.
pub(crate) fn without(text: &str, config: &Map<String, Value>) -> String {
    credentials::hide(&Hidden::of_all_in(config.values()).hide(text)).into_owned()
}

/// What an operator should know of stored providers that cannot be called though they are enabled.
pub(super) fn advice(stored: &Stored) -> impl Iterator<Item = Error> + '_ {
    stored.values().flat_map(|bound| match &bound.loaded {
        Ok(loaded) => loaded.advice.clone(),
        Err(error) if error.code() == Code::ProviderDisabled => Vec::new(),
        Err(error) if error.code() == Code::StoredProvider => vec![error.clone()],
        Err(error) => {
            let message = format!("stored provider {} cannot be used", bound.instance.provider_id);
            vec![Error::new(Code::StoredProvider, message).with_details(vec![error.clone()])]
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn instance(value: Value) -> Instance {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_not_stated_has_its_default_and_is_disabled() {
        let least = instance(json!({"provider_type": "mail", "component_ref": "mailer"}));
        assert!(!least.enabled && least.config.is_empty() && least.pack_ref.is_none());
        assert_eq!((&*least.export, &*least.world), ("schema-core-api", "greentic:provider/schema-core@1.0.0"));
    }

    /// What is on users' disks.
    #[test]
    fn stored_providers_keep_their_format() {
        let full = instance(json!({
            "provider_id": "mail", "provider_type": "acme.mail", "pack_ref": "desk@1.0.0", "component_ref": "mailer",
            "export": "schema-core-api", "world": "greentic:provider/schema-core@1.0.0", "enabled": true,
            "config": {"from": "bot@acme.example"},
        }));
        let text = serde_json::to_string_pretty(&full).unwrap();
        assert_eq!(instance(serde_json::from_str(&text).unwrap()), full);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_configuration_is_not_shown() {
        let one = instance(json!({
            "provider_type": "mail", "component_ref": "mailer", "config": {"token": "canary-1", "deep": [{"pin": 98_765}]},
        }));
        let shown = format!("{one:?} {}", without("token canary-1 and pin 98765 are wrong", &one.config));
        assert!(!shown.contains("canary") && !shown.contains("98765"), "{shown}");
        assert!(shown.contains("token [redacted] and pin [redacted] are wrong"), "{shown}");
    }

    #[test]
    fn packs_are_named_with_or_without_their_version() {
        let pack = PackIdentity {
            id: Id::from("desk"),
            version: semver::Version::new(1, 2, 3),
            digest: crate::pack::model::Digest([0; 32]),
        };
        for (name, same) in [("desk", true), ("desk@1.2.3", true), ("desk@1.2.4", false), ("other", false), ("", false)]
        {
            assert_eq!(names(name, &pack), same, "{name}");
        }
    }
}
