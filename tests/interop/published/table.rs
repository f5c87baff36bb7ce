//! The tables of `docs/compatibility.md`: what was tried and what happened, as the trials tell it.

use std::fmt::Write as _;

use greentic_runner_host::conform::Finding;
use greentic_runner_host::error::Error;

use super::artefacts::{Artefact, Calls, Origin};
use super::trial::{Call, Ran, Trial};

/// What stands around each table in the page.
const BEGIN: &str = "<!-- a test writes this table -->\n\n";
const END: &str = "\n<!-- until here -->\n";

/// `page` with its two tables written anew: what crates ship, and what is built on the SDK.
pub(crate) fn into_page(page: &str, trials: &[(&Artefact, Trial)]) -> String {
    let mut written = String::new();
    let mut rest = page;
    for shipped in [true, false] {
        let (before, after) = rest.split_once(BEGIN).unwrap();
        let rows = trials.iter().filter(|(artefact, _)| matches!(artefact.origin, Origin::Crate { .. }) == shipped);
        let _ = write!(written, "{before}{BEGIN}{}{END}", of(rows));
        rest = after.split_once(END).unwrap().1;
    }
    written + rest
}

fn of<'a>(rows: impl Iterator<Item = &'a (&'a Artefact, Trial)>) -> String {
    let mut text = String::from("| What | Exports | Imports | Loads | Called through a flow |\n");
    text.push_str("| --- | --- | --- | --- | --- |\n");
    for (artefact, trial) in rows {
        let columns =
            [what(artefact), list(&trial.exports), list(&trial.imports), loads(trial), calls(artefact, trial)];
        let _ = writeln!(text, "| {} |", columns.join(" | "));
    }
    text
}

fn what(artefact: &Artefact) -> String {
    match artefact.origin {
        Origin::Crate { name, version, path, .. } => {
            let file = path.rsplit('/').next().unwrap_or(path);
            format!("{}: `{file}` of `{name}` {version}", artefact.name)
        }
        Origin::Sdk { version, .. } => format!("{}, SDK {version}", artefact.name),
    }
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "–".to_owned() } else { items.join(", ") }
}

fn loads(trial: &Trial) -> String {
    match &trial.pack {
        Some(Ok(holds)) => format!("yes: {holds}"),
        Some(Err(error)) => refused(error),
        None if trial.refusals().next().is_some() => format!("refused: {}", findings(trial.refusals())),
        None if trial.findings.is_empty() => "yes".to_owned(),
        None => format!("yes: {}", findings(trial.findings.iter())),
    }
}

/// Codes and interfaces of findings, each once.
fn findings<'a>(findings: impl Iterator<Item = &'a Finding>) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let line = format!("{} `{}`", link(&finding.code.to_string()), finding.interface);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join(", ")
}

fn calls(artefact: &Artefact, trial: &Trial) -> String {
    let told: Vec<_> = trial.calls.iter().filter_map(told).collect();
    match (told.as_slice(), &artefact.calls) {
        ([], Calls::Sources | Calls::Built(_)) => "it has no flows".to_owned(),
        ([], _) if trial.refusals().next().is_some() => "–".to_owned(),
        ([], _) => trial.calls.first().map_or_else(String::new, |call| match &call.ran {
            Ran::Refused(error) => refused(error),
            Ran::Answered(_) | Ran::Failed(_) => String::new(),
        }),
        (told, Calls::Provider(_)) => format!("as a provider: {}", told.join(", ")),
        (told, _) => format!("as a node: {}", told.join(", ")),
    }
}

fn told(call: &Call) -> Option<String> {
    match &call.ran {
        Ran::Answered(_) => Some(format!("`{}` answers", call.op)),
        Ran::Failed(_) => Some(format!("`{}` fails in its own words", call.op)),
        Ran::Refused(_) => None,
    }
}

fn refused(error: &Error) -> String {
    let mut codes = Vec::new();
    roots(error, &mut codes);
    format!("refused: {}", codes.iter().map(|code| link(code)).collect::<Vec<_>>().join(", "))
}

/// The codes of what `error` sums up, each once.
fn roots(error: &Error, codes: &mut Vec<String>) {
    let code = error.code().to_string();
    if error.details().is_empty() && !codes.contains(&code) {
        codes.push(code);
    }
    error.details().iter().for_each(|detail| roots(detail, codes));
}

fn link(code: &str) -> String {
    format!("[{code}](errors/{code}.md)")
}
