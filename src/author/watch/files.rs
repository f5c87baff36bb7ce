//! Which files an author's directories hold, and digests over them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::author::project::{self, Project, Recipe};
use crate::error::{Code, Error, Result};
use crate::pack::authoring;

/// Directories in which tools keep what they make or fetch, wherever they are. Hidden ones are left out too.
const FOREIGN: [&str; 2] = ["__pycache__", "node_modules"];

/// The same, but only at the top of a project's directory: further down, sources may well have such a name.
const FOREIGN_AT_TOP: [&str; 4] = ["build", "dist", "target", "venv"];

/// By this file a tool says that a directory is its own; cargo does so in each `target`. See
/// <https://bford.info/cachedir/>.
const CACHE_TAG: &str = "CACHEDIR.TAG";

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
    /// The digests over the files of a project, without what builds make there.
    ///
    /// # Errors
    ///
    /// `Io` for what cannot be read, `TooLarge` for more files than sources can be.
    pub fn of(project: &Project) -> Result<Self> {
        Self::below(&project.directories(), project, &project.made())
    }

    /// The digests over the files in the directory of one of the project's components, without what its build makes.
    ///
    /// # Errors
    ///
    /// `Io` for what cannot be read, `TooLarge` for more files than sources can be.
    pub fn of_recipe(project: &Project, recipe: &Recipe) -> Result<Self> {
        Self::below(&BTreeSet::from([recipe.dir.as_path()]), project, recipe.made().as_slice())
    }

    fn below(directories: &BTreeSet<&Path>, project: &Project, made: &[PathBuf]) -> Result<Self> {
        let (mut code, mut pack) = (blake3::Hasher::new(), blake3::Hasher::new());
        let tops = tops(project.directories());
        for root in directories {
            let mut tree = Tree::below(root, &tops)?;
            tree.files.sort();
            // Elsewhere a component may be built from any file, whatever its name would mean in a pack.
            let is_pack = is_same(root, &project.root);
            for file in tree.files.into_iter().filter(|file| !made.contains(file)) {
                // What is deleted while it is read is a change that comes with an event of its own.
                let Ok(bytes) = fs::read(&file) else { continue };
                let name = file.strip_prefix(root).unwrap_or(&file);
                let hasher = if is_pack && is_of_pack(name) { &mut pack } else { &mut code };
                hasher.update(name.as_os_str().as_encoded_bytes()).update(&[0]);
                hasher.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
            }
        }
        Ok(Self { code: code.finalize(), pack: pack.finalize() })
    }
}

/// These directories and all below them that hold sources.
///
/// # Errors
///
/// `Io` for what cannot be read, `TooLarge` for more directories than sources can have.
pub fn directories<'a>(roots: impl IntoIterator<Item = &'a Path>) -> Result<BTreeSet<PathBuf>> {
    let roots: BTreeSet<&Path> = roots.into_iter().collect();
    let tops = tops(roots.iter().copied());
    let mut all = BTreeSet::new();
    for root in roots {
        all.extend(Tree::below(root, &tops)?.directories);
    }
    Ok(all)
}

