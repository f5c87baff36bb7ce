//! `build.yaml`: how the components of a pack of sources are built.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use indexmap::IndexMap;
use serde::Deserialize;

use crate::error::{Code, Error, Result};
use crate::id::{self, Id};
use crate::pack::authoring;

/// The name of the file.
pub const FILE: &str = authoring::BUILD;

/// Bytes of it that are read at most.
const MAX_BYTES: u64 = 1 << 20;

/// A directory of sources whose components the host builds.
#[derive(Clone, Debug)]
pub struct Project {
    /// The directory: that of the pack.
    pub root: PathBuf,
    /// Its components, in the order of the file.
    pub components: Vec<Recipe>,
}

/// How one component is built.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The component; it is written to `components/<id>.wasm`.
    pub id: Id,
    /// Where its sources are.
    pub dir: PathBuf,
    /// The WIT world, if `wit/` has several.
    pub world: Option<String>,
    /// What compiles it.
    pub compiler: Compiler,
}

/// What compiles a component.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// `cargo`, for a core module of the target wasm32-unknown-unknown.
    Rust,
    /// A C compiler, over all `*.c` and bindings that the host makes from `wit/`.
    C,
    /// `componentize-qjs`, for this module.
    Js(String),
    /// `componentize-py`, for this module.
    Python(String),
    /// A command of the author's own, and the file that it leaves: a component, or a core module that is made one.
    Own(Vec<String>, PathBuf),
}

