//! Starting cargo from a program that cargo started.

use std::env;
use std::process::Command;

/// What the names begin with of variables that cargo sets for a program that it runs. Build scripts that look at them
/// would run again, and much of what is compiled already would be compiled once more.
const OF_THIS_PROGRAM: [&str; 5] = ["CARGO_BIN_", "CARGO_CRATE_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PRIMARY_"];

/// Cargo, in the environment in which this program was asked for.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| OF_THIS_PROGRAM.iter().any(|begin| name.starts_with(begin))) {
            cargo.env_remove(name);
        }
    }
    cargo
}
