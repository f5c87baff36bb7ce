//! `cache warm`: fetching packs before they are needed.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::fetching::FetchArgs;
use crate::cli::report;
use crate::error::{Error, Result};
use crate::ingest::locator::{Base, Scheme};
use crate::ingest::{Fetched, Fetcher, Locator, Origin};

/// Fetch packs into the cache, so that they are there when their source is not
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner cache warm https://packs.example.com/demo.gtpack
  greentic-runner cache warm oci://registry.example.com/acme/demo:1.2 s3://packs/demo.gtpack")]
pub(in crate::cli) struct Args {
    /// Where the packs lie
    #[arg(value_name = "LOCATOR", required = true)]
    locators: Vec<String>,
    #[command(flatten)]
    fetch: FetchArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let here = Base::here()?;
    let parsed = args.locators.iter().map(|text| Locator::parse(text, &here, Scheme::Fs));
    let locators = parsed.collect::<Result<Vec<_>>>()?;
    let fetcher = args.fetch.fetcher(args.json)?;
    let fetched = futures::future::join_all(locators.iter().map(|locator| warm(&fetcher, locator))).await;
    if args.json {
        let packs: Vec<Value> = locators.iter().zip(&fetched).map(|(locator, one)| entry(locator, one)).collect();
        report::data(&report::json_text(&json!({ "packs": packs })))?;
    } else {
        for (locator, one) in locators.iter().zip(&fetched) {
            let Ok(one) = one else { continue };
            one.note.iter().for_each(report::warn);
            report::data(&format!("{}  {:>10}  {locator}", one.digest, report::size(one.size)))?;
        }
    }
    let failed: Vec<Error> = fetched.into_iter().filter_map(Result::err).collect();
    match failed.first().map(Error::code) {
        None => Ok(ExitCode::SUCCESS),
        Some(code) => {
            let summary = format!("{} of {} packs could not be fetched", failed.len(), locators.len());
            Err(Error::from_many(code, summary, failed))
        }
    }
}

/// Fetches one, and reads it, so that what was damaged is fetched anew.
async fn warm(fetcher: &Fetcher, locator: &Locator) -> Result<Fetched> {
    fetcher.fetch_bytes(locator, None, Origin::Local).await.map(|(fetched, _)| fetched)
}

fn entry(locator: &Locator, fetched: &Result<Fetched>) -> Value {
    match fetched {
        Ok(fetched) => json!({
            "locator": locator.to_string(),
            "digest": fetched.digest.to_string(),
            "bytes": fetched.size,
            "outcome": fetched.outcome,
            "note": fetched.note.as_ref().map(report::error_json),
        }),
        Err(error) => json!({ "locator": locator.to_string(), "error": report::error_json(error) }),
    }
}
