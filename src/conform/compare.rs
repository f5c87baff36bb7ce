//! Holding a component against the surface.

use semver::Version;

use super::finding::{Finding, Rule};
use super::model::Interface;
use super::names::{is_compatible, nearest, shown, split_version};
use super::shape::ComponentShape;
use super::surface::{Offer, Surface};
use super::types::Differ;
use crate::capabilities::grants::Grants;
use crate::error::Code;

/// What a component is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// To be a node of a flow.
    Node,
    /// To be a provider.
    Provider,
}

impl Want {
    /// The interfaces of which it must export at least one, the best first.
    pub fn any_of(self) -> &'static [&'static str] {
        match self {
            Self::Node => &["greentic:component/node@0.6.0"],
            Self::Provider => &[
                "greentic:provider-schema-core/schema-core-api@1.0.0",
                "greentic:provider/schema-core-api@1.0.0",
                "greentic:provider-core/schema-core-api@1.0.0",
            ],
        }
    }
}

/// How many findings a component gets at most: enough for every honest one.
const MAX_FINDINGS: usize = 500;

/// Every finding about a component of this `shape` that was given `grants` and is wanted for all of `wants`.
pub fn compare(shape: &ComponentShape, surface: &Surface, grants: Grants, wants: &[Want]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, interface) in &shape.imports {
        if findings.len() < MAX_FINDINGS && !interface.is_types_only() {
            findings.extend(import(name, interface, surface, grants));
        }
    }
    for name in shape.imported_functions.keys().take(MAX_FINDINGS) {
        let mut finding = Finding::new(Code::ImportUnknown, name, Rule::KnownInterface);
        finding.hint = Some("import functions by way of an interface of the host".to_owned());
        findings.push(finding);
    }
    for want in wants {
        findings.extend(export(*want, shape, surface).err().unwrap_or_default());
    }
    findings.truncate(MAX_FINDINGS);
    findings
}

fn import(name: &str, asked: &Interface, surface: &Surface, grants: Grants) -> Vec<Finding> {
    if surface.has_wasi(name) {
        return Vec::new();
    }
    let Some(offer) = surface.imports().get(name) else {
        return vec![foreign(name, surface)];
    };
    let mut findings = not_granted(name, offer, grants);
    let mut differ = Differ::default();
    for (function, asked) in &asked.functions {
        match offer.interface.functions.get(function) {
            None => findings.push(unknown_function(name, function, offer)),
            Some(offered) => {
                let differences = differ.function(function, asked, offered);
                findings.extend(differences.into_iter().map(|d| Finding {
                    item: d.item,
                    asked: Some(d.asked),
                    offered: Some(d.offered),
                    nearest: d.nearest,
                    ..Finding::new(Code::ImportType, name, Rule::EqualTypes)
                }));
            }
        }
    }
    for resource in asked.resources.iter().filter(|resource| !offer.interface.resources.contains(resource)) {
        findings.push(Finding {
            item: format!("resource {}", shown(resource)),
            asked: Some("a resource".to_owned()),
            offered: Some("nothing".to_owned()),
            ..Finding::new(Code::ImportType, name, Rule::EqualTypes)
        });
    }
    findings
}

/// An import that the host does not know under this name and version.
fn foreign(name: &str, surface: &Surface) -> Finding {
    let (interface, version) = split_version(name);
    let known: Vec<&str> =
        surface.imports().keys().map(String::as_str).filter(|known| split_version(known).0 == interface).collect();
    if !known.is_empty() {
        return other_version(name, version.as_ref(), &known);
    }
    if surface.wasi().iter().any(|known| known == interface) {
        return Finding {
            asked: version.map(|version| version.to_string()),
            offered: Some("0.2, in any patch version".to_owned()),
            hint: Some("build the component for WASI 0.2".to_owned()),
            ..Finding::new(Code::ImportVersion, name, Rule::ExactVersion)
        };
    }
    let candidates = surface.imports().keys().chain(surface.wasi()).map(String::as_str);
    let nearest = nearest(name, candidates);
    let hint = match &nearest {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => "remove the import: no component that needs it can run on this host".to_owned(),
    };
    Finding { nearest, hint: Some(hint), ..Finding::new(Code::ImportUnknown, name, Rule::KnownInterface) }
}

