//! Holding a component against the surface.

use super::export::{Want, export};
use super::finding::{Finding, Rule, Severity};
use super::import;
use super::shape::ComponentShape;
use super::surface::Surface;
use crate::capabilities::grants::Grants;
use crate::error::Code;

/// How many findings about a component are kept: enough for every honest one.
const KEPT: usize = 500;

/// What is found about a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// The findings; of very many the first, and errors before all others.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub omitted: usize,
}

impl Compared {
    fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings
            .into_iter()
            .for_each(|finding| self.omitted += keep(&mut self.findings, finding, KEPT, |f| f.severity));
    }
}

/// Adds `item` to `kept` as long as that holds fewer than `most`, or else in the place of one that weighs less. Answers how
/// many items are left out because of it.
pub(crate) fn keep<T>(kept: &mut Vec<T>, item: T, most: usize, severity: impl Fn(&T) -> Severity) -> usize {
    if kept.len() < most {
        kept.push(item);
        return 0;
    }
    let lighter = kept.iter().rposition(|other| severity(other) < severity(&item));
    if let Some(lighter) = lighter {
        kept.remove(lighter);
        kept.push(item);
    }
    1
}

/// Every finding about a component of this `shape` that was given `grants` and is wanted for all of `wants`, notes on
/// what is accepted by conversion included ([`super::Severity::Note`]).
pub fn compare(shape: &ComponentShape, surface: &Surface, grants: Grants, wants: &[Want]) -> Compared {
    let mut compared = Compared::default();
    for (name, interface) in shape.imports.iter().filter(|(_, interface)| !interface.is_types_only()) {
        compared.extend(import::judge(name, interface, surface, grants).findings);
    }
    compared.extend(shape.imported_functions.keys().map(|name| Finding {
        hint: Some("import functions by way of an interface of the host".to_owned()),
        ..Finding::new(Code::ImportUnknown, name, Rule::KnownInterface)
    }));
    for want in wants {
        compared.extend(export(*want, shape, surface).err().unwrap_or_default());
    }
    compared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::grants::Grant;
    use crate::conform::{self, testing};
    use crate::error::Error;
    use crate::mcp::OFFERED;

    #[test]
    fn what_is_linked_and_denied_at_each_call_is_told_with_what_would_supply_it() {
        let shape = |world: &str| conform::inspect("c", &testing::over_host(world)).unwrap();
        let (all, surface) = (shape("import greentic:host-import/imports@0.2.0;"), Surface::host().unwrap());
        let told = |shape: &ComponentShape, grants| {
            let findings = compare(shape, surface, grants, &[]).findings;
            let told = findings.into_iter().filter(|finding| finding.rule == Rule::AskedAtCall);
            told.map(|finding| (finding.severity, Error::from(finding))).collect::<Vec<_>>()
        };
        let without = told(&all, Grants::all().without(Grant::Mcp));
        let [(Severity::Warning, error)] = without.as_slice() else { panic!("{without:?}") };
        let (code, supplier) = match OFFERED {
            true => (Code::ToolsDenied, "an `mcp` block"),
            false => (Code::ToolsMissing, "`--features mcp`"),
        };
        let text = format!("{error} {}", error.hint_text().unwrap());
        assert!(error.code() == code && text.contains(supplier) && text.contains("tool-invoke"), "{text}");
        assert_eq!(told(&all, Grants::all()).is_empty(), OFFERED);
        // Of what imports the interface for other functions nothing is said.
        let other = shape("import greentic:host-import/http@0.4.0;");
        assert!(told(&other, Grants::none()).is_empty());
        let mut secrets_only = all;
        let imports = secrets_only.imports.values_mut();
        imports.for_each(|interface| interface.functions.retain(|name, _| name != "tool-invoke"));
        assert!(told(&secrets_only, Grants::all().without(Grant::Mcp)).is_empty());
    }
}
