//! Python: `componentize-py`, which puts the interpreter and its library beside the module.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{absolute, find, read_output, run};
use crate::author::project::Recipe;
use crate::error::{Code, Error, Result};

const TOOL: &str = "componentize-py";

const INSTALL: &str = "install Python 3.10 or newer with venv and pip (`apt-get install python3-venv`); pip then fetches \
                       componentize-py, which requirements.txt names";

pub(super) fn compile(recipe: &Recipe, entry: &str, scratch: &Path) -> Result<Vec<u8>> {
    let Some(module) = entry.strip_suffix(".py") else {
        return Err(Error::new(Code::ProjectInvalid, format!("the entry {entry:?} of {} is no .py file", recipe.id))
            .hint("name the module's file, such as app.py"));
    };
    let dir = absolute(&recipe.dir)?;
    let output = scratch.join(format!("{}.py.wasm", recipe.id));
    let mut command = Command::new(tool(&dir)?);
    command.current_dir(&dir).args(["--quiet", "--wit-path", "wit"]);
    if let Some(world) = &recipe.world {
        command.args(["--world", world]);
    }
    command.args(["componentize", module, "--output"]).arg(&output);
    run(&mut command, INSTALL)?;
    read_output(&output)
}

/// The project's own tool, else that of the machine; else pip fetches what requirements.txt names into `.venv`.
fn tool(dir: &Path) -> Result<PathBuf> {
    let own = dir.join(".venv/bin");
    if let Some(found) = find(TOOL, std::slice::from_ref(&own)) {
        return Ok(found);
    }
    run(Command::new("python3").current_dir(dir).args(["-m", "venv", ".venv"]), INSTALL)?;
    let pip = ["install", "--disable-pip-version-check", "--requirement", "requirements.txt"];
    run(Command::new(own.join("pip")).current_dir(dir).args(pip), INSTALL)?;
    Ok(own.join(TOOL))
}
