//! Holding a component against the surface.

use super::finding::{Finding, Rule};
use super::import;
use super::model::Interface;
use super::names::{nearest, shown};
use super::shape::ComponentShape;
use super::surface::Surface;
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

/// Every finding about a component of this `shape` that was given `grants` and is wanted for all of `wants`, notes on
/// what is accepted by conversion included ([`super::Severity::Note`]).
pub fn compare(shape: &ComponentShape, surface: &Surface, grants: Grants, wants: &[Want]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, interface) in &shape.imports {
        if findings.len() < MAX_FINDINGS && !interface.is_types_only() {
            findings.extend(import::judge(name, interface, surface, grants).findings);
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
