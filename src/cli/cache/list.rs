//! `cache list`: what the cache holds.

use std::process::ExitCode;

use crate::cli::fetching::CacheArgs;
use crate::cli::report;
use crate::error::{Code, Error, Result};
use crate::ingest::cache::{Contents, Entry, EntryKind};

/// List what the cache holds, what was used last first
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    cache: CacheArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let contents = args.cache.open()?.contents().await?;
    if args.json {
        report::data(&report::json_text(&json(&contents)?))?;
    } else {
        lines(&contents).iter().try_for_each(|line| report::data(line))?;
        let (held, most) = (report::size(contents.bytes), report::size(contents.max_bytes));
        report::say(&format!("{held} of at most {most} in {}", contents.dir.display()));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn json(of: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(of).map_err(|e| Error::new(Code::Internal, format!("the cache is no JSON: {e}")))
}

fn lines(contents: &Contents) -> Vec<String> {
    contents.entries.iter().map(line).collect()
}

/// An entry on one line.
pub(super) fn line(entry: &Entry) -> String {
    let kind = match entry.kind {
        EntryKind::Fetched => "fetched ",
        EntryKind::Compiled => "compiled",
    };
    let from = entry.locators.iter().fold(String::new(), |line, locator| line + "  " + locator);
    format!("{kind}  {:>10}  {}  {}{from}", report::size(entry.bytes), entry.last_used, entry.name)
}
