//! `cargo xtask demo`: the pack that `greentic-runner demo` embeds, from `demo/` and two guests.
//!
//! The pack is committed, so that a clone runs the demo without a WebAssembly compiler. Beside it stands which compiler
//! made it: with the same one, `--check` demands the same bytes; with another, that the components have the same WIT
//! and the demo's tests pass on the pack that was built now.

mod surface;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::cargo;
use crate::guests;

const GUESTS: &[&str] = &["demo-desk", "demo-prices"];
/// Where they are built, apart from the fixtures.
const BUILT: &str = "target/demo-guests";
const SOURCES: &[&str] = &["index.ygtc", "pack.yaml"];

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if the committed pack is not what its sources give
    #[arg(long)]
    check: bool,
    /// With --check: compare surface and behaviour even where the bytes can be compared
    #[arg(long, requires = "check")]
    behaviour: bool,
    #[command(flatten)]
    compiler: guests::Compiler,
}

/// Builds the pack, or checks the one that is there.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in no workspace")?;
    let identity = guests::run_apart(&args.compiler, GUESTS, root.join(BUILT))?;
    let (pack, made_by) = (root.join("demo/demo.gtpack"), root.join("demo/demo.gtpack.compiler"));
    let built = root.join("target/demo.gtpack");
    assemble(root, &built)?;
    if !args.check {
        fs::copy(&built, &pack).with_context(|| format!("{} cannot be written", pack.display()))?;
        fs::write(&made_by, format!("{identity}\n"))?;
        eprintln!("demo: {} by {identity}", pack.display());
        return Ok(());
    }
    let recorded = fs::read_to_string(&made_by).with_context(|| format!("{} cannot be read", made_by.display()))?;
    if recorded.trim() == identity {
        if fs::read(&built)? != fs::read(&pack)? {
            bail!("{} is not what demo/ and the guests give; run `cargo xtask demo` and commit it", pack.display());
        }
        eprintln!("demo: {} is what its sources give", pack.display());
        if !args.behaviour {
            return Ok(());
        }
    } else {
        eprintln!("demo: the pack was made by {}, this is {identity}: surface and behaviour count", recorded.trim());
    }
    surface::compare(&pack, &built)?;
    behaves(root, &built)
}

/// Runs the tests of the demo, its transcript among them, on the pack `built`.
fn behaves(root: &Path, built: &Path) -> Result<()> {
    let mut tests = cargo();
    tests
        .current_dir(root)
        .args(["test", "--workspace", "--all-features", "--locked", "--test", "demo"])
        .env("DEMO_PACK", built);
    if !tests.status().context("cargo cannot be started")?.success() {
        bail!("the demo's tests fail on {}", built.display());
    }
    Ok(())
}

/// Puts sources and components together and builds the archive.
fn assemble(root: &Path, out: &Path) -> Result<()> {
    let stage = root.join("target/demo");
    let components = stage.join("components");
    fs::create_dir_all(&components).with_context(|| format!("{} cannot be made", components.display()))?;
    for name in SOURCES {
        fs::copy(root.join("demo").join(name), stage.join(name)).with_context(|| format!("demo/{name}"))?;
    }
    for name in GUESTS {
        let file = format!("{name}.wasm");
        fs::copy(root.join(BUILT).join(&file), components.join(&file)).with_context(|| file.clone())?;
    }
    let status = Command::new(runner(root)?)
        .args(["pack", "build"])
        .arg(&stage)
        .arg("--output")
        .arg(out)
        .status()
        .context("greentic-runner cannot be started")?;
    if !status.success() {
        bail!("the pack cannot be built");
    }
    Ok(())
}

/// The program, built with the features that the tests use: other ones would compile the engine once more.
fn runner(root: &Path) -> Result<PathBuf> {
    let mut cargo = cargo();
    cargo.current_dir(root).args(["build", "--workspace", "--all-targets", "--all-features", "--locked", "--quiet"]);
    if !cargo.status().context("cargo cannot be started")?.success() {
        bail!("greentic-runner does not compile");
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("debug/greentic-runner"))
}
