//! The report as SARIF 2.1.0, the format in which code hosts show findings at the lines that they are about.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::report::{Finding, Place, Report, Status, TargetReport};
use crate::conform::Severity;
use crate::error::Code;

/// Where the schema of the format lies.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// What a path may hold in a URI beside letters and digits.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The report as a SARIF log with one run.
pub fn sarif(report: &Report) -> Value {
    let findings = || report.targets.iter().flat_map(|target| target.findings.iter().map(move |f| (target, f)));
    let mut codes: Vec<Code> = findings().map(|(_, finding)| finding.code).collect();
    codes.sort_unstable_by_key(|code| code.number());
    codes.dedup();
    let checked = findings().filter(|(target, _)| target.status != Status::Unchecked);
    let results: Vec<Value> = checked.map(|(_, finding)| result(finding, &codes)).collect();
    let unchecked = findings().filter(|(target, _)| target.status == Status::Unchecked);
    let mut notifications: Vec<Value> = unchecked.map(|(_, finding)| notification(finding, &codes)).collect();
    let successful = notifications.is_empty();
    notifications.extend(report.targets.iter().filter_map(omission));
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "greentic-runner check",
                "version": report.host,
                "semanticVersion": report.host,
                "rules": codes.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            } },
            "invocations": [{
                "executionSuccessful": successful,
                "exitCode": report.exit_code(),
                "toolExecutionNotifications": notifications,
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.to_string(),
        "name": format!("{code:?}"),
        "shortDescription": { "text": code.title() },
        "help": { "text": format!("{} The page docs/errors/{code}.md has causes and cures.", code.title()) },
    })
}

fn reference(code: Code, codes: &[Code]) -> Value {
    json!({ "id": code.to_string(), "index": codes.iter().position(|other| *other == code) })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn message(finding: &Finding) -> Value {
    match &finding.hint {
        Some(hint) => json!({ "text": format!("{}. Hint: {hint}", finding.message) }),
        None => json!({ "text": finding.message }),
    }
}

fn result(finding: &Finding, codes: &[Code]) -> Value {
    let mut result = json!({
        "ruleId": finding.code.to_string(),
        "ruleIndex": codes.iter().position(|code| *code == finding.code),
        "level": level(finding.severity),
        "message": message(finding),
        "locations": [location(finding)],
        "partialFingerprints": { "finding/v1": fingerprint(finding) },
    });
    let properties = json!({
        "asked": finding.asked, "offered": finding.offered, "rule": finding.rule, "nearest": finding.nearest,
        "new": finding.new,
    });
    if let (Some(result), Value::Object(mut properties)) = (result.as_object_mut(), properties) {
        properties.retain(|_, value| !value.is_null());
        if !properties.is_empty() {
            result.insert("properties".to_owned(), Value::Object(properties));
        }
    }
    result
}

fn notification(finding: &Finding, codes: &[Code]) -> Value {
    json!({
        "descriptor": reference(finding.code, codes),
        "level": level(finding.severity),
        "message": message(finding),
        "locations": [location(finding)],
    })
}

/// That findings about a target are not listed.
fn omission(target: &TargetReport) -> Option<Value> {
    let place = Place { file: target.path.clone(), line: None, column: None };
    Some(json!({
        "level": "warning",
        "message": { "text": target.omission()? },
        "locations": [{ "physicalLocation": physical(split(&place).0) }],
    }))
}

/// What makes a finding the same one in the next run: not its line, and not the version of the host.
fn fingerprint(finding: &Finding) -> String {
    let parts = [
        finding.code.to_string(),
        finding.place.file.clone(),
        finding.component.clone().unwrap_or_default(),
        finding.interface.clone().unwrap_or_default(),
        finding.item.clone().unwrap_or_else(|| finding.message.clone()),
    ];
    blake3::hash(parts.join("\0").as_bytes()).to_hex().to_string()
}

fn location(finding: &Finding) -> Value {
    let (file, entry) = split(&finding.place);
    let mut physical = physical(file);
    if let (Some(line), Some(physical)) = (finding.place.line, physical.as_object_mut()) {
        let mut region = json!({ "startLine": line });
        if let (Some(column), Some(region)) = (finding.place.column, region.as_object_mut()) {
            region.insert("startColumn".to_owned(), column.into());
        }
        // A line of an entry is no line of the archive that holds it.
        if entry.is_none() {
            physical.insert("region".to_owned(), region);
        }
    }
    let mut logical = Vec::new();
    if let Some(entry) = entry {
        logical.push(json!({ "name": entry, "kind": "resource" }));
    }
    if let Some(component) = &finding.component {
        logical.push(json!({ "name": component, "kind": "module" }));
    }
    if let Some(interface) = &finding.interface {
        let item = finding.item.iter().map(|item| format!(" > {item}"));
        logical
            .push(json!({ "fullyQualifiedName": format!("{interface}{}", item.collect::<String>()), "kind": "type" }));
    }
    let mut location = json!({ "physicalLocation": physical });
    if let (false, Some(location)) = (logical.is_empty(), location.as_object_mut()) {
        location.insert("logicalLocations".to_owned(), logical.into());
    }
    location
}

fn physical(file: &str) -> Value {
    json!({ "artifactLocation": { "uri": utf8_percent_encode(&uri_path(file), PATH).to_string() } })
}

/// The file, and the entry in it if it is an archive.
fn split(place: &Place) -> (&str, Option<&str>) {
    match place.file.split_once('!') {
        Some((file, entry)) => (file, Some(entry)),
        None => (&place.file, None),
    }
}

/// Separators as URIs have them.
fn uri_path(file: &str) -> String {
    file.replace('\\', "/")
}
