//! `cache prune`: deleting what was used longest ago.

use std::process::ExitCode;

use super::list;
use crate::cli::fetching::CacheArgs;
use crate::cli::report;
use crate::config;
use crate::error::Result;
use crate::ingest::Cache;

/// Delete what was used longest ago until the rest is small enough
///
/// What another process uses just now stays. So does what is used of compiled components in memory: only the files go.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner cache prune --max-size 2GiB --dry-run    what would go
  greentic-runner cache prune --max-size 0                 all of it")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    cache: CacheArgs,
    /// How much may stay [default: 5GiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Delete nothing, say what would be
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn size(text: &str) -> Result<u64, String> {
    match text {
        "0" => Ok(0),
        _ => config::parse_size(text).ok_or_else(|| "write a number and a unit, as 500MB or 2GiB".to_owned()),
    }
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let cache = args.cache.open()?;
    let pruned = cache.prune(args.max_size.unwrap_or(Cache::DEFAULT_MAX_BYTES), args.dry_run).await?;
    if args.json {
        report::data(&report::json_text(&list::json(&pruned)?))?;
    } else {
        pruned.deleted.iter().try_for_each(|entry| report::data(&list::line(entry)))?;
        let would = if pruned.dry_run { "would be " } else { "" };
        report::say(&format!("{} {would}freed, {} stay", report::size(pruned.freed), report::size(pruned.kept)));
    }
    Ok(ExitCode::SUCCESS)
}
