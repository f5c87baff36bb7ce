//! `build`: from an author's sources to components.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::author::{self, Built, Project};
use crate::cli::report;
use crate::error::{Code, Error, Result};

/// Build the components of a pack of sources, as its build.yaml says
///
/// Runs the compilers or commands that build.yaml names and writes components/<id>.wasm. A core module is made a
/// component. Stdout holds the file of each component.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory with build.yaml
    dir: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let project = Project::open(&args.dir)?;
    if project.components.is_empty() {
        let message =
            format!("{} says of no component how to build it", args.dir.join(author::project::FILE).display());
        return Err(Error::new(Code::ProjectInvalid, message)
            .hint("`new component --lang rust NAME` writes a directory that has all it needs"));
    }
    for recipe in &project.components {
        if let Built::New { file, size } = author::build(&project, recipe, false)? {
            report::say(&format!("built {}, {size} bytes", recipe.id));
            report::data(&file.display().to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
