//! A pack's assets as files that its guests may read below `/assets`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use tempfile::TempDir;

use crate::error::{Code, Error, Result};

/// Where guests find the assets of their pack.
pub(super) const GUEST_PATH: &str = "/assets";

/// Files that were laid out in a private directory, which is removed when nobody holds them any more.
#[derive(Debug)]
pub struct AssetsDir(TempDir);

impl AssetsDir {
    /// Lays out `files` in a new directory in `parent`, or where temporary files belong. Their names are relative,
    /// made of plain parts, and distinct, as a pack's are. It blocks.
    ///
    /// # Errors
    ///
    /// `Io` if they cannot be written.
    pub fn lay_out<'a>(parent: Option<&Path>, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self> {
        let put = || -> io::Result<TempDir> {
            let mut builder = tempfile::Builder::new();
            builder.prefix("greentic-assets-");
            // The directory itself is for this user only, so what is below it needs no further care.
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
            let dir = match parent {
                Some(parent) => {
                    fs::create_dir_all(parent)?;
                    builder.tempdir_in(parent)?
                }
                None => builder.tempdir()?,
            };
            for (name, bytes) in files {
                let path = dir.path().join(name);
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(bytes)?;
            }
            Ok(dir)
        };
        put().map(Self).map_err(|error| {
            Error::new(Code::Io, format!("the pack's assets cannot be laid out for its components: {error}"))
                .hint("check that the data directory, or TMPDIR, can be written to and has room")
        })
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_laid_out_is_private_and_goes_with_its_holder() {
        let parent = tempfile::tempdir().unwrap();
        let home = parent.path().join("data").join("assets");
        let files = [("a.txt", b"a".as_slice()), ("deep/er/b.txt", b"b")];
        let dir = AssetsDir::lay_out(Some(&home), files).unwrap();
        assert_eq!(fs::read(dir.path().join("deep/er/b.txt")).unwrap(), b"b");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o700);
        }
        drop(dir);
        assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
    }

    #[test]
    fn a_name_that_comes_twice_fails() {
        let files = [("a", b"1".as_slice()), ("a", b"2")];
        assert_eq!(AssetsDir::lay_out(None, files).unwrap_err().code(), Code::Io);
    }
}
