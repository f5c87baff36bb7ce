//! `pack`: making packs, signing them, and looking into them.

mod keygen;
mod sign;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::report;
use crate::cli::sources::ComponentArgs;
use crate::error::{Code, Error, Result};
use crate::pack;

/// Make packs, sign them, and look into them
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Build a directory of flows and components into a .gtpack; the same sources give the same bytes
    ///
    /// What is odd about the pack, flows that cannot run among it, is said on stderr and does not fail the build.
    Build {
        /// The directory with index.ygtc, or pack.yaml and flows
        dir: PathBuf,
        /// The file to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Show what a pack holds: flows, components, providers, digests, and what is odd about it
    Inspect {
        /// The pack: a .gtpack, a directory, an index.ygtc or a .wasm
        pack: PathBuf,
        #[command(flatten)]
        components: ComponentArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a pack of an older form in the one current form; the same pack gives the same bytes
    ///
    /// What the current form has no place for is said on stderr. A pack of which a flow would be lost is refused.
    Migrate {
        /// The pack: a .gtpack or a directory with manifest.cbor
        old: PathBuf,
        /// The file to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        components: ComponentArgs,
    },
    /// Write a small pack that builds and runs at once
    New {
        /// The directory to make
        dir: PathBuf,
    },
    Keygen(keygen::Args),
    Sign(sign::Args),
    Verify(verify::Args),
}

pub(super) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Build { dir, output } => {
            let built = pack::build::build(&dir, &output)?;
            pack::findings(&built.pack).iter().for_each(report::warn);
            report::data(&format!("{} {}", built.digest, output.display()))?;
        }
        Command::Inspect { pack, components, json } => {
            let inspection = pack::inspect::Inspection::of(&pack::load(&pack, &components.options()?)?);
            if json {
                let value = serde_json::to_value(&inspection)
                    .map_err(|e| Error::new(Code::Internal, format!("the inspection is no JSON: {e}")))?;
                report::data(&report::json_text(&value))?;
            } else {
                report::data(inspection.to_string().trim_end())?;
            }
        }
        Command::Migrate { old, output, components } => {
            let migrated = pack::migrate(&old, &output, &components.options()?)?;
            migrated.lost.iter().for_each(|what| report::say(&format!("not in the new pack: {what}")));
            pack::findings(&migrated.pack).iter().for_each(report::warn);
            report::data(&format!("{} {}", migrated.digest, output.display()))?;
        }
        Command::New { dir } => {
            for file in pack::scaffold::scaffold(&dir)? {
                report::data(&file.display().to_string())?;
            }
            report::say(&format!("try it: greentic-runner run --pack {}", dir.display()));
        }
        Command::Keygen(args) => keygen::run(&args)?,
        Command::Sign(args) => sign::run(&args)?,
        Command::Verify(args) => return verify::run(&args),
    }
    Ok(ExitCode::SUCCESS)
}
