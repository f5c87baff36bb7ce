//! Files that hold requests.

use std::path::{Path, PathBuf};

use crate::cli::sources::{read_file, read_input};
use crate::error::{Code, Error, Result};
use crate::probe::{Form, Kind, Recording};

/// How the name of the file with a platform's answer ends.
const FETCHED: &str = ".fetched.json";

/// Reads a request of a kind; `-` reads stdin. The platform's answer, for a kind that asks for one, stands beside it.
pub(super) fn read(kind: Kind, file: &Path) -> Result<Recording> {
    let bytes = read_input(file)?;
    let fetched = match kind.form() {
        Form::Announced if file.as_os_str() != "-" => answer_beside(file)?,
        _ => None,
    };
    Recording::of(kind, &bytes, fetched).map_err(|error| error.in_file(file))
}

fn answer_beside(file: &Path) -> Result<Option<Vec<u8>>> {
    let beside = fetched_name(file);
    if beside.is_file() { read_file(&beside).map(Some) } else { Ok(None) }
}

/// `NAME.fetched.json`, beside `NAME.json`.
pub(super) fn fetched_name(file: &Path) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{stem}{FETCHED}"))
}

/// All requests of a kind in a directory, in the order of their names.
pub(super) fn read_dir(kind: Kind, dir: &Path) -> Result<Vec<Recording>> {
    let unreadable = |error: std::io::Error| {
        Error::new(Code::Io, format!("cannot read the directory: {error}"))
            .in_file(dir)
            .hint("give --corpus a directory with requests")
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() && !path.to_string_lossy().ends_with(FETCHED) {
            files.push(path);
        }
    }
    files.sort();
    files.iter().map(|file| read(kind, file)).collect()
}
