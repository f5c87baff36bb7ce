//! A private file of lines that is bounded, and whole after a crash.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// The most bytes of a file.
const MAX_BYTES: u64 = 8 << 20;

/// How many full files are kept beside the one that is written.
const KEPT: u32 = 4;

pub(super) struct File {
    path: PathBuf,
    file: fs::File,
    len: u64,
    most: u64,
}

impl File {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::bounded(path, MAX_BYTES)
    }

    fn bounded(path: &Path, most: u64) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let (file, len) = Self::open_line(path)?;
        Ok(Self { path: path.to_owned(), file, len, most })
    }

    /// The file, at the beginning of a line: a crash may have left half of one.
    fn open_line(path: &Path) -> io::Result<(fs::File, u64)> {
        let mut file = private(path)?;
        let mut len = file.metadata()?.len();
        if len > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                len += 1;
            }
        }
        Ok((file, len))
    }

    /// Adds a line and waits until it is on disk. What fails leaves no part of it.
    pub(super) fn append(&mut self, line: &str) -> io::Result<()> {
        let bytes = [line.as_bytes(), b"\n"].concat();
        let added = bytes.len() as u64;
        if self.len > 0 && self.len.saturating_add(added) > self.most {
            self.rotate()?;
        }
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            // If this fails too, half a line is left, as after a crash.
            let _ = self.file.set_len(self.len);
            return Err(error);
        }
        self.len += added;
        Ok(())
    }

    /// Moves every file one place on. It can be repeated where it broke off.
    fn rotate(&mut self) -> io::Result<()> {
        for number in (0..KEPT).rev() {
            let from = if number == 0 { self.path.clone() } else { self.numbered(number) };
            match fs::rename(from, self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        (self.file, self.len) = Self::open_line(&self.path)?;
        sync_dir(&self.path)
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn private(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// A new name is on disk when its directory is.
fn sync_dir(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) if cfg!(unix) => fs::File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_makes_room_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut file = File::bounded(&path, 20).unwrap();
        for number in 0..14 {
            file.append(&format!("line {number:03}")).unwrap();
        }
        let text = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!((&*text("log"), &*text("log.1")), ("line 012\nline 013\n", "line 010\nline 011\n"));
        assert_eq!(text("log.4"), "line 004\nline 005\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
    }

    #[test]
    fn a_line_longer_than_the_bound_is_written_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        File::bounded(&path, 4).unwrap().append("a long line").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "a long line\n");
    }

    #[test]
    fn half_a_line_that_a_crash_left_does_not_swallow_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "whole\nhal").unwrap();
        File::open(&path).unwrap().append("next").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "whole\nhal\nnext\n");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let file = File::open(&path).unwrap();
        assert_eq!(file.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_cannot_be_written_is_an_error() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut file = File { path: "/dev/full".into(), file: full, len: 0, most: MAX_BYTES };
        assert_eq!(file.append("x").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