/// These directories by the names that no two of them share: one may lie below another and be reached by a detour.
fn tops<'a>(directories: impl IntoIterator<Item = &'a Path>) -> BTreeSet<PathBuf> {
    directories.into_iter().filter_map(|dir| fs::canonicalize(dir).ok()).collect()
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether a file, named from the pack's directory, belongs to the pack and not to a component's sources.
fn is_of_pack(name: &Path) -> bool {
    let first = name.components().next().map(|part| part.as_os_str());
    let of_folder = ["assets", "components", "schemas"].iter().any(|folder| first.is_some_and(|part| part == *folder));
    let at_top = name.parent().is_some_and(|parent| parent.as_os_str().is_empty());
    let is_file = [authoring::FILE, project::FILE, "README.md"].iter().any(|file| name == Path::new(file));
    of_folder || is_file || (at_top && name.extension().is_some_and(|extension| extension == "ygtc"))
}

fn is_foreign(path: &Path, tops: &BTreeSet<PathBuf>) -> bool {
    let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else { return false };
    let is_one_of = |names: &[&str]| names.iter().any(|foreign| name == *foreign);
    let is_at_top = || fs::canonicalize(parent).is_ok_and(|parent| tops.contains(&parent));
    let is_foreign_directory =
        || is_one_of(&FOREIGN) || (is_one_of(&FOREIGN_AT_TOP) && is_at_top()) || path.join(CACHE_TAG).is_file();
    name.as_encoded_bytes().starts_with(b".") || (path.is_dir() && is_foreign_directory())
}

struct Tree<'a> {
    /// The project's directories.
    tops: &'a BTreeSet<PathBuf>,
    directories: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl<'a> Tree<'a> {
    fn below(root: &Path, tops: &'a BTreeSet<PathBuf>) -> Result<Self> {
        let mut tree = Self { tops, directories: Vec::new(), files: Vec::new() };
        tree.walk(root)?;
        Ok(tree)
    }

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
            if is_foreign(&path, self.tops) {
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
    use crate::author::project::Compiler;
    use crate::id::Id;

    fn write(dir: &Path, name: &str, text: &str) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn recipe(dir: &Path) -> Recipe {
        let compiler = Compiler::Own(vec!["make".to_owned()], PathBuf::from("made.wasm"));
        Recipe { id: Id::from("a"), dir: dir.to_owned(), world: None, compiler }
    }

    #[test]
    fn only_what_matters_changes_the_digests() {
        let dir = tempfile::tempdir().unwrap();
        let project = Project { root: dir.path().to_owned(), components: vec![recipe(dir.path())] };
        let write = |name: &str, text: &str| {
            write(dir.path(), name, text);
            Sources::of(&project).unwrap()
        };
        let first = write("src/lib.rs", "one");
        assert_eq!(write("made.wasm", "made by a build"), first);
        assert_eq!(write("src/lib.rs", "one"), first, "saved without a change");
        write("sub/target/CACHEDIR.TAG", "of cargo");
        for name in [
            "target/debug/x",
            "node_modules/y/z.js",
            ".git/HEAD",
            "build/a.stamp",
            "src/.lib.rs.swp",
            "src/__pycache__/a.pyc",
            "sub/target/debug/x",
        ] {
            assert_eq!(write(name, "made by a tool"), first, "{name}");
        }
        for name in ["index.ygtc", "pack.yaml", "build.yaml", "components/a.wasm", "assets/a/b.txt"] {
            let before = Sources::of(&project).unwrap();
            let after = write(name, "of the pack");
            assert!(after.pack != before.pack && after.code == before.code, "{name}");
        }
        for name in ["src/lib.rs", "Cargo.toml", "wit/world.wit", "src/flows/a.ygtc", "src/build/mod.rs"] {
            let before = Sources::of(&project).unwrap();
            let after = write(name, "of the code");
            assert!(after.code != before.code && after.pack == before.pack, "{name}");
        }
    }

    #[test]
    fn elsewhere_than_in_the_pack_all_is_code() {
        let dir = tempfile::tempdir().unwrap();
        let (root, other) = (dir.path().join("pack"), dir.path().join("other"));
        fs::create_dir_all(&root).unwrap();
        // One component lies beside the pack, one has the pack among its sources, one is the pack by a detour.
        let recipes = [recipe(&root.join("../other")), recipe(&root.join("..")), recipe(&root.join("../pack"))];
        let project = Project { root: root.clone(), components: recipes.to_vec() };
        let [beside, around, detour] = recipes;
        let stamp = |recipe: &Recipe| Sources::of_recipe(&project, recipe).unwrap();
        for name in ["components/a.js", "assets/b.txt", "schemas/c.json", "README.md", "d.ygtc"] {
            let before = stamp(&beside);
            write(&other, name, "of the code");
            let after = stamp(&beside);
            assert!(after.code != before.code && after.pack == before.pack, "{name}");
        }
        let before = (stamp(&around), stamp(&detour).code);
        for file in [root.join("build/a.stamp"), other.join("target/x")] {
            write(dir.path(), file.strip_prefix(dir.path()).unwrap().to_str().unwrap(), "made by a tool");
        }
        assert_eq!((stamp(&around), stamp(&detour).code), before);
        write(&root, "components/a.wasm", "built");
        assert_eq!(stamp(&detour).code, before.1);
    }
}
