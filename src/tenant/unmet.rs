//! What an operator should know of grants that lead nowhere. No pack is to blame for it.

use super::catalog::Components;
use crate::capabilities::grants::Grant;
use crate::capabilities::services::Services;
use crate::config::HostConfig;
use crate::error::{Code, Error};
use crate::id::Id;

/// Variables that are granted and not there, components that ask over HTTP where no host is allowed, and functions that
/// are linked and answer nothing but that they are denied.
pub(super) fn of_grants(config: &HostConfig, services: &Services, components: &Components) -> Vec<Error> {
    let given = &services.wasi.env;
    let policy = config.wasi();
    let missing = policy.env.iter().filter(|name| !given.iter().any(|(given, _)| given == *name));
    let mut advice: Vec<_> = missing.map(|name| missing_variable(config, name)).collect();
    let outbound = config.outbound();
    if outbound.allow.is_empty() {
        let mut askers: Vec<&Id> = components
            .iter()
            .filter(|(_, component)| component.as_ref().is_ok_and(|c| c.prepared.needs().has(Grant::Http)))
            .map(|(id, _)| id)
            .collect();
        askers.sort_unstable();
        advice.extend((!askers.is_empty()).then(|| no_host(config, &askers)));
    }
    let mut sorted: Vec<_> = components.iter().collect();
    sorted.sort_unstable_by_key(|(id, _)| *id);
    let prepared = sorted.into_iter().filter_map(|(id, component)| Some((id, component.as_ref().ok()?)));
    advice.extend(prepared.flat_map(|(id, component)| component.prepared.warnings(id).collect::<Vec<_>>()));
    advice
}

fn missing_variable(config: &HostConfig, name: &str) -> Error {
    let message = format!("tenant {} grants its components the variable {name}, which has no value", config.tenant());
    Error::new(Code::VariableMissing, message)
        .hint(format!("set {name} where the host is started, or take it out of `wasi.env`"))
}

fn no_host(config: &HostConfig, askers: &[&Id]) -> Error {
    let askers = askers.iter().map(|id| id.as_ref()).collect::<Vec<_>>().join(", ");
    let message =
        format!("components ask over HTTP ({askers}), and tenant {} allows no host: they are refused", config.tenant());
    Error::new(Code::HttpWithoutHosts, message).hint("name the hosts in `http.allow` of the bindings")
}
