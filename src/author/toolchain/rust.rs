//! Rust: `cargo`, for a core module that imports what its WIT says and nothing else.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{judge, missing, read_output, shown};
use crate::error::{Code, Error, Result};

const TARGET: &str = "wasm32-unknown-unknown";

const INSTALL: &str = "install Rust by https://rustup.rs";

const INSTALL_TARGET: &str = "run `rustup target add wasm32-unknown-unknown`; where rustup's server cannot be reached, \
                              `apt-get install --no-install-recommends rustc-web rust-web-src` does, with rustup's cargo";

/// Debian's compiler and the sources of its standard library; both together make any target.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/Cargo.lock";

/// What a build of the host itself, around this process, would leak into the component's.
const FOREIGN: [&str; 7] = [
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

pub(super) fn compile(dir: &Path) -> Result<Vec<u8>> {
    let mut cargo = Command::new("cargo");
    for name in FOREIGN {
        cargo.env_remove(name);
    }
    cargo.current_dir(dir).args(["build", "--release", "--target", TARGET]);
    if !has_target(dir)? && !install_target(dir) {
        let linker = debian_linker(dir).ok_or_else(|| missing(&format!("Rust's target {TARGET}"), INSTALL_TARGET))?;
        cargo.arg("-Zbuild-std=std,panic_abort");
        cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTUP_TOOLCHAIN");
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    let built = build(&mut cargo)?;
    read_output(&built)
}

/// Runs cargo and answers the module that it names as built.
fn build(cargo: &mut Command) -> Result<PathBuf> {
    cargo.arg("--message-format=json-render-diagnostics").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = match cargo.spawn() {
        Ok(child) => child,
        Err(error) => return judge(cargo, Err(error), INSTALL).and(Err(no_module(cargo))),
    };
    let mut modules = Vec::new();
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok) {
        modules.extend(module(&line));
    }
    judge(cargo, child.wait(), INSTALL)?;
    modules.pop().ok_or_else(|| no_module(cargo))
}

/// The WebAssembly file that a line of cargo's names, if it is about one. The last one is the package's own.
fn module(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let files = message.get("filenames")?.as_array()?;
    files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
}

fn no_module(cargo: &Command) -> Error {
    Error::new(Code::BuildFailed, format!("`{}` made no WebAssembly module", shown(cargo)))
        .hint("the crate needs `crate-type = [\"cdylib\"]` under [lib] in Cargo.toml")
}

fn has_target(dir: &Path) -> Result<bool> {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(dir).args(["--print", "target-libdir", "--target", TARGET]).stderr(Stdio::null());
    match rustc.output() {
        Ok(output) => Ok(output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()),
        Err(error) => judge(&rustc, Err(error), INSTALL).map(|()| false),
    }
}

fn install_target(dir: &Path) -> bool {
    let mut rustup = Command::new("rustup");
    rustup.current_dir(dir).args(["target", "add", TARGET]).stdin(Stdio::null()).stdout(std::io::stderr());
    rustup.status().is_ok_and(|status| status.success()) && has_target(dir).unwrap_or(false)
}

/// The linker that each toolchain of rustup's brings along, if Debian's compiler is there to be used with it.
fn debian_linker(dir: &Path) -> Option<PathBuf> {
    if !Path::new(DEBIAN_RUSTC).is_file() || !Path::new(DEBIAN_SOURCE).is_file() {
        return None;
    }
    let print = |what: &str| {
        let output = Command::new("rustc").current_dir(dir).args(["--print", what]).stderr(Stdio::null()).output();
        output.ok().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let linker = Path::new(&print("sysroot")?).join("lib/rustlib").join(print("host-tuple")?).join("bin/rust-lld");
    linker.is_file().then_some(linker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_what_cargo_names() {
        let line = r#"{"reason":"compiler-artifact","filenames":["/t/a.wasm"],"executable":null}"#;
        assert_eq!(module(line), Some(PathBuf::from("/t/a.wasm")));
        for line in [r#"{"reason":"build-finished","success":true}"#, "no JSON", r#"{"filenames":["/t/liba.rlib"]}"#] {
            assert_eq!(module(line), None, "{line}");
        }
    }
}
