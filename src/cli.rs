//! The command line: `greentic-runner`.
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 it went well, 1 a flow or component failed (or the
//! host cannot do it now), 2 usage or bad input. One file per command.

mod check;
mod demo;
mod invoke;
mod pack;
mod progress;
mod report;
mod run;
mod serve;
mod session;
mod sources;
mod surface;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::{Code, Error, Result};

/// Run conversational and automation packs on sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "greentic-runner", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "\
Examples:
  greentic-runner demo                                       a bot to talk to, with the run beside it
  greentic-runner pack new my-pack                           a small pack that runs at once
  greentic-runner run --pack my-pack                         talk to it on the terminal
  greentic-runner run --pack my-pack --input '{\"text\":\"hi\"}'  one event, its replies on stdout
  greentic-runner check my.wasm                              whether a component or pack would run
  greentic-runner serve --bindings acme.yaml --pack acme.gtpack

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
    #[command(subcommand)]
    Pack(pack::Command),
}

impl Command {
    fn reports_itself(&self) -> bool {
        !matches!(self, Self::Demo(_) | Self::Serve(_))
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
    log_to_stderr(cli.verbose, cli.command.reports_itself());
    match dispatch(cli.command, cli.verbose > 0) {
        Ok(code) => code,
        Err(error) => {
            report::print(&error);
            report::exit_code(&error)
        }
    }
}

fn dispatch(command: Command, verbose: bool) -> Result<ExitCode> {
    match command {
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Serve(args) => block_on(serve::run(args)),
        Command::Run(args) => block_on(run::run(args)),
        Command::Invoke(args) => block_on(invoke::run(args)),
        Command::Check(args) => check::run(&args, verbose),
        Command::Surface(args) => surface::run(&args),
        Command::Pack(command) => pack::run(command),
    }
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(Code::Internal, format!("the async runtime does not start: {e}")))?
        .block_on(future)
}

/// `reports_itself`: the command prints what is wrong, so that the log would only say it a second time.
fn log_to_stderr(verbose: u8, reports_itself: bool) {
    let default = match verbose {
        0 if reports_itself => "error",
        0 => "warn",
        1 => "greentic_runner_host=info",
        _ => "greentic_runner_host=debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    // Fails only if a subscriber is installed already, which then logs.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(report::is_colored(&std::io::stderr()))
        .with_writer(std::io::stderr)
        .try_init();
}
