//! The report as JUnit XML, which CI systems show as tests: a suite per target, a case per finding.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::report::{Finding, Report, Status, TargetReport};
use crate::conform::Severity;
use crate::error::{Code, Error, Result};

/// The report as JUnit XML. Errors and warnings are failures; a target that could not be checked is an error; a target
/// without either is one case that went well. Notes, and how many findings are not listed, stand in the output of their suite.
///
/// # Errors
///
/// [`Code::Internal`] only.
pub fn junit(report: &Report) -> Result<String> {
    let mut junit = Junit::new("greentic-runner check");
    junit.add_test_suites(report.targets.iter().map(suite));
    junit.to_string().map_err(|error| Error::new(Code::Internal, format!("the report is no JUnit XML: {error}")))
}

fn suite(target: &TargetReport) -> TestSuite {
    let mut suite = TestSuite::new(target.path.as_str());
    let failed: Vec<&Finding> = target.findings.iter().filter(|finding| finding.counts()).collect();
    if failed.is_empty() {
        suite.add_test_case(case("fits the host", target, TestCaseStatus::success()));
    }
    let kind = if target.status == Status::Unchecked { NonSuccessKind::Error } else { NonSuccessKind::Failure };
    for finding in failed {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(finding.code.to_string()).set_message(finding.message.as_str());
        status.set_description(described(finding));
        suite.add_test_case(case(&named(finding), target, status));
    }
    let notes: Vec<_> = target.findings.iter().filter(|finding| finding.severity == Severity::Note).collect();
    let mut lines: Vec<_> = notes.iter().map(|note| format!("note[{}]: {}", note.code, note.message)).collect();
    lines.extend(target.omission());
    if !lines.is_empty() {
        suite.set_system_out(lines.join("\n"));
    }
    suite
}

fn case(name: &str, target: &TargetReport, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(target.path.as_str());
    case
}

/// What tells a finding from the others of its target, so that CI systems can follow it from run to run.
fn named(finding: &Finding) -> String {
    let parts = [finding.component.as_deref(), finding.interface.as_deref(), finding.item.as_deref()];
    let about: Vec<&str> = parts.into_iter().flatten().collect();
    match about.is_empty() {
        true => format!("{} {}", finding.code, place(finding)),
        false => format!("{} {}", finding.code, about.join(" > ")),
    }
}

fn place(finding: &Finding) -> String {
    match (finding.place.line, finding.place.column) {
        (Some(line), Some(column)) => format!("{}:{line}:{column}", finding.place.file),
        _ => finding.place.file.clone(),
    }
}

fn described(finding: &Finding) -> String {
    let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
    let mut text = format!("{severity}[{}]: {}\nat {}", finding.code, finding.message, place(finding));
    if let Some(hint) = &finding.hint {
        text.push_str("\nhint: ");
        text.push_str(hint);
    }
    text
}
