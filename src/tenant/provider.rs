//! Preparing a provider: what it says of itself, whether it takes its configuration, and whether it is well.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::abi::Prepared;
use crate::engine::limits::Limits;
use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::pack::model::ProviderDecl;
use crate::run::program::Provider;
use crate::tenant::stored::without;

/// A provider that can be called.
pub(crate) struct LoadedProvider {
    pub(crate) provider: Provider,
    /// The operations that its declaration or it itself names; none if neither names any.
    pub(crate) ops: Option<Vec<String>>,
    /// What its operator should know. The pack is not to blame for it, so it refuses nothing, however strict.
    pub(crate) advice: Vec<Error>,
}

/// Asks the provider to describe itself, to check the configuration that it is to get, and how it is.
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
    let mut advice = Vec::new();
    if config.is_some() && !asked {
        let message = format!("provider {} does not ask for a configuration, and so gets none", decl.id);
        let hint = format!("remove providers.{}.config from the bindings", decl.id);
        advice.push(Error::new(Code::ProviderConfig, message).hint(hint));
    }
    let config = config.or(decl.config.as_ref()).filter(|_| asked);
    let hidden = config.and_then(Value::as_object).cloned().unwrap_or_default();
    if asked {
        let verdict = component.validate_config(&decl.id, config.unwrap_or(&json!({})), limits).await;
        let verdict = verdict
            .map_err(|e| complaint(e, &hidden).hint(format!("set providers.{}.config in the bindings", decl.id)));
        match (config, verdict) {
            (_, Ok(())) => {}
            (Some(_), Err(error)) => return Err(error),
            (None, Err(error)) => advice.push(error),
        }
    }
    advice.extend(unwell(&decl.id, component.healthcheck(&decl.id, limits).await, &hidden));
    let provider = Provider { component, component_id: decl.component.clone(), config: config.cloned() };
    Ok(LoadedProvider { provider, ops: (!ops.is_empty()).then_some(ops), advice })
}

/// What a provider complains of may quote what it was given.
fn complaint(error: Error, hidden: &Map<String, Value>) -> Error {
    match error.code() {
        Code::ProviderConfig => Error::new(Code::ProviderConfig, without(error.message(), hidden)),
        _ => error,
    }
}

/// A provider asks for its configuration by describing it, as `config_schema` or `config_schema_ref`.
fn asks_for_config(description: &Value) -> bool {
    ["config_schema", "config_schema_ref"].iter().any(|key| description.get(key).is_some_and(|v| !v.is_null()))
}

/// What is wrong with a provider by its healthcheck: it says so, or the check itself failed. What is `hidden` is not quoted.
pub(crate) fn unwell(id: &str, health: Result<Value>, hidden: &Map<String, Value>) -> Option<Error> {
    let hint = format!("flows that call {id} may fail; see its component's documentation");
    match health {
        Ok(health) if is_well(&health) => None,
        Ok(health) => {
            let said = clip(&without(&health.to_string(), hidden));
            Some(
                Error::new(Code::ProviderUnhealthy, format!("provider {id} says that it is not well: {said}"))
                    .hint(hint),
            )
        }
        Err(cause) => {
            let error = Error::new(Code::ProviderUnhealthy, format!("provider {id} cannot say how it is"));
            Some(error.hint(hint).with_details(vec![cause]))
        }
    }
}

/// Only what says that the provider is unwell counts: no published provider has to say that it is well.
fn is_well(health: &Value) -> bool {
    let denied = health == &Value::Bool(false)
        || ["ok", "healthy"].iter().any(|key| health.get(*key) == Some(&Value::Bool(false)));
    let status = health.get("status").and_then(Value::as_str);
    !denied && status.is_none_or(|status| ["ok", "healthy"].iter().any(|well| status.eq_ignore_ascii_case(well)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_does_not_repeat_the_configuration() {
        let hidden = json!({ "token": "canary-1" }).as_object().cloned().unwrap();
        let said = complaint(Error::new(Code::ProviderConfig, "`token` canary-1 is too short"), &hidden);
        assert_eq!((said.code(), said.message()), (Code::ProviderConfig, "`token` [redacted] is too short"));
        assert_eq!(complaint(Error::new(Code::GuestTrap, "trapped"), &hidden).message(), "trapped");
    }

    #[test]
    fn only_what_says_so_is_unwell() {
        for health in [
            json!(null),
            json!(true),
            json!({}),
            json!("alive"),
            json!({ "status": "ok" }),
            json!({ "status": "Healthy", "ok": true }),
            json!({ "healthy": true, "status": 200 }),
        ] {
            assert!(unwell("p", Ok(health.clone()), &Map::new()).is_none(), "{health}");
        }
        for health in [
            json!(false),
            json!({ "ok": false }),
            json!({ "healthy": false, "status": "ok" }),
            json!({ "status": "degraded" }),
        ] {
            let error = unwell("p", Ok(health.clone()), &Map::new()).unwrap();
            assert!(error.message().contains(&health.to_string()), "{error}");
        }
        let hidden = json!({ "token": "canary-1" }).as_object().cloned().unwrap();
        let said = unwell("p", Ok(json!({ "ok": false, "why": "canary-1 is old" })), &hidden).unwrap();
        assert!(said.message().contains("[redacted] is old"), "{said}");
        let cause = Error::new(Code::GuestTrap, "trapped");
        assert_eq!(unwell("p", Err(cause), &Map::new()).unwrap().details()[0].code(), Code::GuestTrap);
    }
}
