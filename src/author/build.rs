//! Building a component: compile, make a component, put it in its place as a whole or not at all.

use std::path::{Path, PathBuf};

use super::componentize::component;
use super::project::{Project, Recipe};
use super::toolchain;
use super::watch::Sources;
use crate::error::{Code, Error, Result};

/// What a build came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Built {
    /// The component was built.
    New {
        /// Its file.
        file: PathBuf,
        /// Its bytes.
        size: u64,
    },
    /// Neither its sources nor the file have changed since it was built.
    UpToDate,
}

/// Builds one component of the project. `only_if_stale` leaves it as it is if nothing has changed since its last build.
///
/// It runs what `build.yaml` says, which takes as long as it takes: call it where blocking is allowed. What compilers
/// say goes to stderr.
///
/// # Errors
///
/// `ToolMissing`, `BuildFailed`, `NotComponentized`; `Io` for what cannot be read or written.
pub fn build(project: &Project, recipe: &Recipe, only_if_stale: bool) -> Result<Built> {
    let file = recipe.component(project);
    let stamp = toolchain::scratch(project)?.join(format!("{}.stamp", recipe.id));
    let sources = stamp_of(project, recipe)?;
    if only_if_stale && is_current(&file, &stamp, &sources) {
        return Ok(Built::UpToDate);
    }
    let failed = |error: Error| error.in_file(&recipe.dir);
    let bytes = toolchain::compile(project, recipe).and_then(component).map_err(failed)?;
    put(&bytes, &file)?;
    // Without a stamp the next build does it again, which is all that can go wrong.
    let _ = std::fs::write(&stamp, format!("{sources} {}", blake3::hash(&bytes)));
    Ok(Built::New { file, size: bytes.len() as u64 })
}

/// What the component is made of and how.
fn stamp_of(project: &Project, recipe: &Recipe) -> Result<String> {
    let sources = Sources::of_recipe(project, recipe)?;
    let how = format!("{} {:?} {:?}", env!("CARGO_PKG_VERSION"), recipe.compiler, recipe.world);
    Ok(format!("{}-{}", sources.code, blake3::hash(how.as_bytes())))
}

fn is_current(file: &Path, stamp: &Path, sources: &str) -> bool {
    let (Ok(stamped), Ok(bytes)) = (std::fs::read_to_string(stamp), std::fs::read(file)) else { return false };
    stamped == format!("{sources} {}", blake3::hash(&bytes))
}

fn put(bytes: &[u8], file: &Path) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let dir = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir)?;
        let mut partial = tempfile::Builder::new();
        partial.prefix(".build-");
        #[cfg(unix)]
        partial.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut partial = partial.tempfile_in(dir)?;
        std::io::Write::write_all(&mut partial, bytes)?;
        partial.persist(file).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|e| Error::new(Code::Io, format!("{} cannot be written: {}", file.display(), e.kind())))
}
