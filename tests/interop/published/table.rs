//! The table of `docs/compatibility.md`: what was tried and what happened, as the trials tell it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use greentic_runner_host::error::Error;

use super::artefacts::{Artefact, Calls, Origin};
use super::trial::{Call, Ran, Trial};

const BEGIN: &str = "<!-- the table begins; a test writes it -->\n";
const END: &str = "<!-- the table ends -->\n";

/// `page` with the table of `trials` in place of the one that it has.
pub(crate) fn into_page(page: &str, trials: &[(&Artefact, Trial)]) -> String {
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    format!("{before}{BEGIN}\n{}\n{END}{after}", of(trials))
}

/// The table of `trials`.
fn of(trials: &[(&Artefact, Trial)]) -> String {
    let mut text = String::from("| What | From | Exports | Imports | Loads | Called through a flow |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for (artefact, trial) in trials {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            artefact.name,
            origin(&artefact.origin),
            list(&trial.exports),
            list(&trial.imports),
            loads(trial),
            calls(artefact, trial),
        );
    }
    text
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Crate { name, version, path, .. } => format!("`{name}` {version}, `{path}`"),
        Origin::Sdk { version, guest } => format!("`greentic-interfaces-guest` {version}, `{guest}`"),
    }
}

fn list(items: &[String]) -> String {
    match items.is_empty() {
        true => "none".to_owned(),
        false => items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", "),
    }
}

fn loads(trial: &Trial) -> String {
    match (&trial.pack, &trial.loaded) {
        (Some(Ok(holds)), _) => format!("yes: {holds}"),
        (Some(Err(error)), _) => refused(error),
        (None, Ok(())) => "yes".to_owned(),
        (None, Err(findings)) => {
            let mut seen = BTreeSet::new();
            let lines = findings.iter().map(|finding| format!("{} `{}`", link(&finding.code.to_string()), finding.interface));
            let lines: Vec<_> = lines.filter(|line| seen.insert(line.clone())).collect();
            format!("refused: {}", lines.join(", "))
        }
    }
}

fn calls(artefact: &Artefact, trial: &Trial) -> String {
    let answered: Vec<_> = trial.calls.iter().filter_map(|call| told(call)).collect();
    if !answered.is_empty() {
        let role = if matches!(artefact.calls, Calls::Provider(_)) { "as a provider" } else { "as a node" };
        return format!("{role}: {}", answered.join(", "));
    }
    match trial.calls.first() {
        Some(Call { ran: Ran::Refused(error), .. }) => refused(error),
        _ => "has no flows".to_owned(),
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
    leaves(error, &mut codes);
    format!("refused: {}", codes.iter().map(|code| link(code)).collect::<Vec<_>>().join(", "))
}

/// The codes of the findings at the root of `error`, each once.
fn leaves(error: &Error, codes: &mut Vec<String>) {
    if error.details().is_empty() {
        let code = error.code().to_string();
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    error.details().iter().for_each(|detail| leaves(detail, codes));
}

fn link(code: &str) -> String {
    format!("[{code}](errors/{code}.md)")
}
