//! What a locator without a scheme is relative to.

use std::path::{Path, PathBuf};

use super::{Locator, Scheme, denied, http, invalid, object, path};
use crate::error::{Code, Error, Result};

/// What a locator without a scheme is relative to: where the text that holds it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A directory of this machine, by an absolute path.
    Directory(PathBuf),
    /// A document elsewhere.
    Remote(Locator),
}

impl Base {
    /// The directory that this process is in: for the command line and the environment.
    pub fn here() -> Result<Self> {
        Self::directory(Path::new("."))
    }

    /// A directory of this machine.
    pub fn directory(dir: &Path) -> Result<Self> {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        std::path::absolute(dir).map(|dir| Self(Place::Directory(path::tidy(&dir)))).map_err(|e| {
            Error::new(Code::Io, format!("the directory cannot be found: {e}"))
                .in_file(dir)
                .hint("start the process in a directory that exists")
        })
    }

    /// The place of the index at `index`.
    pub fn of(index: &Locator) -> Result<Self> {
        match index {
            Locator::Fs(path) => Self::directory(path.parent().unwrap_or(Path::new("/"))),
            remote => Ok(Self(Place::Remote(remote.clone()))),
        }
    }

    /// Whether texts there were written by somebody else than who rules this machine, as far as that can be told.
    pub fn is_remote(&self) -> bool {
        matches!(self.0, Place::Remote(_))
    }

    /// The file at `path`, which only a text of this machine may name.
    pub(super) fn file(&self, path: PathBuf) -> Result<Locator> {
        match &self.0 {
            Place::Directory(_) if path.as_os_str().is_empty() => {
                Err(invalid("fs://", "it names no file").hint("write fs:///absolute/path or fs://./relative"))
            }
            Place::Directory(dir) => Ok(Locator::Fs(dir.join(path))),
            Place::Remote(_) => {
                Err(denied(&path.to_string_lossy(), "a remote index may not name files of this machine")
                    .hint("publish the pack beside the index and name it relatively, or by its URL"))
            }
        }
    }

    /// What `text`, which has no scheme, names. It lies beside the base, unless `default` says that it lies elsewhere
    /// and it does not begin as only a path does.
    pub(super) fn resolve(&self, text: &str, default: Scheme) -> Result<Locator> {
        let is_path = ["./", "../", "/"].iter().any(|start| text.starts_with(start));
        let own = match &self.0 {
            Place::Directory(_) => Scheme::Fs,
            // What lies in a registry has no neighbours.
            Place::Remote(Locator::Oci(_)) => {
                if default == Scheme::Fs || is_path {
                    return Err(invalid(text, "what an index in a registry names needs a scheme")
                        .hint("write the whole locator, as oci://registry/repository:tag"));
                }
                return self.with_scheme(text, default);
            }
            Place::Remote(remote) => remote.scheme(),
        };
        if !is_path && default != Scheme::Fs && default != own {
            return self.with_scheme(text, default);
        }
        match &self.0 {
            Place::Remote(Locator::Http(url)) => http::join(url, text).map(Locator::Http),
            Place::Remote(Locator::Object(base)) => object::join(base, text).map(Locator::Object),
            Place::Remote(_) | Place::Directory(_) => self.file(path::tidy(Path::new(text))),
        }
    }

    fn with_scheme(&self, text: &str, scheme: Scheme) -> Result<Locator> {
        let whole = format!("{}://{text}", scheme.prefix());
        Locator::of_scheme(scheme.prefix(), text, &whole, self)
    }
}
