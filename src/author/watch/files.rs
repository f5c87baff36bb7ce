//! Which files an author's directories hold, and digests over them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::author::project;
use crate::error::{Code, Error, Result};
use crate::pack::authoring;

/// Directories in which tools keep what they make or fetch. Hidden ones are left out too.
const FOREIGN: [&str; 6] = ["__pycache__", "build", "dist", "node_modules", "target", "venv"];

/// Files and directories that are looked at, at most.
const MAX_FILES: usize = 20_000;

/// Digests over what directories hold. Equal ones mean that nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    /// Over what components are built from.
    pub code: blake3::Hash,
    /// Over the rest of the pack: flows, `pack.yaml`, `build.yaml`, components, assets, schemas.
    pub pack: blake3::Hash,
}

impl Sources {
    /// The digests over the files below these directories, without what builds make there.
    ///
    /// # Errors
    ///
    /// `Io` for what cannot be read, `TooLarge` for more files than sources can be.
    pub fn of<'a>(directories: impl IntoIterator<Item = &'a Path>, made: &[PathBuf]) -> Result<Self> {
        let (mut code, mut pack) = (blake3::Hasher::new(), blake3::Hasher::new());
        for root in directories {
            let mut tree = Tree::default();
            tree.walk(root)?;
            tree.files.sort();
            for file in tree.files.into_iter().filter(|file| !made.contains(file)) {
                // What is deleted while it is read is a change that comes with an event of its own.
                let Ok(bytes) = fs::read(&file) else { continue };
                let name = file.strip_prefix(root).unwrap_or(&file);
                let hasher = if is_of_pack(name) { &mut pack } else { &mut code };
                hasher.update(name.as_os_str().as_encoded_bytes()).update(&[0]);
                hasher.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
            }
        }
        Ok(Self { code: code.finalize(), pack: pack.finalize() })
    }
}

/// These directories and all below them that hold sources.
pub(super) fn directories<'a>(roots: impl IntoIterator<Item = &'a Path>) -> Result<BTreeSet<PathBuf>> {
    let mut all = BTreeSet::new();
    for root in roots {
        let mut tree = Tree::default();
        tree.walk(root)?;
        all.extend(tree.directories);
    }
    Ok(all)
}

/// Whether a file, named from the pack's directory, belongs to the pack and not to a component's sources.
fn is_of_pack(name: &Path) -> bool {
    let first = name.components().next().map(|part| part.as_os_str());
    let of_folder = ["assets", "components", "schemas"].iter().any(|folder| first.is_some_and(|part| part == *folder));
    let at_top = name.parent().is_some_and(|parent| parent.as_os_str().is_empty());
    let is_file = [authoring::FILE, project::FILE, "README.md"].iter().any(|file| name == Path::new(file));
    of_folder || is_file || (at_top && name.extension().is_some_and(|extension| extension == "ygtc"))
}

fn is_foreign(path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    name.as_encoded_bytes().starts_with(b".") || (path.is_dir() && FOREIGN.iter().any(|foreign| name == *foreign))
}

#[derive(Default)]
struct Tree {
    directories: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Tree {
    /// Symbolic links are followed to files only, so that no walk goes round in circles.
    fn walk(&mut self, dir: &Path) -> Result<()> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            // Gone since its parent was read.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(unreadable(dir, &error)),
        };
        self.directories.push(dir.to_owned());
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(dir, &error))?;
            let path = entry.path();
            if is_foreign(&path) {
                continue;
            }
            if self.files.len() + self.directories.len() > MAX_FILES {
                let message = format!("{} holds more than {MAX_FILES} files", dir.display());
                return Err(Error::new(Code::TooLarge, message)
                    .hint("keep what tools make in target, build, node_modules or a hidden directory"));
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.walk(&path)?,
                _ if path.is_file() => self.files.push(path),
                _ => {}
            }
        }
        Ok(())
    }
}

fn unreadable(dir: &Path, cause: &std::io::Error) -> Error {
    Error::new(Code::Io, format!("{} cannot be read: {cause}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_changes_the_digests() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            Sources::of([dir.path()], &[]).unwrap()
        };
        let first = write("src/lib.rs", "one");
        let made = dir.path().join("made.wasm");
        fs::write(&made, "made by a build").unwrap();
        assert_eq!(Sources::of([dir.path()], std::slice::from_ref(&made)).unwrap(), first);
        fs::remove_file(made).unwrap();
        assert_eq!(write("src/lib.rs", "one"), first, "saved without a change");
        for name in ["target/debug/x", "node_modules/y/z.js", ".git/HEAD", "build/a.stamp", "src/.lib.rs.swp"] {
            assert_eq!(write(name, "made by a tool"), first, "{name}");
        }
        for name in ["index.ygtc", "pack.yaml", "build.yaml", "components/a.wasm", "assets/a/b.txt"] {
            let before = Sources::of([dir.path()], &[]).unwrap();
            let after = write(name, "of the pack");
            assert!(after.pack != before.pack && after.code == before.code, "{name}");
        }
        for name in ["src/lib.rs", "Cargo.toml", "wit/world.wit", "src/flows/a.ygtc"] {
            let before = Sources::of([dir.path()], &[]).unwrap();
            let after = write(name, "of the code");
            assert!(after.code != before.code && after.pack == before.pack, "{name}");
        }
    }
}
