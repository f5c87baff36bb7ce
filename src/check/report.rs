//! The report: what was checked, and what was found. Its JSON form is described by `docs/check.schema.json`.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::capabilities::grants::Grant;
use crate::conform::{self, Rule, Severity};
use crate::error::{Code, Error};
use crate::pack::model::PackForm;

/// How many findings about one target are listed: so many that who repairs them sees the rest in the next report.
const KEPT: usize = 1000;

/// The result of a check.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The version of this format; 1.
    pub format: u32,
    /// The version of the host that checked.
    pub host: String,
    /// The version of the host whose recorded surface was compared with, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// What was checked, in the order given; directories stand here as what was found in them.
    pub targets: Vec<TargetReport>,
    /// The findings counted.
    pub summary: Summary,
}

/// Findings counted over all targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Targets.
    pub targets: usize,
    /// Targets that could not be checked.
    pub unchecked: usize,
    /// Findings that keep something from running.
    pub errors: usize,
    /// Findings about what works, but probably not as it was meant.
    pub warnings: usize,
    /// What is worth knowing.
    pub notes: usize,
    /// Findings that are not listed, and not counted above, because a target has too many.
    pub omitted: usize,
}

/// What was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A component.
    Component,
    /// A pack.
    Pack,
    /// The host's own surface.
    Surface,
    /// Nothing that could be told.
    Unknown,
}

/// How the check of a target ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No errors and no warnings.
    Clean,
    /// Errors or warnings.
    Findings,
    /// It could not be checked; the finding says why.
    Unchecked,
}

/// One target and what was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TargetReport {
    /// Its path as it was given, or as it was found in a directory that was given.
    pub path: String,
    /// What it is.
    pub kind: TargetKind,
    /// How its check ended.
    pub status: Status,
    /// What it says about itself, if it is a pack that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackFacts>,
    /// Its components.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<ComponentFacts>,
    /// The findings; of very many the first, errors before warnings and notes.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub omitted: usize,
}

/// What a pack says about itself.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PackFacts {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its publisher.
    pub publisher: String,
    /// The form in which it was found.
    pub form: PackForm,
    /// SHA-256 of the archive, or of what stands for it.
    pub digest: String,
    /// Its flows that can run.
    pub flows: Vec<String>,
}

/// The name of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct GrantName(#[schemars(with = "String")] pub &'static str);

impl From<Grant> for GrantName {
    fn from(grant: Grant) -> Self {
        Self(grant.name())
    }
}

/// What a component is.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct ComponentFacts {
    /// Its id in the pack, or the name of its file.
    pub name: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// The interfaces by which this host calls it: the generation that it speaks.
    pub speaks: Vec<String>,
    /// What it imports.
    pub imports: Vec<ImportFacts>,
    /// The grants that its imports take.
    pub grants: Vec<GrantName>,
    /// Bytes of memory that an instance begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

/// An import of a component.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ImportFacts {
    /// The interface, with version.
    pub name: String,
    /// Whether the host links it.
    pub accepted: bool,
    /// The version rule that accepted or refused it.
    pub rule: Rule,
    /// The grants that it takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantName>,
}

/// Where a finding is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Place {
    /// The file, or the entry of an archive: `demo.gtpack!flows/main.ygtc`.
    pub file: String,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// One finding.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Finding {
    /// What kind of finding it is: `GRH-0302`. Each has a page in `docs/errors`.
    #[serde(serialize_with = "code_text")]
    #[schemars(with = "String", regex(pattern = "^GRH-[0-9]{4}$"))]
    pub code: Code,
    /// What it weighs.
    pub severity: Severity,
    /// The finding in one sentence.
    pub message: String,
    /// What can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where it is.
    pub place: Place,
    /// The component that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The interface that it is about, with version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// What of the interface: function, parameter, field, case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// What the asking side wants: the component for imports, the host for exports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// What the other side has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered: Option<String>,
    /// The rule that decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// The name that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// Whether it is the upgrade that brings it: the recorded surface would not have given it. None if there is no
    /// recorded surface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<bool>,
}

fn code_text<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(code)
}

