//! Preparing a provider: what it says of itself, and whether it takes its configuration.

use std::sync::Arc;

use serde_json::Value;

use crate::abi::Prepared;
use crate::engine::limits::Limits;
use crate::error::Result;
use crate::pack::model::ProviderDecl;
use crate::run::program::Provider;

/// A provider that can be called.
pub(crate) struct LoadedProvider {
    pub(crate) provider: Provider,
    /// The operations that its declaration or it itself names; none if neither names any.
    pub(crate) ops: Option<Vec<String>>,
}

/// Asks the provider to describe itself, and to check the configuration that it is to get.
pub(crate) async fn load(
    decl: &ProviderDecl,
    component: Arc<Prepared>,
    config: Option<&Value>,
    limits: &Limits,
) -> Result<LoadedProvider> {
    component.provider_callable()?;
    let mut ops = decl.ops.clone();
    for op in component.provider_ops(&decl.id, limits).await?.unwrap_or_default() {
        if !ops.contains(&op) {
            ops.push(op);
        }
    }
    let asked = asks_for_config(component.describe(&decl.id, limits).await?);
    let config = config.or(decl.config.as_ref()).filter(|_| asked);
    if let Some(config) = config {
        let verdict = component.validate_config(&decl.id, config, limits).await;
        verdict.map_err(|e| e.hint(format!("set providers.{}.config in the bindings", decl.id)))?;
    }
    let provider = Provider { component, component_id: decl.component.clone(), config: config.cloned() };
    Ok(LoadedProvider { provider, ops: (!ops.is_empty()).then_some(ops) })
}

/// A provider asks for its configuration by describing it, as `config_schema` or `config_schema_ref`.
fn asks_for_config(description: &Value) -> bool {
    ["config_schema", "config_schema_ref"].iter().any(|key| description.get(key).is_some_and(|v| !v.is_null()))
}
