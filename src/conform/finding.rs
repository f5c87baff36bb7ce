//! A finding: one way in which a component does not fit.

use serde::{Serialize, Serializer};

use super::names::shown;
use crate::error::{Code, Error, Result};

/// The rule that a finding goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The host links what it knows, and nothing else.
    KnownInterface,
    /// The host links exactly the versions that it knows, whatever semantic versioning would allow.
    ExactVersion,
    /// Every imported function must be one of the interface.
    KnownFunction,
    /// Types must be equal in structure: order and names of fields and cases included, names of types not.
    EqualTypes,
    /// An interface is linked only if its grants were given.
    Granted,
    /// What the host calls must be exported.
    WantedExport,
}

impl Rule {
    /// The rule in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::KnownInterface => "the host links the interfaces that it knows, and nothing else",
            Self::ExactVersion => "the host links exactly the versions that it knows",
            Self::KnownFunction => "every imported function must be one of the host's interface",
            Self::EqualTypes => "types must be equal in structure, with the same fields and cases in the same order",
            Self::Granted => "an interface is linked only with its grants",
            Self::WantedExport => "what the host calls must be exported",
        }
    }
}

/// One way in which a component does not fit. The asking side is the component for imports, the host for exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which kind of finding it is.
    #[serde(serialize_with = "code_text")]
    pub code: Code,
    /// The interface, with version; for functions outside of interfaces the function.
    pub interface: String,
    /// What within the interface: `read > parameter 2 (ctx) > record tenant-ctx > field i18n-id`. Empty for the whole.
    pub item: String,
    /// What the asking side wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// What the other side has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered: Option<String>,
    /// The rule that decides.
    pub rule: Rule,
    /// The name that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// What can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    pub(super) fn new(code: Code, interface: &str, rule: Rule) -> Self {
        Self {
            code,
            interface: shown(interface).into_owned(),
            item: String::new(),
            asked: None,
            offered: None,
            rule,
            nearest: None,
            hint: None,
        }
    }

    /// The finding in one sentence, without code and hint.
    pub fn message(&self) -> String {
        let Self { interface, item, .. } = self;
        let asked = self.asked.as_deref().unwrap_or("it");
        let offered = self.offered.as_deref().unwrap_or("nothing");
        match self.code {
            Code::ImportUnknown => format!("imports {interface}, which the host does not offer"),
            Code::ImportVersion => format!("imports {interface}; the host offers {offered}"),
            Code::ImportFunction => format!("imports {item} of {interface}, a function that the host's lacks"),
            Code::ImportNotGranted => format!("imports {interface} without the grant {asked}"),
            Code::ExportMissing if self.offered.is_some() => format!("is empty: it exports {offered}, not {interface}"),
            Code::ExportMissing if item.is_empty() => format!("does not export {interface}"),
            Code::ExportMissing => format!("exports {interface} without its function {item}"),
            Code::ExportType => {
                format!("exports {interface} otherwise: {item}: the host asks for {asked}, it has {offered}")
            }
            _ => format!("imports {interface} otherwise: {item}: it asks for {asked}, the host has {offered}"),
        }
    }
}

impl From<Finding> for Error {
    fn from(finding: Finding) -> Self {
        let error = Self::new(finding.code, format!("{} ({})", finding.message(), finding.rule.text()));
        match (finding.nearest, finding.hint) {
            (_, Some(hint)) => error.hint(hint),
            (Some(nearest), None) => error.hint(format!("did you mean {nearest}?")),
            (None, None) => error,
        }
    }
}

/// Whether the component called `name` passes: it does without findings.
///
/// # Errors
///
/// [`refusal`] over all findings.
pub fn verdict(name: &str, findings: Vec<Finding>) -> Result<()> {
    if findings.is_empty() { Ok(()) } else { Err(refusal(name, findings)) }
}

/// The findings about the component called `name` as one error: [`Code::Nonconforming`] over all of them, or the
/// finding itself if it is the only one.
pub fn refusal(name: &str, findings: Vec<Finding>) -> Error {
    let errors: Vec<Error> = findings.into_iter().map(|finding| named(name, finding)).collect();
    let summary = format!("component {name} does not fit the host: {} findings", errors.len());
    Error::from_many(Code::Nonconforming, summary, errors)
}

fn named(name: &str, finding: Finding) -> Error {
    let error = Error::from(finding);
    let full = Error::new(error.code(), format!("component {name} {}", error.message()));
    match error.hint_text() {
        Some(hint) => full.hint(hint),
        None => full,
    }
}

fn code_text<S: Serializer>(code: &Code, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(code)
}
