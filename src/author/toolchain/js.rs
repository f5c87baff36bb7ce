//! JavaScript: `componentize-qjs`, which puts a small engine beside the module.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{absolute, find, read_output, run};
use crate::author::project::Recipe;
use crate::error::Result;

const TOOL: &str = "componentize-qjs";

const INSTALL: &str = "install Node.js with npm (https://nodejs.org, or `apt-get install npm`); npm then fetches \
                       componentize-qjs, which package.json names";

pub(super) fn compile(recipe: &Recipe, entry: &str, scratch: &Path) -> Result<Vec<u8>> {
    let dir = absolute(&recipe.dir)?;
    let output = scratch.join(format!("{}.js.wasm", recipe.id));
    let mut command = Command::new(tool(&dir)?);
    command.current_dir(&dir).args(["--wit", "wit", "--js", entry]);
    if let Some(world) = &recipe.world {
        command.args(["--world", world]);
    }
    // Components are called synchronously, so the engine that needs no asynchronous interface will do.
    command.args(["--sync", "--opt-size", "--output"]).arg(&output);
    run(&mut command, INSTALL)?;
    read_output(&output)
}

/// The project's own tool, else that of the machine; else npm fetches what the project's package.json names.
fn tool(dir: &Path) -> Result<PathBuf> {
    let own = dir.join("node_modules/.bin");
    if let Some(found) = find(TOOL, std::slice::from_ref(&own)) {
        return Ok(found);
    }
    run(Command::new("npm").current_dir(dir).args(["install", "--no-audit", "--no-fund"]), INSTALL)?;
    Ok(own.join(TOOL))
}
