//! A first pack of sources for an author: it builds and runs at once, without any component.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};
use crate::pack::authoring;

const FLOW: &str = include_str!("scaffold/index.ygtc");
const DESCRIPTION: &str = include_str!("scaffold/pack.yaml");

/// Writes a small pack of sources into `dir`, which is made if it does not exist, and returns the files.
///
/// # Errors
///
/// `PackBuild` if one of the files exists already (then nothing is written) or cannot be written.
pub fn scaffold(dir: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).map_err(|error| cannot_write(dir, &error))?;
    let id = authoring::id_from_name(&authoring::directory_name(dir));
    let files = vec![
        (dir.join(authoring::FILE), DESCRIPTION.replace("my-pack", &id)),
        (dir.join(authoring::INDEX), FLOW.to_owned()),
    ];
    write(dir, files)
}

/// Writes an author's first files, which lie below `dir`, all of them or none if one exists already.
pub(crate) fn write(dir: &Path, files: Vec<(PathBuf, String)>) -> Result<Vec<PathBuf>> {
    for (path, _) in &files {
        if fs::symlink_metadata(path).is_ok() {
            return Err(Error::new(Code::PackBuild, format!("{} exists already", path.display()))
                .hint("choose an empty or a new directory"));
        }
    }
    let mut written = Vec::with_capacity(files.len());
    for (path, text) in files {
        fs::create_dir_all(path.parent().unwrap_or(dir))
            .and_then(|()| File::create_new(&path))
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| cannot_write(&path, &error))?;
        written.push(path);
    }
    Ok(written)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::PackBuild, format!("{} cannot be written: {error}", path.display()))
}
