//! The report for people: findings as compilers print them, then what each target is, then the count.

use std::fmt::Write as _;

use owo_colors::{OwoColorize as _, Style as Paint};

use super::report::{ComponentFacts, Finding, GrantName, Report, Status, TargetKind, TargetReport};
use crate::conform::Severity;

/// How the text is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// With the colours of a terminal.
    pub colored: bool,
    /// With every import and the rule that accepted or refused it.
    pub verbose: bool,
}

/// The report as text. What targets say is shown without control characters.
pub fn text(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for target in &report.targets {
        for finding in &target.findings {
            write_finding(&mut out, finding, target, style);
        }
        if let Some(omission) = target.omission() {
            let _ = writeln!(out, "{}: {omission}", clean(&target.path));
        }
        write_target(&mut out, target, style);
    }
    let _ = writeln!(out, "{}", count(report));
    out
}

fn paint(style: Style, text: &str, paint: Paint) -> String {
    if style.colored { text.style(paint).to_string() } else { text.to_owned() }
}

fn write_finding(out: &mut String, finding: &Finding, target: &TargetReport, style: Style) {
    let (word, colour) = match finding.severity {
        Severity::Error => ("error", Paint::new().red().bold()),
        Severity::Warning => ("warning", Paint::new().yellow().bold()),
        Severity::Note => ("note", Paint::new().cyan().bold()),
    };
    let label = paint(style, &format!("{word}[{}]", finding.code), colour);
    let _ = writeln!(out, "{label}: {}", clean(&finding.message));
    let place = &finding.place;
    let mut at = if place.file.is_empty() { target.path.clone() } else { place.file.clone() };
    for number in [place.line, place.column].into_iter().flatten() {
        let _ = write!(at, ":{number}");
    }
    let _ = writeln!(out, "  {} {}", paint(style, "-->", Paint::new().blue()), clean(&at));
    match finding.new {
        Some(true) => note(out, style, "new", "the recorded surface takes it: the upgrade brings this"),
        Some(false) => note(out, style, "old", "the recorded surface refuses it too"),
        None => {}
    }
    if let Some(nearest) = finding.nearest.as_ref().filter(|name| !says(finding.hint.as_ref(), name)) {
        note(out, style, "nearest", nearest);
    }
    if let Some(hint) = &finding.hint {
        note(out, style, "hint", hint);
    }
}

fn says(hint: Option<&String>, name: &str) -> bool {
    hint.is_some_and(|hint| hint.contains(name))
}

fn note(out: &mut String, style: Style, word: &str, text: &str) {
    let _ = writeln!(out, "  {} {}", paint(style, &format!("= {word}:"), Paint::new().green()), clean(text));
}

fn write_target(out: &mut String, target: &TargetReport, style: Style) {
    let (word, colour) = match target.status {
        Status::Clean => ("ok", Paint::new().green().bold()),
        Status::Findings => ("findings", Paint::new().red().bold()),
        Status::Unchecked => ("not checked", Paint::new().red().bold()),
    };
    let _ = write!(out, "{}: {}", clean(&target.path), paint(style, word, colour));
    if let Some(pack) = &target.pack {
        let flows = if pack.flows.is_empty() { "none".to_owned() } else { pack.flows.join(", ") };
        let _ = write!(out, ", pack {} {}; flows that can run: {}", clean(&pack.id), pack.version, clean(&flows));
    }
    match (target.kind, target.components.as_slice()) {
        (TargetKind::Component, [component]) => {
            let _ = writeln!(out, ", {}", described(component));
            write_imports(out, component, style);
        }
        (_, components) => {
            let _ = writeln!(out);
            for component in components {
                let _ = writeln!(out, "  {}: {}", clean(&component.name), described(component));
                write_imports(out, component, style);
            }
        }
    }
    let _ = writeln!(out);
}

fn described(component: &ComponentFacts) -> String {
    let speaks = match component.speaks.as_slice() {
        [] => "speaks no generation that this host calls".to_owned(),
        speaks => format!("speaks {}", clean(&speaks.join(" and "))),
    };
    match component.grants.as_slice() {
        [] => format!("{speaks}, takes no grants"),
        grants => format!("{speaks}, takes the grants {}", listed(grants)),
    }
}

fn listed(grants: &[GrantName]) -> String {
    grants.iter().map(|grant| grant.0).collect::<Vec<_>>().join(", ")
}

fn write_imports(out: &mut String, component: &ComponentFacts, style: Style) {
    if !style.verbose {
        return;
    }
    for import in &component.imports {
        let verdict = if import.accepted { "linked" } else { "refused" };
        let grants = if import.grants.is_empty() { String::new() } else { format!(" [{}]", listed(&import.grants)) };
        let _ = writeln!(out, "    {} {verdict}{grants}: {}", clean(&import.name), import.rule.text());
    }
}

fn count(report: &Report) -> String {
    let summary = &report.summary;
    let plural = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let mut text = format!(
        "checked {}: {}, {}, {}",
        plural(summary.targets - summary.unchecked, "target"),
        plural(summary.errors, "error"),
        plural(summary.warnings, "warning"),
        plural(summary.notes, "note"),
    );
    if summary.omitted > 0 {
        let _ = write!(text, "; {} not listed", plural(summary.omitted, "finding"));
    }
    if summary.unchecked > 0 {
        let _ = write!(text, "; {} could not be checked", plural(summary.unchecked, "target"));
    }
    text
}

/// Text of a component or pack for a terminal: control characters are shown, not obeyed.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}
