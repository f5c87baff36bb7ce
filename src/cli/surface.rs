//! `surface`: what this binary offers to components, and what it calls.

use std::process::ExitCode;

use crate::cli::report;
use crate::conform::{self, Record, Surface};
use crate::error::{Code, Error, Result};

/// Print the interfaces that this host offers to components and calls, as WIT or as JSON
///
/// The WIT is one file that wasm-tools and wit-bindgen take. The JSON is for `check --against`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner surface > greentic.wit                    build components against it
  greentic-runner surface --format json > surface.json      keep it, and check upgrades against it")]
pub(super) struct Args {
    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    /// One WIT file
    #[default]
    Wit,
    /// A record for `check --against`
    Json,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    match args.format {
        Format::Wit => report::data(conform::surface_wit()?.trim_end())?,
        Format::Json => {
            let record = Record::of(Surface::host()?, env!("CARGO_PKG_VERSION"));
            let value = serde_json::to_value(&record);
            let value = value.map_err(|e| Error::new(Code::Internal, format!("the surface is no JSON: {e}")))?;
            report::data(&report::json_text(&value))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
