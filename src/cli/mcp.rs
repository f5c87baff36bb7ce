//! `mcp`: seeing which tools a tenant has, and signing those in WebAssembly.

mod sign;
mod tools;

use clap::Subcommand;

use crate::error::Result;

/// See the tools of a tenant, and sign tools
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Tools(tools::Args),
    Sign(sign::Args),
}

pub(super) async fn run(command: Command) -> Result<std::process::ExitCode> {
    match command {
        Command::Tools(args) => tools::run(&args).await,
        Command::Sign(args) => sign::run(&args),
    }
}