impl Finding {
    /// An error of a room that loads packs, in the target at `path`, as one finding.
    fn of_error(error: &Error, severity: Severity, path: &str) -> Self {
        let place = match error.location() {
            Some(location) => Place {
                file: location.file.clone(),
                line: location.position.map(|(line, _)| line),
                column: location.position.map(|(_, column)| column),
            },
            None => Place { file: path.to_owned(), line: None, column: None },
        };
        Self {
            code: error.code(),
            severity,
            message: error.message().to_owned(),
            hint: error.hint_text().map(str::to_owned),
            place,
            component: None,
            interface: None,
            item: None,
            asked: None,
            offered: None,
            rule: None,
            nearest: None,
            new: None,
        }
    }

    /// A finding about the component `name` in the file `path`, in the words in which loading says it.
    pub(super) fn of_component(finding: conform::Finding, name: &str, path: &str) -> Self {
        let error = finding.clone().about(name);
        Self { component: Some(name.to_owned()), ..Self::compared(finding, &error, path) }
    }

    /// A finding about the host's own surface.
    pub(super) fn of_surface(finding: conform::Finding) -> Self {
        let error = Error::from(finding.clone());
        Self::compared(finding, &error, "surface")
    }

    /// `error` is what `finding` says in words.
    fn compared(finding: conform::Finding, error: &Error, path: &str) -> Self {
        let some = |text: String| (!text.is_empty()).then_some(text);
        Self {
            interface: some(finding.interface),
            item: some(finding.item),
            asked: finding.asked,
            offered: finding.offered,
            rule: Some(finding.rule),
            nearest: finding.nearest,
            ..Self::of_error(error, finding.severity, path)
        }
    }

    /// Whether it fails the check: notes do not.
    pub fn counts(&self) -> bool {
        self.severity >= Severity::Warning
    }
}

impl TargetReport {
    pub(super) fn new(path: &Path, kind: TargetKind) -> Self {
        Self {
            path: path.display().to_string(),
            kind,
            status: Status::Clean,
            pack: None,
            components: Vec::new(),
            findings: Vec::new(),
            omitted: 0,
        }
    }

    /// The report on a target that cannot be checked because of `error`.
    pub(super) fn unchecked(path: &Path, kind: TargetKind, error: Error) -> Self {
        let mut report = Self::new(path, kind);
        report.add(error, Severity::Error);
        report.status = Status::Unchecked;
        report
    }

    /// Adds what `error` says: its single findings, where it sums up several.
    pub(super) fn add(&mut self, error: Error, severity: Severity) {
        if error.details().is_empty() {
            let finding = Finding::of_error(&error, severity, &self.path);
            self.push(finding);
        }
        for detail in error.details() {
            let mut detail = detail.clone();
            if let (None, Some(hint)) = (detail.hint_text(), error.hint_text()) {
                detail = detail.hint(hint);
            }
            if let (None, Some(location)) = (detail.location(), error.location()) {
                detail = detail.at(location.clone());
            }
            self.add(detail, severity);
        }
    }

    pub(super) fn push(&mut self, finding: Finding) {
        if finding.counts() && self.status == Status::Clean {
            self.status = Status::Findings;
        }
        self.omitted += conform::keep(&mut self.findings, finding, KEPT, |finding| finding.severity);
    }

    /// What is to be said if findings are not listed.
    pub(super) fn omission(&self) -> Option<String> {
        let (are, is) = ("more findings are not listed", "more finding is not listed");
        (self.omitted > 0).then(|| format!("{} {}", self.omitted, if self.omitted == 1 { is } else { are }))
    }

    /// How many of its findings have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

impl Report {
    pub(super) fn new(targets: Vec<TargetReport>, against: Option<String>) -> Self {
        let count = |severity| targets.iter().map(|target| target.count(severity)).sum();
        let summary = Summary {
            targets: targets.len(),
            unchecked: targets.iter().filter(|target| target.status == Status::Unchecked).count(),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            omitted: targets.iter().map(|target| target.omitted).sum(),
        };
        Self { format: 1, host: env!("CARGO_PKG_VERSION").to_owned(), against, targets, summary }
    }

    /// The exit code of the command: 2 if a target could not be checked, else 1 if there are errors or warnings.
    pub fn exit_code(&self) -> u8 {
        match self.summary {
            Summary { unchecked: 1.., .. } => 2,
            Summary { errors: 0, warnings: 0, .. } => 0,
            _ => 1,
        }
    }

    /// The JSON Schema of the report.
    pub fn json_schema() -> serde_json::Value {
        let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
        settings.into_generator().into_root_schema_for::<Self>().to_value()
    }
}
