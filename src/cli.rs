//! The command line: `greentic-runner`.
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 it went well, 1 a flow or component failed (or the
//! host cannot do it now), 2 usage or bad input. One file per command.

mod build;
mod cache;
mod check;
mod client;
mod demo;
mod dev;
mod fetching;
mod grants;
mod ingress;
mod invoke;
#[cfg(feature = "mcp")]
mod mcp;
mod new;
mod pack;
mod page;
mod progress;
mod report;
mod run;
mod serve;
mod session;
mod sources;
mod surface;
mod telemetry;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::prelude::*;

use crate::error::{Code, Error, Result};
use crate::telemetry::spans::is_span;

/// Run conversational and automation packs on sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "greentic-runner", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "\
Examples:
  greentic-runner demo                                       a bot to talk to, with the run beside it
  greentic-runner new component --lang rust hello            a first component, and a flow that answers with it
  greentic-runner dev hello                                  a chat page for it; changes are used at once
  greentic-runner pack new my-pack                           a small pack of flows alone
  greentic-runner run --pack my-pack                         talk to it on the terminal
  greentic-runner run --pack my-pack --input '{\"text\":\"hi\"}'  one event, its replies on stdout
  greentic-runner check my.wasm                              whether a component or pack would run
  greentic-runner serve --bindings acme.yaml --pack acme.gtpack
  greentic-runner cache list                                 what was fetched and is kept
  greentic-runner ingress normalize slack event.json         what an adapter makes of a request

Exit codes: 0 it went well, 1 a flow or component failed (or check has findings), 2 usage or bad input.
Every error has a code; docs/errors explains each.")]
struct Cli {
    /// Log more: -v for what the host does, -vv for every detail (RUST_LOG sets it in full)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Serve(serve::Args),
    Run(run::Args),
    Invoke(invoke::Args),
    Check(check::Args),
    Surface(surface::Args),
    Grants(grants::Args),
    #[command(subcommand)]
    New(new::Command),
    Dev(dev::Args),
    Build(build::Args),
    #[command(subcommand)]
    Pack(pack::Command),
    #[command(subcommand)]
    Cache(cache::Command),
    #[command(subcommand)]
    Ingress(ingress::Command),
    #[cfg(feature = "mcp")]
    #[command(subcommand)]
    Mcp(mcp::Command),
}

impl Command {
    /// Whether it runs flows, so that there is telemetry of them.
    fn runs_flows(&self) -> bool {
        matches!(self, Self::Demo(_) | Self::Serve(_) | Self::Run(_) | Self::Dev(_))
    }

    /// What is logged unless somebody asks for more. A command that prints what is wrong by itself would only be
    /// repeated by the log; for an author, what components say is part of the output.
    fn logs(&self) -> &'static str {
        match self {
            Self::Demo(_) | Self::Serve(_) => "warn",
            Self::Dev(_) => "error,greentic::guest=debug",
            _ => "error",
        }
    }
}

/// Parses the arguments of the process, does what they say, and reports what went wrong.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
            // A closed pipe is no reason to fail.
            let _ = error.print();
            return code;
        }
    };
    let telemetry = match telemetry::Exported::start(cli.command.runs_flows()) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            report::print(&error);
            return report::exit_code(&error);
        }
    };
    log_to_stderr(cli.verbose, cli.command.logs(), &telemetry);
    let result = dispatch(cli.command, cli.verbose > 0);
    telemetry.stop();
    result.unwrap_or_else(|error| {
        report::print(&error);
        report::exit_code(&error)
    })
}

fn dispatch(command: Command, verbose: bool) -> Result<ExitCode> {
    match command {
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Serve(args) => block_on(serve::run(args)),
        Command::Run(args) => block_on(run::run(args)),
        Command::Invoke(args) => block_on(invoke::run(args)),
        Command::Check(args) => check::run(&args, verbose),
        Command::Surface(args) => surface::run(&args),
        Command::Grants(args) => block_on(grants::run(args)),
        Command::New(command) => new::run(command),
        Command::Dev(args) => block_on(dev::run(args)),
        Command::Build(args) => build::run(&args),
        Command::Pack(command) => pack::run(command),
        Command::Cache(command) => block_on(cache::run(command)),
        Command::Ingress(command) => ingress::run(command),
        #[cfg(feature = "mcp")]
        Command::Mcp(command) => block_on(mcp::run(command)),
    }
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(Code::Internal, format!("the async runtime does not start: {e}")))?
        .block_on(future)
}

/// Whether records of this target would show secrets, however expressly they are asked for.
fn shows_secrets(target: &str) -> bool {
    let bounds = [crate::mcp::LOG_BOUND, crate::secrets::LOG_BOUND].into_iter();
    let mut bounds = bounds.flat_map(|bounds| bounds.split(','));
    bounds.any(|bound| bound.strip_suffix("=off").is_some_and(|silent| target.starts_with(silent)))
}

fn log_to_stderr(verbose: u8, usual: &str, telemetry: &telemetry::Exported) {
    let default = match verbose {
        0 => usual,
        1 => "greentic_runner_host=info",
        _ => "greentic_runner_host=debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    // Whoever asks for every detail gets no secret with it.
    let bound = crate::oauth::LOG_BOUND.parse();
    let filter = bound.into_iter().fold(filter, tracing_subscriber::EnvFilter::add_directive);
    // The hint is as wide as can be, so that the other filter's is the one that counts.
    let not_all = filter_fn(|metadata| !is_span(metadata) && !shows_secrets(metadata.target()));
    let not_all = not_all.with_max_level_hint(LevelFilter::TRACE);
    let stderr = tracing_subscriber::fmt::layer()
        .with_ansi(report::is_colored(&std::io::stderr()))
        .with_writer(std::io::stderr)
        .with_filter(filter.and(not_all));
    // Fails only if a subscriber is installed already, which then logs.
    let _ = tracing_subscriber::registry().with(stderr).with(telemetry.layer()).try_init();
}
