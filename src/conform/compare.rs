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
