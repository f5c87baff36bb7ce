//! Running tests with `cargo nextest`, or with `cargo test` where it is not installed.

use std::env;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::process::Stdio;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::cargo::cargo;

/// What runs tests here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runner {
    /// `cargo nextest run`: each test in a process of its own.
    Nextest,
    /// `cargo test`.
    Cargo,
}

/// One run of a runner.
pub(super) struct Stage {
    name: &'static str,
    arguments: Vec<String>,
    /// Arguments for the tests themselves, after `--`.
    harness: Vec<String>,
}

/// How a stage ended.
pub(super) struct Outcome {
    /// The stage's name.
    pub(super) name: &'static str,
    /// Whether every test passed.
    pub(super) success: bool,
    /// What the runner said last.
    pub(super) closing: Vec<String>,
}

impl Runner {
    /// Nextest if it is installed.
    pub(super) fn find() -> Self {
        let found = cargo().args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if found.is_ok_and(|status| status.success()) {
            return Self::Nextest;
        }
        eprintln!("cargo-nextest is not installed (https://nexte.st); `cargo test` runs the tests, more slowly");
        Self::Cargo
    }

    /// A stage that runs the tests that cargo's `selection` selects.
    pub(super) fn tests(self, name: &'static str, selection: &[&str]) -> Stage {
        let command: &[&str] = match self {
            Self::Nextest => &["nextest", "run", "--locked", "--no-fail-fast"],
            Self::Cargo => &["test", "--locked", "--no-fail-fast"],
        };
        // `cargo test` runs doc tests too, unless it is told what to run; they are a stage of their own.
        let targets: &[&str] = match self {
            Self::Cargo if !selection.contains(&"--test") => &["--lib", "--bins", "--tests"],
            _ => &[],
        };
        let arguments = [command, targets, selection].concat().into_iter().map(str::to_owned).collect();
        Stage { name, arguments, harness: Vec::new() }
    }

    /// Leaves out tests whose names contain one of `markers`.
    pub(super) fn skip<'a>(self, stage: &mut Stage, markers: impl Iterator<Item = &'a str>) {
        let markers: Vec<_> = markers.collect();
        match self {
            _ if markers.is_empty() => {}
            Self::Nextest => {
                let all: Vec<_> = markers.iter().map(|marker| format!("test({marker})")).collect();
                stage.args(&["-E".to_owned(), format!("not ({})", all.join(" | "))]);
            }
            Self::Cargo => markers.iter().for_each(|marker| stage.harness.push(format!("--skip={marker}"))),
        }
    }

    /// Keeps only tests whose names contain `marker`.
    pub(super) fn only(self, stage: &mut Stage, marker: &str) {
        match self {
            Self::Nextest => stage.args(&["-E".to_owned(), format!("test({marker})")]),
            Self::Cargo => stage.harness.push(marker.to_owned()),
        }
    }

    /// How many tests have `marker` in their names.
    pub(super) fn count(self, marker: &str) -> Result<usize> {
        let mut command = cargo();
        // Not `--bins`, which would take the fuzz targets along: they are programs of their own, without a list.
        command.args(["test", "--quiet", "--locked", "--workspace", "--all-features", "--tests", "--"]);
        let output = command.args([marker, "--list"]).stderr(Stdio::inherit()).output().context(NO_CARGO)?;
        if !output.status.success() {
            bail!("the tests do not compile");
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.ends_with(": test")).count())
    }
}

const NO_CARGO: &str = "cargo cannot be started";

impl Stage {
    /// The examples in the documentation, which nextest does not run.
    pub(super) fn doc_tests() -> Self {
        let arguments = ["test", "--locked", "--workspace", "--all-features", "--doc"].map(str::to_owned).to_vec();
        Self { name: "doc tests", arguments, harness: Vec::new() }
    }

    /// Adds arguments of the runner.
    pub(super) fn args(&mut self, arguments: &[String]) {
        self.arguments.extend_from_slice(arguments);
    }

    /// Runs it, passing on what the runner says.
    pub(super) fn run(&self) -> Result<Outcome> {
        eprintln!("\n==> {}: cargo {}", self.name, self.arguments.join(" "));
        let mut command = cargo();
        command.args(&self.arguments);
        if !self.harness.is_empty() {
            command.arg("--").args(&self.harness);
        }
        if io::stderr().is_terminal() && env::var_os("CARGO_TERM_COLOR").is_none() {
            command.env("CARGO_TERM_COLOR", "always");
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context(NO_CARGO)?;
        let (out, err) = (child.stdout.take().context(NO_CARGO)?, child.stderr.take().context(NO_CARGO)?);
        let errors = thread::spawn(move || pass_on(err, io::stderr()));
        let mut closing = pass_on(out, io::stdout())?;
        closing.extend(errors.join().ok().context("reading the runner's output failed")??);
        let success = child.wait().context(NO_CARGO)?.success();
        Ok(Outcome { name: self.name, success, closing })
    }
}

/// Copies what the runner says, and answers the lines in which it sums up.
fn pass_on(from: impl Read, mut to: impl Write) -> Result<Vec<String>> {
    let mut closing = Vec::new();
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        let text = plain(&String::from_utf8_lossy(&line));
        if is_closing(text.trim()) {
            closing.push(text.trim().to_owned());
        }
        line.clear();
    }
    Ok(closing)
}

fn is_closing(line: &str) -> bool {
    line.starts_with("Summary [") || (line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed"))
}

/// `text` without terminal colours.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        rest = escape.split_once('m').map_or("", |(_, after)| after);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_closing_lines_are_found() {
        let said = "Compiling x\n\u{1b}[32;1m     Summary\u{1b}[0m [  1.2s] 3 tests run: 3 passed, 0 skipped\n\
                    test result: ok. 0 passed; 0 failed; 0 ignored\ntest result: FAILED. 1 passed; 1 failed\nmore";
        let mut echoed = Vec::new();
        let closing = pass_on(said.as_bytes(), &mut echoed).unwrap();
        assert_eq!(String::from_utf8(echoed).unwrap(), said);
        assert_eq!(
            closing,
            ["Summary [  1.2s] 3 tests run: 3 passed, 0 skipped", "test result: FAILED. 1 passed; 1 failed"]
        );
    }

    #[test]
    fn each_runner_leaves_tests_out_in_its_own_way() {
        let markers = ["needs_a", "needs_b"];
        let mut stage = Runner::Nextest.tests("t", &["--workspace"]);
        Runner::Nextest.skip(&mut stage, markers.into_iter());
        assert_eq!(stage.arguments.last().unwrap(), "not (test(needs_a) | test(needs_b))");

        let mut stage = Runner::Cargo.tests("t", &["--workspace"]);
        Runner::Cargo.skip(&mut stage, markers.into_iter());
        assert_eq!(stage.harness, ["--skip=needs_a", "--skip=needs_b"]);

        let mut stage = Runner::Nextest.tests("t", &["--workspace"]);
        Runner::Nextest.skip(&mut stage, [].into_iter());
        assert!(!stage.arguments.contains(&"-E".to_owned()));
    }

    #[test]
    fn cargo_runs_no_other_targets_beside_selected_test_files() {
        let stage = Runner::Cargo.tests("t", &["--no-default-features", "--test", "pack*"]);
        assert!(!stage.arguments.contains(&"--lib".to_owned()));
        assert!(Runner::Cargo.tests("t", &["--workspace"]).arguments.contains(&"--lib".to_owned()));
    }
}
