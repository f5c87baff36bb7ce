//! Build chores: `cargo xtask guests` compiles the guest fixtures, `cargo xtask test` runs every test.

mod cargo;
mod demo;
mod guests;
mod test;
mod tools;

use std::process::ExitCode;

use clap::Parser;

/// Build chores of greentic-runner-host
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Compile the guest fixtures to `target/guests/<name>.wasm`
    Guests(guests::Args),
    /// Build the pack that the demo embeds, or check it
    Demo(demo::Args),
    /// Install the compilers that the component templates' languages need, below `target/tools`
    Tools,
    /// Build the guests and run every test
    Test(test::Args),
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Guests(args) => guests::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Tools => tools::run(),
        Task::Test(args) => test::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
