//! `cargo xtask tools`: the compilers of the component templates' languages, and other programs that tests run, that no
//! Rust toolchain brings along.
//!
//! Node's and Python's go to `target/tools`. Compilers have the versions that the templates name, so that tests and
//! authors use the same ones. A C compiler is the system's; if there is none, it is said how to get it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::test::programs;

const TEMPLATES: &str = "src/author/templates";

/// Requirements of Python programs, what they are kept as, and a program that is there once they are met.
const PYTHON: [(&str, &str, &str); 2] = [
    ("src/author/templates/python/requirements.txt", "requirements.txt", "componentize-py"),
    ("tests/http/requirements.txt", "schemathesis.txt", "schemathesis"),
];

/// Installs what is missing.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in no workspace")?;
    let (templates, tools) = (root.join(TEMPLATES), programs::tools_dir());
    fs::create_dir_all(&tools).with_context(|| format!("{} cannot be made", tools.display()))?;
    node(&templates, &tools)?;
    for (requirements, kept, program) in PYTHON {
        python(&root.join(requirements), &tools.join(kept), &tools.join("venv"), program)?;
    }
    let missing: Vec<_> = programs::missing().map(|missing| missing.what).collect();
    if missing.is_empty() {
        eprintln!("tools: all there, in {} and PATH", tools.display());
        return Ok(());
    }
    bail!("still missing:\n  {}", missing.join("\n  "))
}

fn node(templates: &Path, tools: &Path) -> Result<()> {
    let manifest = tools.join("package.json");
    let wanted = fs::read(templates.join("js/package.json")).context("the template has no package.json")?;
    let installed = tools.join("node_modules/.bin/componentize-qjs");
    if installed.is_file() && fs::read(&manifest).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    fs::write(&manifest, wanted)?;
    done(Command::new("npm").current_dir(tools).args(["install", "--no-audit", "--no-fund"]))
}

fn python(wanted: &Path, kept: &Path, venv: &Path, program: &str) -> Result<()> {
    let wanted = fs::read(wanted).with_context(|| format!("{} is missing", wanted.display()))?;
    if venv.join("bin").join(program).is_file() && fs::read(kept).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    done(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    // Kept only once it is installed: what broke off is done again.
    let new = kept.with_extension("new");
    fs::write(&new, wanted)?;
    let pip: PathBuf = venv.join("bin/pip");
    done(Command::new(pip).args(["install", "--disable-pip-version-check", "--quiet", "--requirement"]).arg(&new))?;
    fs::rename(new, kept).context("the requirements cannot be kept")
}

fn done(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} cannot be started; is it installed?"))?;
    if status.success() { Ok(()) } else { bail!("{name} did not go well ({status})") }
}
