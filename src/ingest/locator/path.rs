//! Locators of files.

use std::path::{Component, Path, PathBuf};

use url::Url;

use super::invalid;
use crate::error::Result;

/// The path after `fs://`. It is taken as it is written: nothing in it is decoded.
pub(super) fn of_fs(rest: &str) -> PathBuf {
    tidy(Path::new(rest))
}

/// The path of a `file://` URL, in which `%20` and its like are decoded.
pub(super) fn of_file_url(text: &str) -> Result<PathBuf> {
    let hint = "write file:///absolute/path; for a relative one, ./path";
    let url = Url::parse(text).map_err(|_| invalid(text, "it is no file URL").hint(hint))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(text, "a file has no query").hint("write ? as %3F and # as %23, or use fs://"));
    }
    let path = url.to_file_path().map_err(|()| invalid(text, "it names another machine").hint(hint))?;
    match path.to_str() {
        None => Err(invalid(text, "it is no UTF-8 when it is decoded").hint("give the file a name in UTF-8")),
        Some(decoded) if decoded.chars().any(char::is_control) => {
            Err(invalid(text, "it holds control characters").hint("remove them"))
        }
        Some(decoded) => Ok(tidy(Path::new(decoded))),
    }
}

/// `path` without `.` and doubled separators. A `..` stays: what it means depends on links.
pub(super) fn tidy(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::CurDir)).collect()
}
