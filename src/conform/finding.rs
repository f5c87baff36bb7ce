//! A finding: one way in which a component does not fit.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::compare::Compared;
use super::names::shown;
use crate::error::{Code, Error, Result};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is worth knowing, and nothing has to be done.
    Note,
    /// It works, but probably not as it was meant.
    Warning,
    /// It keeps the component, the flow or the pack from running.
    #[default]
    Error,
}

/// The rule that a finding goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The host links what it knows, and nothing else.
    KnownInterface,
    /// The host has exactly this version.
    ExactVersion,
    /// A version is served by the same one or by one that semantic versioning calls compatible: the same major from
    /// 1.0 on, the same minor below. Its functions and types are compared all the same.
    CompatibleVersion,
    /// Interfaces of WASI 0.2 are linked in any of its patch versions.
    AnyPatch,
    /// Every imported function must be one of the interface.
    KnownFunction,
    /// Types must be equal in structure: order and names of fields and cases included, names of types not.
    EqualTypes,
    /// Types must be equal in structure or differ only in what a conversion bridges: what the host reads must be there,
    /// and what it answers must fit what the component knows.
    Convertible,
    /// A difference that a conversion bridges: it is no error.
    Converted,
    /// An interface is linked only if its grants were given.
    Granted,
    /// A few functions of interfaces that are linked without it ask for a grant when they are called.
    AskedAtCall,
    /// What the host calls must be exported.
    WantedExport,
    /// Where published shapes differ, the host fills a component's records by the names of their fields; what it does
    /// not know must be an option or a list.
    KnownField,
    /// What a surface has, later ones have too, or components that use it no longer fit.
    KeptSurface,
    /// What a surface has and an earlier one lacked, components for both hosts must not use.
    GrownSurface,
}

impl Rule {
    /// The rule in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::KnownInterface => "the host links the interfaces that it knows, and nothing else",
            Self::ExactVersion => "the host has exactly this version",
            Self::CompatibleVersion => {
                "a version is served by the same or a compatible one: the same major, below 1.0 the same minor"
            }
            Self::AnyPatch => "interfaces of WASI 0.2 are linked in any of its patch versions",
            Self::KnownFunction => "every imported function must be one of the host's interface",
            Self::EqualTypes => "types must be equal in structure, with the same fields and cases in the same order",
            Self::Convertible => {
                "types must be equal in structure, or differ in fields that the host does not read, in optional \
                 fields, in order, or in cases that the host does not answer with"
            }
            Self::Converted => "the difference is bridged by a conversion",
            Self::Granted => "an interface is linked only with its grants",
            Self::AskedAtCall => {
                "the interface is linked for its other functions; this one asks for its grant at the call"
            }
            Self::WantedExport => "what the host calls must be exported",
            Self::KnownField => "the host fills fields that it knows by name, options and lists",
            Self::KeptSurface => "components that use what is gone, or was changed, no longer fit",
            Self::GrownSurface => "components that use it do not fit the host of the recorded surface",
        }
    }
}

/// One way in which a component does not fit. The asking side is the component for imports, the host for exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which kind of finding it is.
    #[serde(serialize_with = "code_text")]
    pub code: Code,
    /// What it weighs; only errors refuse a component.
    #[serde(skip_serializing_if = "is_error")]
    pub severity: Severity,
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
            severity: Severity::Error,
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
            Code::ImportCompatible => format!("imports {interface}, served by version {offered}"),
            Code::ImportConverted => format!(
                "imports {interface}, accepted by conversion: {item}: it asks for {asked}, the host has {offered}"
            ),
            Code::ImportFunction => format!("imports {item} of {interface}, a function that the host's lacks"),
            Code::ImportNotGranted => format!("imports {interface} without the grant {asked}"),
            Code::ToolsDenied | Code::ToolsMissing => {
                format!("imports {item} of {interface}, and is told `denied` at each call: {offered}")
            }
            Code::ExportMissing if self.offered.is_some() => format!("is empty: it exports {offered}, not {interface}"),
            Code::ExportMissing if item.is_empty() => format!("does not export {interface}"),
            Code::ExportMissing => format!("exports {interface} without its function {item}"),
            Code::ExportContext => format!("exports {interface}, whose {item} is {offered}: the host cannot fill it"),
            Code::ExportType => {
                format!("exports {interface} otherwise: {item}: the host asks for {asked}, it has {offered}")
            }
            Code::SurfaceBroken if item.is_empty() => format!("{interface} is gone"),
            Code::SurfaceBroken if self.offered.is_none() => format!("{interface} has lost its function {item}"),
            Code::SurfaceBroken => format!("{interface} is another one: {item}: it was {asked}, it is {offered}"),
            Code::SurfaceGrown if item.is_empty() => format!("{interface} is new"),
            Code::SurfaceGrown => format!("{interface} has the new function {item}"),
            _ => format!("imports {interface} otherwise: {item}: it asks for {asked}, the host has {offered}"),
        }
    }
}

impl Finding {
    /// The finding as an error about the component called `name`: the words in which loading and `check` say it.
    pub fn about(self, name: &str) -> Error {
        let error = Error::from(self);
        let full = Error::new(error.code(), format!("component {name} {}", error.message()));
        match error.hint_text() {
            Some(hint) => full.hint(hint),
            None => full,
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

/// Whether the component called `name` passes: it does without findings that are errors.
///
/// # Errors
///
/// [`refusal`] over all findings.
pub fn verdict(name: &str, compared: Compared) -> Result<()> {
    let Compared { mut findings, omitted } = compared;
    findings.retain(|finding| finding.severity == Severity::Error);
    if findings.is_empty() { Ok(()) } else { Err(refused(name, findings, omitted)) }
}

/// The findings about the component called `name` as one error: [`Code::Nonconforming`] over all of them, or the
/// finding itself if it is the only one.
pub fn refusal(name: &str, findings: Vec<Finding>) -> Error {
    refused(name, findings, 0)
}

fn refused(name: &str, findings: Vec<Finding>, omitted: usize) -> Error {
    let errors: Vec<Error> = findings.into_iter().map(|finding| finding.about(name)).collect();
    let more = if omitted > 0 { format!(", and {omitted} more that are not listed") } else { String::new() };
    let summary = format!("component {name} does not fit the host: {} findings{more}", errors.len());
    Error::from_many(Code::Nonconforming, summary, errors)
}

fn is_error(severity: &Severity) -> bool {
    *severity == Severity::Error
}

fn code_text<S: Serializer>(code: &Code, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(code)
}
