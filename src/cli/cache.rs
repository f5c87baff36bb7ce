//! `cache`: what was fetched and what was compiled, to save both for the next time.

mod list;
mod prune;
mod warm;

use std::process::ExitCode;

use crate::error::Result;

/// See, shrink or fill the cache of packs
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    List(list::Args),
    Prune(prune::Args),
    Warm(warm::Args),
}

pub(super) async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::List(args) => list::run(args).await,
        Command::Prune(args) => prune::run(args).await,
        Command::Warm(args) => warm::run(args).await,
    }
}
