//! Holding a component against the surface.

use super::export::{Want, export};
use super::finding::{Finding, Rule};
use super::import;
use super::shape::ComponentShape;
use super::surface::Surface;
use crate::capabilities::grants::Grants;
use crate::error::Code;

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
