//! `cargo xtask test`: builds the guests, looks for the servers, programs and published crates that tests need,
//! and runs every test.
//!
//! The stages are the workspace's tests, the tests about the Cargo feature `verify` without it, and the examples in
//! the documentation. All of them run even if one fails, and what their runners say last is said again at the end.

mod crates;
pub(crate) mod programs;
mod runner;
pub(crate) mod servers;

use anyhow::{Result, bail};

use runner::{Runner, Stage};

use crate::guests;

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run what matches these arguments of the test runner and nothing else, such as `-- -E 'test(store)'`
    #[arg(last = true, value_name = "RUNNER ARGS")]
    only: Vec<String>,
    #[command(flatten)]
    compiler: guests::Compiler,
}

/// What some tests need and is not here.
pub(crate) struct Missing {
    /// What the names of those tests contain.
    marker: &'static str,
    /// What it is, and how to get it.
    pub(crate) what: String,
}

impl Missing {
    /// What to say about the `count` tests that need it.
    fn skipped(&self, count: usize) -> String {
        format!("skipped: {count} tests that need {}", self.what)
    }
}

/// Runs the tests; fails if one of them fails, or if `CI` is `true` and one cannot run.
pub(crate) fn run(args: &Args) -> Result<()> {
    let crates = crates::missing()?;
    guests::run_all(&args.compiler, crates.is_none())?;
    let runner = Runner::find();
    let missing: Vec<_> = servers::missing().chain(programs::missing()).chain(crates).collect();
    let skipped = skips(&runner, &missing)?;
    if in_ci() && !missing.is_empty() {
        bail!("with CI=true every test has to run");
    }
    let outcomes = stages(&runner, args, &missing).into_iter().map(|stage| stage.run()).collect::<Result<Vec<_>>>()?;

    eprintln!();
    skipped.iter().for_each(|line| eprintln!("{line}"));
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.success).map(|outcome| outcome.name).collect();
    for outcome in outcomes.iter().rev() {
        outcome.closing.iter().for_each(|line| eprintln!("{}: {line}", outcome.name));
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

fn stages(runner: &Runner, args: &Args, missing: &[Missing]) -> Vec<Stage> {
    let mut tests = runner.tests("tests", &["--workspace", "--all-features"]);
    runner.skip(&mut tests, missing.iter().map(|missing| missing.marker));
    if !args.only.is_empty() {
        tests.args(&args.only);
        return vec![tests];
    }
    let mut unverified = runner.tests("tests without the feature `verify`", UNVERIFIED);
    runner.only(&mut unverified, "verify");
    vec![tests, unverified, Stage::doc_tests()]
}

/// Where the tests about the feature `verify` are: in the files about packs, with `verify` in their names. The rest of
/// the workspace is selected too, so that what is compiled already has the features that are asked for; not the fuzz
/// targets, which would bring the feature back.
const UNVERIFIED: &[&str] = &[
    "--workspace",
    "--exclude",
    "greentic-runner-fuzz",
    "--no-default-features",
    "--features",
    FEATURES,
    "--test",
    "pack*",
];

/// The other features stay, or much of what is compiled already would be compiled once more.
const FEATURES: &str = "greentic-runner-host/oci,greentic-runner-host/object-store,greentic-runner-host/aws,\
                        greentic-runner-host/azure,greentic-runner-host/gcp,greentic-runner-host/mcp,\
                        greentic-runner-host/telemetry";

/// Says what is missing and counts the tests that cannot run without it.
fn skips(runner: &Runner, missing: &[Missing]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for missing in missing {
        let line = missing.skipped(runner.count(missing.marker)?);
        eprintln!("{line}");
        lines.push(line);
    }
    Ok(lines)
}

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}
