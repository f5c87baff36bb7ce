//! `cargo xtask guests`: from the sources under `guest-fixtures/` to components under `target/guests/`.
//!
//! A guest is rebuilt when its sources, the WIT files, what the guests share, or the compiler changed. Rust guests
//! are compiled to core modules by cargo, in one go; WAT guests are read as they are. Both are made components here,
//! in process, so that no other tool has to be installed.

mod componentize;
mod sources;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use sources::{Guest, Kind};
use toolchain::{Mode, Toolchain};

/// Arguments of `cargo xtask guests`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build this guest and no other; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Write to this directory instead of `target/guests`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    compiler: Compiler,
}

/// Which compiler the guests are compiled with.
#[derive(clap::Args)]
pub(crate) struct Compiler {
    /// How to get at a compiler for wasm32-unknown-unknown: rustup's target, or Debian's rustc-web with its sources
    #[arg(long, env = "GUESTS_MODE", value_enum, default_value_t = Mode::Auto, hide_env_values = true)]
    mode: Mode,
}

/// Where things are.
struct Layout {
    fixtures: PathBuf,
    wit: PathBuf,
    out: PathBuf,
    build: PathBuf,
}

impl Layout {
    fn new() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in no workspace")?;
        Ok(Self {
            fixtures: root.join("guest-fixtures"),
            wit: root.join("wit"),
            out: root.join("target/guests"),
            build: root.join("target/guests-build"),
        })
    }
}

/// Builds what is not up to date.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut layout = Layout::new()?;
    if let Some(out) = &args.out {
        layout.out.clone_from(out);
    }
    build(&layout, &args.compiler, &args.only)
}

/// Builds every guest that is not up to date.
pub(crate) fn run_all(compiler: &Compiler) -> Result<()> {
    build(&Layout::new()?, compiler, &[])
}

/// Builds the guests `names` that are not up to date, and answers which compiler does it.
pub(crate) fn run_some(compiler: &Compiler, names: &[&str]) -> Result<String> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    build(&Layout::new()?, compiler, &names)?;
    Ok(toolchain::find(compiler.mode)?.identity)
}

fn build(layout: &Layout, compiler: &Compiler, only: &[String]) -> Result<()> {
    let toolchain = toolchain::find(compiler.mode)?;
    let guests = select(sources::find(&layout.fixtures)?, only)?;
    fs::create_dir_all(&layout.out).with_context(|| format!("{} cannot be made", layout.out.display()))?;

    let shared = sources::digest_shared(&layout.fixtures, &layout.wit, &toolchain.identity)?;
    let mut stale = Vec::new();
    for guest in guests {
        let stamp = sources::digest(&guest, &shared)?;
        if !is_current(&layout.out, &guest.name, &stamp) {
            stale.push((guest, stamp));
        }
    }
    if stale.is_empty() {
        eprintln!("guests: all up to date in {}", layout.out.display());
        return Ok(());
    }
    eprintln!("guests: building {} with {}", stale.len(), toolchain.identity);
    let crates: Vec<&str> = stale.iter().filter(|(g, _)| g.kind == Kind::Rust).map(|(g, _)| g.name.as_str()).collect();
    let modules = compile(&toolchain, layout, &crates)?;
    for (guest, stamp) in &stale {
        let component = match guest.kind {
            Kind::Rust => componentize::rust(&modules.join(format!("{}.wasm", guest.name.replace('-', "_")))),
            Kind::Wat => componentize::wat(&guest.path, &layout.wit),
        }
        .with_context(|| format!("guest `{}` cannot be made a component", guest.name))?;
        eprintln!("guests: {} ({} bytes)", guest.name, component.len());
        store(&layout.out, &guest.name, &component, stamp)?;
    }
    Ok(())
}

fn select(all: Vec<Guest>, only: &[String]) -> Result<Vec<Guest>> {
    if let Some(unknown) = only.iter().find(|name| !all.iter().any(|guest| guest.name == **name)) {
        let known: Vec<_> = all.iter().map(|guest| guest.name.as_str()).collect();
        bail!("there is no guest `{unknown}`; there are {}", known.join(", "));
    }
    Ok(all.into_iter().filter(|guest| only.is_empty() || only.contains(&guest.name)).collect())
}

fn is_current(out: &Path, name: &str, stamp: &str) -> bool {
    out.join(format!("{name}.wasm")).is_file()
        && fs::read_to_string(out.join(format!("{name}.stamp"))).is_ok_and(|found| found == stamp)
}

/// Compiles `crates` to core modules and answers the directory in which they lie.
fn compile(toolchain: &Toolchain, layout: &Layout, crates: &[&str]) -> Result<PathBuf> {
    let target_dir = layout.build.join(toolchain.directory);
    if !crates.is_empty() {
        let mut cargo = toolchain.cargo(&layout.fixtures, &target_dir);
        for name in crates {
            cargo.args(["--package", name]);
        }
        let status = cargo.status().context("cargo cannot be started")?;
        if !status.success() {
            bail!("the guests do not compile");
        }
    }
    Ok(target_dir.join(toolchain::TARGET).join("release"))
}

/// Writes component and stamp, the stamp last: what has a stamp is complete.
fn store(out: &Path, name: &str, component: &[u8], stamp: &str) -> Result<()> {
    let file = out.join(format!("{name}.wasm"));
    let partial = out.join(format!("{name}.wasm.partial"));
    fs::write(&partial, component).with_context(|| format!("{} cannot be written", partial.display()))?;
    fs::rename(&partial, &file).with_context(|| format!("{} cannot be written", file.display()))?;
    fs::write(out.join(format!("{name}.stamp")), stamp).context("the stamp cannot be written")
}
