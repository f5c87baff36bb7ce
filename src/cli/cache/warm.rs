//! `cache warm`: fetching packs before they are needed.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::fetching::FetchArgs;
use crate::cli::report;
use crate::config::RunnerConfig;
use crate::error::{Error, Result};
use crate::ingest::locator::{Base, Scheme};
use crate::ingest::{Fetched, Fetcher, Index, Locator, Origin, index};
use crate::pack::model::Digest;

/// Fetch packs into the cache, so that they are there when their source is not
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner cache warm https://packs.example.com/demo.gtpack
  greentic-runner cache warm oci://registry.example.com/acme/demo:1.2 s3://packs/demo.gtpack
  greentic-runner cache warm --index https://packs.example.com/index.json")]
pub(in crate::cli) struct Args {
    /// Where the packs lie
    #[arg(value_name = "LOCATOR", required_unless_present = "index")]
    locators: Vec<String>,
    /// An index: it is fetched, and every pack that it names and that does not lie on this machine
    #[arg(long, value_name = "LOCATOR")]
    index: Option<String>,
    #[command(flatten)]
    fetch: FetchArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let fetcher = args.fetch.fetcher(args.json)?;
    let wanted = wanted(&args, &fetcher).await?;
    let fetched = futures::future::join_all(wanted.iter().map(|wanted| wanted.warm(&fetcher))).await;
    if args.json {
        let packs = wanted.iter().zip(&fetched).map(|(wanted, one)| entry(&wanted.locator, one));
        report::data(&report::json_text(&json!({ "packs": packs.collect::<Vec<Value>>() })))?;
    } else {
        for (wanted, one) in wanted.iter().zip(&fetched) {
            let Ok(one) = one else { continue };
            one.note.iter().for_each(report::warn);
            report::data(&format!("{}  {:>10}  {}", one.digest, report::size(one.size), wanted.locator))?;
        }
    }
    let failed: Vec<Error> = fetched.into_iter().filter_map(Result::err).collect();
    match failed.first().map(Error::code) {
        None => Ok(ExitCode::SUCCESS),
        Some(code) => {
            let summary = format!("{} of {} packs could not be fetched", failed.len(), wanted.len());
            Err(Error::from_many(code, summary, failed))
        }
    }
}

/// What is to be fetched.
#[derive(PartialEq)]
struct Wanted {
    locator: Locator,
    digest: Option<Digest>,
    origin: Origin,
}

impl Wanted {
    /// Fetches it, and reads it, so that what was damaged is fetched anew.
    async fn warm(&self, fetcher: &Fetcher) -> Result<Fetched> {
        fetcher.fetch_bytes(&self.locator, self.digest, self.origin).await.map(|(fetched, _)| fetched)
    }
}

/// What the command line names, and what the index names. What is wrong with any of it is said before anything else is
/// fetched.
async fn wanted(args: &Args, fetcher: &Fetcher) -> Result<Vec<Wanted>> {
    let here = Base::here()?;
    let named = args.locators.iter().map(|text| {
        let locator = Locator::parse(text, &here, Scheme::Fs)?;
        Ok(Wanted { locator, digest: None, origin: Origin::Local })
    });
    let mut wanted = named.collect::<Result<Vec<_>>>()?;
    let Some(text) = &args.index else { return Ok(wanted) };
    let scheme = RunnerConfig::from_env()?.packs.source;
    let place = Locator::parse(text, &here, scheme)?;
    let document = fetcher.read(&place, index::MAX_BYTES, Origin::Local).await?;
    let base = Base::of(&place)?;
    for entry in Index::read(&document.bytes, &place.to_string())?.tenants.into_values() {
        let entry = entry?;
        for pack in std::iter::once(&entry.main).chain(&entry.overlays) {
            let remote = pack.places(&base, scheme)?.into_iter().find(Locator::is_remote);
            let Some(locator) = remote else { continue };
            let origin = index::origin(&place, &locator);
            let one = Wanted { locator, digest: pack.digest, origin };
            // Many tenants run one pack.
            if !wanted.contains(&one) {
                wanted.push(one);
            }
        }
    }
    Ok(wanted)
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