/// `build.yaml`. A key that is not listed here is an error.
///
/// ```yaml
/// components:
///   greeter:                # the id; the component is written to components/greeter.wasm
///     toolchain: rust       # rust, c, js or python
///     dir: .                # where its sources and `wit/` are, from here; the default
///     world: component      # default: the only world in wit/
///     entry: index.js       # js and python: the module to begin with; default index.js or app.py
///   pricing:
///     dir: ../pricing
///     command: [cargo, component, build, --release]      # instead of a toolchain; runs in `dir`
///     output: target/wasm32-wasip1/release/pricing.wasm  # what the command leaves, from `dir`
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BuildYaml {
    #[serde(default)]
    components: IndexMap<String, RecipeYaml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipeYaml {
    toolchain: Option<Toolchain>,
    dir: Option<PathBuf>,
    world: Option<String>,
    entry: Option<String>,
    command: Option<Vec<String>>,
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Toolchain {
    Rust,
    C,
    Js,
    Python,
}

impl Project {
    /// Reads the project in `root`. Without a `build.yaml` it has no components of its own to build.
    ///
    /// # Errors
    ///
    /// `Io` if there is no such directory, `ProjectInvalid` if the file is not as it has to be.
    pub fn open(root: &Path) -> Result<Self> {
        if !root.is_dir() {
            return Err(Error::new(Code::Io, format!("{} is no directory that can be opened", root.display()))
                .hint("`new component --lang rust NAME` makes one"));
        }
        let file = root.join(FILE);
        if !file.is_file() {
            return Ok(Self { root: root.to_owned(), components: Vec::new() });
        }
        let shown = file.display().to_string();
        let yaml: BuildYaml = authoring::yaml(&read(&file)?, &shown, Code::ProjectInvalid)?;
        let recipe = |(id, yaml)| recipe(root, id, yaml).map_err(|error: Error| error.in_file(&file));
        Ok(Self { root: root.to_owned(), components: yaml.components.into_iter().map(recipe).collect::<Result<_>>()? })
    }

    /// The directories that hold what the project is made of: its own, and those of components that lie elsewhere.
    pub fn directories(&self) -> BTreeSet<&Path> {
        let mut all: BTreeSet<_> = self.components.iter().map(|recipe| recipe.dir.as_path()).collect();
        all.insert(&self.root);
        all
    }

    /// The files that commands leave, which may lie among the sources and are none.
    pub fn made(&self) -> Vec<PathBuf> {
        self.components.iter().filter_map(Recipe::made).collect()
    }
}

impl Recipe {
    /// Where the component is written.
    pub fn component(&self, project: &Project) -> PathBuf {
        project.root.join("components").join(format!("{}.wasm", self.id))
    }

    /// The file that its command leaves.
    pub fn made(&self) -> Option<PathBuf> {
        match &self.compiler {
            Compiler::Own(_, output) => Some(join(&self.dir, Some(output))),
            Compiler::Rust | Compiler::C | Compiler::Js(_) | Compiler::Python(_) => None,
        }
    }
}

fn read(file: &Path) -> Result<String> {
    let failed = |why: String| Error::new(Code::Io, format!("the file cannot be read: {why}")).in_file(file);
    let size = std::fs::metadata(file).map_err(|e| failed(e.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(Error::new(Code::TooLarge, format!("{FILE} has {size} bytes, the limit is {MAX_BYTES}"))
            .in_file(file)
            .hint("it holds nothing but how components are built"));
    }
    std::fs::read_to_string(file).map_err(|e| failed(e.to_string()))
}

fn recipe(root: &Path, id: String, yaml: RecipeYaml) -> Result<Recipe> {
    let refuse = |why: &str, hint: &str| {
        Err(Error::new(Code::ProjectInvalid, format!("component {:?} {why}", id::clip(&id))).hint(hint))
    };
    if yaml.entry.is_some() && !matches!(yaml.toolchain, Some(Toolchain::Js | Toolchain::Python)) {
        return refuse("has an `entry`", "only the toolchains js and python have one");
    }
    let compiler = match (yaml.toolchain, yaml.command, yaml.output) {
        (Some(toolchain), None, None) => match toolchain {
            Toolchain::Rust => Compiler::Rust,
            Toolchain::C => Compiler::C,
            Toolchain::Js => Compiler::Js(yaml.entry.unwrap_or_else(|| "index.js".to_owned())),
            Toolchain::Python => Compiler::Python(yaml.entry.unwrap_or_else(|| "app.py".to_owned())),
        },
        (None, Some(command), Some(output)) if !command.is_empty() => Compiler::Own(command, output),
        (None, Some(_), _) => {
            return refuse(
                "has a `command` without words or `output`",
                "say which file the command leaves: `output: …`",
            );
        }
        (Some(_), ..) => {
            return refuse("has a toolchain and a command or output", "a toolchain knows both; leave one of them out");
        }
        (None, None, _) => {
            return refuse(
                "is not built by anything",
                "give `toolchain: rust` (c, js, python), or `command` and `output`",
            );
        }
    };
    let id = id::parse("component id", &id)?;
    Ok(Recipe { id, dir: join(root, yaml.dir.as_deref()), world: yaml.world, compiler })
}

/// `dir` as seen from `root`, so that the same directory has one name.
fn join(root: &Path, dir: Option<&Path>) -> PathBuf {
    let mut out = root.to_owned();
    for part in dir.unwrap_or(Path::new("")).components() {
        if part != Component::CurDir {
            out.push(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Result<Project> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), text).unwrap();
        Project::open(dir.path())
    }

    #[test]
    fn each_way_to_build_is_read() {
        let project = open(
            "components:\n  a: { toolchain: rust, dir: ./. }\n  b: { toolchain: js, entry: main.js, dir: ../b }\n  \
             c: { command: [make, c.wasm], output: c.wasm, world: w }\n",
        )
        .unwrap();
        let [a, b, c] = project.components.as_slice() else { panic!("{project:?}") };
        assert!(matches!(a.compiler, Compiler::Rust) && a.dir == project.root, "{a:?}");
        assert!(matches!(&b.compiler, Compiler::Js(entry) if entry == "main.js"), "{b:?}");
        assert_eq!(b.dir, project.root.join("../b"));
        assert!(matches!(&c.compiler, Compiler::Own(command, _) if command.len() == 2), "{c:?}");
        assert_eq!(project.directories().len(), 2);
        assert!(c.component(&project).ends_with("components/c.wasm"));
    }

    #[test]
    fn no_file_and_an_empty_one_build_nothing() {
        assert!(open("").unwrap().components.is_empty());
        assert!(Project::open(tempfile::tempdir().unwrap().path()).unwrap().components.is_empty());
        assert_eq!(Project::open(Path::new("/no/such")).unwrap_err().code(), Code::Io);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_hint() {
        for (recipe, word) in [
            ("{}", "is not built by anything"),
            ("{ toolchain: rust, command: [make], output: x }", "a toolchain and a command"),
            ("{ toolchain: c, entry: main.c }", "has an `entry`"),
            ("{ command: [make] }", "`output`"),
            ("{ command: [], output: x }", "`command`"),
        ] {
            let error = open(&format!("components:\n  a: {recipe}\n")).unwrap_err();
            assert!(error.code() == Code::ProjectInvalid && error.hint_text().is_some(), "{error}");
            assert!(error.message().contains(word) && error.location().is_some(), "{error}");
        }
        for text in ["components:\n  a: { toolchain: cobol }\n", "component:\n", "[]", "components:\n  'a b': {}\n"] {
            let error = open(text).unwrap_err();
            assert!(matches!(error.code(), Code::ProjectInvalid | Code::InvalidId), "{text}: {error}");
        }
    }
}