fn other_version(name: &str, asked: Option<&Version>, known: &[&str]) -> Finding {
    let versions: Vec<Version> = known.iter().filter_map(|known| split_version(known).1).collect();
    let listed = versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let hint = match asked {
        None => format!("name the version: the host offers {listed}"),
        Some(asked) => match versions.iter().find(|version| is_compatible(asked, version)) {
            Some(close) => format!(
                "build the component against {close}; {asked} is compatible with it by semantic versioning, but the \
                 host has not been checked against it"
            ),
            None => format!("build the component against {listed}"),
        },
    };
    Finding {
        asked: asked.map(ToString::to_string),
        offered: Some(listed),
        nearest: known.last().map(|known| (*known).to_owned()),
        hint: Some(hint),
        ..Finding::new(Code::ImportVersion, name, Rule::ExactVersion)
    }
}

fn not_granted(name: &str, offer: &Offer, grants: Grants) -> Vec<Finding> {
    let missing = offer.needs.iter().filter(|grant| !grants.has(**grant));
    missing
        .map(|grant| Finding {
            asked: Some(grant.name().to_owned()),
            hint: Some(format!("grant `{grant}` to the pack in the tenant's bindings")),
            ..Finding::new(Code::ImportNotGranted, name, Rule::Granted)
        })
        .collect()
}

fn unknown_function(name: &str, function: &str, offer: &Offer) -> Finding {
    let known = || offer.interface.functions.keys().map(String::as_str);
    Finding {
        item: shown(function).into_owned(),
        nearest: nearest(function, known()),
        hint: Some(format!("the interface has {}", known().collect::<Vec<_>>().join(", "))),
        ..Finding::new(Code::ImportFunction, name, Rule::KnownFunction)
    }
}

/// The export by which a component of this `shape` is called for `want`: the best one that fits.
///
/// # Errors
///
/// What is wrong with those that are there, or that none is.
pub fn export(want: Want, shape: &ComponentShape, surface: &Surface) -> Result<&'static str, Vec<Finding>> {
    let mut findings = Vec::new();
    for name in want.any_of() {
        let (Some(asked), Some(offered)) = (surface.exports().get(*name), shape.exports.get(*name)) else { continue };
        let differences = export_differences(name, asked, offered);
        if differences.is_empty() {
            return Ok(name);
        }
        findings.extend(differences);
    }
    if findings.is_empty() {
        findings.push(no_export(want, shape));
    }
    Err(findings)
}

fn export_differences(name: &str, asked: &Interface, offered: &Interface) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut differ = Differ::default();
    for (function, asked) in &asked.functions {
        match offered.functions.get(function) {
            None => findings.push(Finding {
                item: function.clone(),
                nearest: nearest(function, offered.functions.keys().map(String::as_str)),
                ..Finding::new(Code::ExportMissing, name, Rule::WantedExport)
            }),
            Some(offered) => {
                let differences = differ.function(function, asked, offered);
                findings.extend(differences.into_iter().map(|d| Finding {
                    item: d.item,
                    asked: Some(d.asked),
                    offered: Some(d.offered),
                    nearest: d.nearest,
                    ..Finding::new(Code::ExportType, name, Rule::EqualTypes)
                }));
            }
        }
    }
    findings
}

fn no_export(want: Want, shape: &ComponentShape) -> Finding {
    const LISTED: usize = 8;
    let (best, all) = (want.any_of().first().copied().unwrap_or_default(), want.any_of().join(" or "));
    let exported: Vec<_> =
        shape.exports.keys().chain(shape.exported_functions.keys()).map(|name| shown(name)).collect();
    let missing = Finding::new(Code::ExportMissing, best, Rule::WantedExport);
    if exported.is_empty() {
        let hint = format!("put a component in its place that exports {all}");
        return Finding { offered: Some("nothing".to_owned()), hint: Some(hint), ..missing };
    }
    let listed = exported.iter().take(LISTED).map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    Finding {
        nearest: nearest(best, shape.exports.keys().map(String::as_str)),
        hint: Some(format!("it exports {listed}; build it to export {all}")),
        ..missing
    }
}
