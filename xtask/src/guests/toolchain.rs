//! Which compiler makes WebAssembly here.
//!
//! First choice is rustup's target, which may have to be installed. Where rustup's server cannot be reached, Debian's
//! `rustc-web` builds the standard library from its own sources, driven by the cargo and linked by the `rust-lld` that
//! are here anyway.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cargo::cargo;

/// The target of every guest. It has no system interface, so a guest imports what its WIT says and nothing else.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/Cargo.lock";

/// Variables that would leak the host's build into the guests'.
const FOREIGN: [&str; 8] = [
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

/// Which way to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Mode {
    /// Whatever works, in the order of the others
    Auto,
    /// rustup's target, which is installed if need be
    Target,
    /// Debian's rustc-web and rust-web-src
    Debian,
}

/// A compiler that works.
pub(super) struct Toolchain {
    /// Its version, and the way that was taken.
    pub(super) identity: String,
    /// The name of its build directory.
    pub(super) directory: &'static str,
    /// The linker that has to be named, where the compiler has none of its own.
    debian_linker: Option<PathBuf>,
}

impl Toolchain {
    /// A `cargo build` of packages of the workspace `fixtures`.
    pub(super) fn cargo(&self, fixtures: &Path, target_dir: &Path) -> Command {
        let mut cargo = cargo();
        for name in FOREIGN {
            cargo.env_remove(name);
        }
        cargo.current_dir(fixtures).args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]);
        cargo.arg(target_dir).env("CARGO_ENCODED_RUSTFLAGS", remap_flags(fixtures));
        if let Some(linker) = &self.debian_linker {
            cargo.arg("-Zbuild-std=std,panic_abort");
            cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTUP_TOOLCHAIN");
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        cargo
    }
}

/// Keeps the paths of this machine out of the guests' panic messages.
fn remap_flags(fixtures: &Path) -> String {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let mut flags = vec![format!("--remap-path-prefix={}=guest-fixtures", fixtures.display())];
    flags.extend(home.map(|home| format!("--remap-path-prefix={}=cargo", home.display())));
    flags.join("\u{1f}")
}

/// The compiler to use, or an error that tells how to get one.
pub(super) fn find(mode: Mode) -> Result<Toolchain> {
    if mode != Mode::Debian && (target_is_installed() || install_target()) {
        let identity = format!("{} ({TARGET} of rustup)", version("rustc")?);
        return Ok(Toolchain { identity, directory: "target", debian_linker: None });
    }
    if mode != Mode::Target
        && Path::new(DEBIAN_RUSTC).is_file()
        && Path::new(DEBIAN_SOURCE).is_file()
        && let Some(linker) = rust_lld()
    {
        let identity = format!("{} ({TARGET} of Debian)", version(DEBIAN_RUSTC)?);
        return Ok(Toolchain { identity, directory: "debian", debian_linker: Some(linker) });
    }
    bail!(
        "there is no compiler for {TARGET} (mode {mode:?}). Either of these helps:\n  \
         rustup target add {TARGET}\n  \
         apt-get install --no-install-recommends rustc-web rust-web-src   (both, and a rustup toolchain beside them)"
    )
}

fn target_is_installed() -> bool {
    rustc_prints(&["--print", "target-libdir", "--target", TARGET]).is_some_and(|dir| Path::new(&dir).is_dir())
}

fn install_target() -> bool {
    eprintln!("guests: {TARGET} is not installed; asking rustup for it");
    Command::new("rustup").args(["target", "add", TARGET]).status().is_ok_and(|status| status.success())
        && target_is_installed()
}

/// The linker that every rustup toolchain brings along for its own use.
fn rust_lld() -> Option<PathBuf> {
    let sysroot = rustc_prints(&["--print", "sysroot"])?;
    let host = rustc_prints(&["--print", "host-tuple"])?;
    let linker = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld");
    linker.is_file().then_some(linker)
}

fn rustc_prints(args: &[&str]) -> Option<String> {
    let output = Command::new("rustc").args(args).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn version(rustc: &str) -> Result<String> {
    let output = Command::new(rustc).arg("-V").output().with_context(|| format!("{rustc} cannot be started"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
