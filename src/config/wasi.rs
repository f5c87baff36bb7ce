//! The `wasi` section: what components have of WASI beyond clocks and random numbers.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::bindings::Bindings;
use super::units::Variable;
use super::yaml::{Cursor, Finding};

/// Variables of one tenant: each is copied into every instance that asks.
const MAX_VARIABLES: usize = 64;

/// What components have of WASI beyond clocks and random numbers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wasi {
    /// Whether what they write to their standard output becomes lines of the host's log.
    stdout: bool,
    /// The same of their standard error. Without it only its end is kept, to explain a failure.
    stderr: bool,
    /// Variables of the host's environment that they see.
    env: Vec<Variable>,
    /// Whether they read their pack's assets below `/assets`; they do unless stated.
    assets: bool,
    /// What of this components of overlays have as well.
    overlays: Overlays,
}

impl Default for Wasi {
    fn default() -> Self {
        Self { stdout: false, stderr: false, env: Vec::new(), assets: true, overlays: Overlays::default() }
    }
}

/// What components of overlays have as well. They read the packs' assets as all do.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Overlays {
    /// Whether their standard output becomes lines of the log.
    stdout: bool,
    /// Whether their standard error does.
    stderr: bool,
    /// The variables that they see.
    env: Vec<Variable>,
}

/// What components have of WASI beyond clocks and random numbers. The default is the packs' assets alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WasiPolicy {
    /// Whether what they write to their standard output is logged.
    pub stdout: bool,
    /// Whether what they write to their standard error is.
    pub stderr: bool,
    /// The names of the variables that they see.
    pub env: BTreeSet<String>,
    /// Whether they read their pack's assets.
    pub assets: bool,
}

impl Default for WasiPolicy {
    fn default() -> Self {
        Self { stdout: false, stderr: false, env: BTreeSet::new(), assets: true }
    }
}

fn names(variables: &[Variable]) -> BTreeSet<String> {
    variables.iter().map(|Variable(name)| name.clone()).collect()
}

/// What components of the main pack have; `passed` are variables that a `.gtbind` file names for it.
pub(super) fn of_main(section: &Wasi, passed: &[String]) -> WasiPolicy {
    let mut env = names(&section.env);
    env.extend(passed.iter().cloned());
    WasiPolicy { stdout: section.stdout, stderr: section.stderr, env, assets: section.assets }
}

/// What components of overlays have.
pub(super) fn of_overlays(section: &Wasi) -> WasiPolicy {
    let Overlays { stdout, stderr, env } = &section.overlays;
    WasiPolicy { stdout: *stdout, stderr: *stderr, env: names(env), assets: section.assets }
}

/// Reports overlays that would have more than the tenant, and more variables than anybody needs.
pub(super) fn check(bindings: &Bindings, root: Cursor<'_>) {
    let section = &bindings.wasi;
    let Some(at) = root.get("wasi") else { return };
    if section.env.len() > MAX_VARIABLES
        && let Some(at) = at.get("env")
    {
        let finding = Finding::at(at.place(), format!("`env` names more than {MAX_VARIABLES} variables"));
        at.report(finding.hint("name those that the components read"));
    }
    let Some(at) = at.get("overlays") else { return };
    let beyond = |key: &str, what: &str| {
        let finding = Finding::at(at.get(key).unwrap_or(at).place(), format!("`overlays.{key}` {what}"));
        at.report(finding.hint(format!("remove it, or let the tenant have it with `wasi.{key}`")));
    };
    for (key, asked, given) in
        [("stdout", section.overlays.stdout, section.stdout), ("stderr", section.overlays.stderr, section.stderr)]
    {
        if asked && !given {
            beyond(key, "is true, which it is not for the tenant");
        }
    }
    for Variable(name) in section.overlays.env.iter().filter(|variable| !section.env.contains(variable)) {
        beyond("env", &format!("names `{name}`, which the tenant does not have"));
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{HostConfig, WasiPolicy};

    fn read(text: &str) -> crate::error::Result<HostConfig> {
        HostConfig::from_yaml(&format!("tenant: t\n{text}"), "t.yaml")
    }

    #[test]
    fn nothing_is_had_but_assets_unless_stated() {
        for text in ["", "wasi: {}"] {
            let config = read(text).unwrap();
            assert_eq!((config.wasi(), config.overlay_wasi()), (WasiPolicy::default(), WasiPolicy::default()));
        }
    }

    #[test]
    fn overlays_have_what_is_stated_for_them() {
        let config = read(
            "wasi: { stdout: true, stderr: true, env: [A, B], assets: false, overlays: { stdout: true, env: [B] } }",
        )
        .unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let main = WasiPolicy { stdout: true, stderr: true, env: names(&["A", "B"]), assets: false };
        assert_eq!(config.wasi(), main);
        assert_eq!(config.overlay_wasi(), WasiPolicy { stderr: false, env: names(&["B"]), ..main });
    }

    #[test]
    fn a_file_that_binds_a_pack_passes_variables_to_it_alone() {
        let binding = "tenant: t\npack_id: p\nenv_passthrough: [B, HOME]";
        let (_, binding) = crate::config::PackBinding::parse(binding, "t.gtbind").unwrap();
        let config = read("wasi: { env: [A, B] }").unwrap().with_pack_binding(binding);
        assert_eq!(config.wasi().env.into_iter().collect::<Vec<_>>(), ["A", "B", "HOME"]);
        assert!(config.overlay_wasi().env.is_empty() && config.notes().is_empty());
    }
}
