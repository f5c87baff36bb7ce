//! `cargo xtask test`: builds the guests, looks for the servers that tests start, and runs every test.
//!
//! The stages are the workspace's tests, the tests about the Cargo feature `verify` without it, and the examples in
//! the documentation. All of them run even if one fails, and what their runners say last is said again at the end.

mod runner;
mod servers;

use anyhow::{Result, bail};

use runner::{Runner, Stage};
use servers::{SERVERS, Server};

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

/// Runs the tests; fails if one of them fails, or if `CI` is `true` and one cannot run.
pub(crate) fn run(args: &Args) -> Result<()> {
    guests::run_all(&args.compiler)?;
    let runner = Runner::find();
    let missing: Vec<_> = SERVERS.iter().filter(|server| !server.is_here()).collect();
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

fn stages(runner: &Runner, args: &Args, missing: &[&Server]) -> Vec<Stage> {
    let mut tests = runner.tests("tests", &["--workspace"]);
    runner.skip(&mut tests, missing.iter().map(|server| server.marker));
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
const UNVERIFIED: &[&str] =
    &["--workspace", "--exclude", "greentic-runner-fuzz", "--no-default-features", "--test", "pack*"];

/// Says what is missing and counts the tests that cannot run without it.
fn skips(runner: &Runner, missing: &[&Server]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for server in missing {
        let line = server.skipped(runner.count(server.marker)?);
        eprintln!("{line}");
        lines.push(line);
    }
    Ok(lines)
}

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}
