//! The `greentic-runner` binary. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    greentic_runner_host::cli::main()
}
