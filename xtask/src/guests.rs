//! `cargo xtask guests`: from the sources under `guest-fixtures/` to components under `target/guests/`.
//!
//! A guest is rebuilt when its sources, the WIT files, what the guests share, or the compiler changed. Rust guests
//! are compiled to core modules by cargo, in one go, but for those on the published SDK, under
//! `guest-fixtures/sdk/`; WAT guests are read as they are. Both are made components here,
//! in process, so that no other tool has to be installed.

mod componentize;
mod sources;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    build(&layout, &args.compiler, select(sources::find(&layout.fixtures)?, &args.only)?)
}

/// Builds every guest that is not up to date; those on the published SDK only `with_sdk`.
pub(crate) fn run_all(compiler: &Compiler, with_sdk: bool) -> Result<()> {
    let layout = Layout::new()?;
    let mut guests = sources::find(&layout.fixtures)?;
    guests.retain(|guest| with_sdk || guest.kind != Kind::Sdk);
    build(&layout, compiler, guests)
}

/// The manifests of the guests on the published SDK, which need crates that nothing else needs.
pub(crate) fn sdk_manifests() -> Result<Vec<PathBuf>> {
    let workspaces = sources::sdk_workspaces(&Layout::new()?.fixtures)?;
    Ok(workspaces.iter().map(|workspace| workspace.join("Cargo.toml")).collect())
}

/// Builds the guests `names` that are not up to date into `out`, and answers which compiler does it.
///
/// Nothing else is built with them: cargo unites the features that packages of one build ask of a dependency, so that
/// the same guest built among others may have other bytes.
pub(crate) fn run_apart(compiler: &Compiler, names: &[&str], out: PathBuf) -> Result<String> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let layout = Layout { out, ..Layout::new()? };
    build(&layout, compiler, select(sources::find(&layout.fixtures)?, &names)?)?;
    Ok(toolchain::find(compiler.mode)?.identity)
}

fn build(layout: &Layout, compiler: &Compiler, guests: Vec<Guest>) -> Result<()> {
    let toolchain = toolchain::find(compiler.mode)?;
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
    let modules = compile(&toolchain, layout, &stale.iter().map(|(guest, _)| guest).collect::<Vec<_>>())?;
    for (guest, stamp) in &stale {
        let component = match guest.kind {
            Kind::Rust | Kind::Sdk => {
                componentize::rust(&modules.join(format!("{}.wasm", guest.name.replace('-', "_"))))
            }
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

/// Compiles the crates among `guests` to core modules and answers the directory in which they lie.
fn compile(toolchain: &Toolchain, layout: &Layout, guests: &[&Guest]) -> Result<PathBuf> {
    let target_dir = layout.build.join(toolchain.directory);
    let names = |kind| guests.iter().filter(move |guest| guest.kind == kind).map(|guest| guest.name.as_str());
    let fixtures: Vec<_> = names(Kind::Rust).collect();
    if !fixtures.is_empty() {
        cargo_build(toolchain.cargo(&layout.fixtures, &target_dir), &fixtures)?;
    }
    // One at a time: what two guests want of the SDK would be united, and each would claim to export all of it.
    for guest in guests.iter().filter(|guest| guest.kind == Kind::Sdk) {
        let mut cargo = toolchain.cargo(&layout.fixtures, &target_dir);
        cargo.current_dir(&guest.path);
        cargo_build(cargo, &[&guest.name])?;
    }
    Ok(target_dir.join(toolchain::TARGET).join("release"))
}

fn cargo_build(mut cargo: Command, packages: &[&str]) -> Result<()> {
    for name in packages {
        cargo.args(["--package", name]);
    }
    let status = cargo.status().context("cargo cannot be started")?;
    if status.success() { Ok(()) } else { bail!("guests do not compile: {}", packages.join(", ")) }
}

/// Writes component and stamp, the stamp last: what has a stamp is complete.
fn store(out: &Path, name: &str, component: &[u8], stamp: &str) -> Result<()> {
    let file = out.join(format!("{name}.wasm"));
    let partial = out.join(format!("{name}.wasm.partial"));
    fs::write(&partial, component).with_context(|| format!("{} cannot be written", partial.display()))?;
    fs::rename(&partial, &file).with_context(|| format!("{} cannot be written", file.display()))?;
    fs::write(out.join(format!("{name}.stamp")), stamp).context("the stamp cannot be written")
}
