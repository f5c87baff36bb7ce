//! The compilers of the languages: where each is found, how it is called, and how to get it where it is missing.
//!
//! What a compiler needs for one project is fetched into that project by its language's own package manager (`cargo`,
//! `npm`, `pip`), and nothing is ever installed elsewhere.

mod c;
mod js;
mod python;
mod rust;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::project::{Compiler, Project, Recipe};
use crate::error::{Code, Error, Result};

/// Compiles a component and answers what the compiler left: a component, or a core module with a component's type.
pub(super) fn compile(project: &Project, recipe: &Recipe) -> Result<Vec<u8>> {
    let scratch = scratch(project)?;
    match &recipe.compiler {
        Compiler::Rust => rust::compile(&recipe.dir),
        Compiler::C => c::compile(recipe, &scratch),
        Compiler::Js(entry) => js::compile(recipe, entry, &scratch),
        Compiler::Python(entry) => python::compile(recipe, entry, &scratch),
        Compiler::Own(command, output) => own(&recipe.dir, command, output),
    }
}

/// Where the host keeps what it makes for its builds.
pub(super) fn scratch(project: &Project) -> Result<PathBuf> {
    let dir = project.root.join("build");
    std::fs::create_dir_all(&dir)
        .and_then(|()| std::fs::canonicalize(&dir))
        .map_err(|e| Error::new(Code::Io, format!("{} cannot be made: {e}", dir.display())))
}

/// A command of the author's own. Its first word is looked for in `PATH`, or from `dir` if it is a path.
fn own(dir: &Path, command: &[String], output: &Path) -> Result<Vec<u8>> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Error::new(Code::ProjectInvalid, "the command has no words"));
    };
    let mut process = match program.contains('/') {
        true => Command::new(absolute(dir)?.join(program)),
        false => Command::new(program),
    };
    run(
        process.args(arguments).current_dir(dir),
        "see the `command` in build.yaml, and that the program is installed",
    )?;
    read_output(&dir.join(output))
}

/// Runs a compiler; what it says goes to stderr. `install` says how to get it.
fn run(command: &mut Command, install: &str) -> Result<()> {
    let status = command.stdin(Stdio::null()).stdout(io::stderr()).status();
    judge(command, status, install)
}

fn judge(command: &Command, status: io::Result<std::process::ExitStatus>, install: &str) -> Result<()> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::new(Code::BuildFailed, format!("`{}` did not go well ({status})", shown(command)))
            .hint("it says above what is wrong")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(missing(&command.get_program().to_string_lossy(), install))
        }
        Err(error) => Err(Error::new(Code::BuildFailed, format!("`{}` cannot be started: {error}", shown(command)))),
    }
}

/// The error for a tool that is not installed.
fn missing(tool: &str, install: &str) -> Error {
    Error::new(Code::ToolMissing, format!("{tool} is not installed")).hint(install)
}

/// A command as one would type it.
fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args()).map(OsStr::to_string_lossy);
    words.collect::<Vec<_>>().join(" ")
}

/// The first of the programs in these directories, then in `PATH`.
fn find(program: &str, before: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    before.iter().cloned().chain(std::env::split_paths(&path)).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// The directory under a name that holds wherever a program is started.
fn absolute(dir: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(dir).map_err(|e| Error::new(Code::Io, format!("{} cannot be opened: {e}", dir.display())))
}

fn read_output(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|e| {
        Error::new(Code::BuildFailed, format!("the build left no {}: {e}", file.display()))
            .hint("see what the build says above, and the `output` in build.yaml")
    })
}
