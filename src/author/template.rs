//! A first component in one of several languages, in a pack whose flow answers with it.

use std::path::{Path, PathBuf};

use greentic_runner_bindings::WIT_PACKAGES;

use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::pack::scaffold;

/// What the templates call the component; the author's name takes its place.
const NAME: &str = "my-component";

/// The longest name.
const MAX_NAME: usize = 64;

/// The WIT packages that the templates' world uses, by their folders.
const WIT: [&str; 3] = ["interfaces-types-0.1.0", "state-1.0.0", "provider-schema-core-1.0.0"];

/// Where the README speaks of the language.
const LANGUAGE: &str = "<!-- the language -->\n";

/// Names that Rust keeps for itself, or that what the templates use has taken.
const TAKEN: [&str; 56] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "main",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "serde-json",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "where",
    "wit-bindgen",
];

/// The languages that components can be written in at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Rust, by cargo
    Rust,
    /// C, by clang or zig
    C,
    /// JavaScript, by npm's componentize-qjs
    Js,
    /// Python, by pip's componentize-py
    Python,
}

macro_rules! templates {
    ($($file:literal from $template:literal),+ $(,)?) => {
        &[$(($file, include_str!(concat!("templates/", $template)))),+]
    };
}

type Files = &'static [(&'static str, &'static str)];

/// What all languages have.
const SHARED: Files = templates![
    "index.ygtc" from "pack/index.ygtc",
    "pack.yaml" from "pack/pack.yaml",
    "wit/world.wit" from "pack/world.wit",
    ".gitignore" from "pack/gitignore",
];

const README: &str = include_str!("templates/pack/README.md");

impl Language {
    fn files(self) -> Files {
        match self {
            // `Cargo.toml` by that name would make the template a package of its own.
            Self::Rust => templates![
                "build.yaml" from "rust/build.yaml",
                "Cargo.toml" from "rust/manifest.toml",
                "Cargo.lock" from "rust/manifest.lock",
                "src/lib.rs" from "rust/lib.rs",
            ],
            Self::C => templates![
                "build.yaml" from "c/build.yaml",
                "component.c" from "c/component.c",
                "json.c" from "c/json.c",
                "json.h" from "c/json.h",
            ],
            Self::Js => templates![
                "build.yaml" from "js/build.yaml",
                "index.js" from "js/index.js",
                "package.json" from "js/package.json",
            ],
            Self::Python => templates![
                "build.yaml" from "python/build.yaml",
                "app.py" from "python/app.py",
                "requirements.txt" from "python/requirements.txt",
            ],
        }
    }

    /// What the README says about the language.
    fn notes(self) -> &'static str {
        match self {
            Self::Rust => include_str!("templates/rust/notes.md"),
            Self::C => include_str!("templates/c/notes.md"),
            Self::Js => include_str!("templates/js/notes.md"),
            Self::Python => include_str!("templates/python/notes.md"),
        }
    }
}

/// Writes a component in `language` and a pack whose flow answers with it, and returns the files.
///
/// The component is called `name`, and so are its pack and provider. `dir` is made if it does not exist.
///
/// # Errors
///
/// `InvalidId` if the name does not suit; `PackBuild` if one of the files exists already (then nothing is written) or
/// cannot be written.
pub fn new_component(dir: &Path, name: &str, language: Language) -> Result<Vec<PathBuf>> {
    check_name(name)?;
    let named = |text: &str| text.replace(NAME, name).replace(&NAME.replace('-', "_"), &name.replace('-', "_"));
    let own = SHARED.iter().chain(language.files());
    let mut files: Vec<_> = own.map(|(file, text)| (dir.join(file), named(text))).collect();
    files.push((dir.join("README.md"), named(&README.replace(LANGUAGE, language.notes()))));
    for folder in WIT {
        let path = format!("{folder}/package.wit");
        let (_, text) = WIT_PACKAGES
            .iter()
            .find(|(known, _)| *known == path)
            .ok_or_else(|| Error::new(Code::Internal, format!("the WIT package {folder} is not embedded")))?;
        files.push((dir.join("wit/deps").join(path), (*text).to_owned()));
    }
    scaffold::write(dir, files)
}

/// A name has to do for a crate, a package, a provider and a file.
fn check_name(name: &str) -> Result<()> {
    let usual = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if usual && begins && name.len() <= MAX_NAME && !name.ends_with('-') && !name.contains("--") && !is_taken(name) {
        return Ok(());
    }
    let why = if is_taken(name) { "is taken by the language or a library" } else { "does not suit a component" };
    Err(Error::new(Code::InvalidId, format!("the name {:?} {why}", clip(name))).hint(format!(
        "use lower-case letters, digits and single '-', a letter first, at most {MAX_NAME}: {}",
        suggest(name)
    )))
}

fn is_taken(name: &str) -> bool {
    TAKEN.contains(&name)
}

/// A name like `name` that suits.
fn suggest(name: &str) -> String {
    let kept: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<_> = kept.split('-').filter(|word| !word.is_empty()).collect();
    let mut out: String = words.join("-").chars().take(MAX_NAME / 2).collect();
    out.truncate(out.trim_end_matches('-').len());
    if is_taken(&out) {
        out.push_str("-component");
    }
    if !out.starts_with(|c: char| c.is_ascii_lowercase()) {
        out = format!("component-{out}").trim_end_matches('-').to_owned();
    }
    out
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn names_suit_every_language_or_another_is_proposed() {
        for name in ["a", "hello", "hello-world-2", &"x".repeat(64)] {
            check_name(name).unwrap();
        }
        for name in ["", "Hello", "2nd", "-a", "a-", "a--b", "a_b", "a.b", "a/b", "..", "žluť", "fn", &"x".repeat(65)]
        {
            let error = check_name(name).unwrap_err();
            assert_eq!(error.code(), Code::InvalidId, "{name}");
            let proposed = error.hint_text().unwrap().rsplit(": ").next().unwrap().to_owned();
            check_name(&proposed).unwrap_or_else(|e| panic!("{name}: {proposed}: {e}"));
        }
        assert_eq!(suggest("Hello World"), "hello-world");
        assert_eq!((suggest("fn"), suggest("")), ("fn-component".into(), "component".into()));
    }

    #[test]
    fn each_language_makes_a_project_of_that_name_and_nothing_is_overwritten() {
        for language in Language::value_variants() {
            let dir = tempfile::tempdir().unwrap();
            let files = new_component(dir.path(), "hello-you", *language).unwrap();
            for file in &files {
                let text = std::fs::read_to_string(file).unwrap();
                assert!(!text.contains(NAME) && !text.contains("my_component"), "{}", file.display());
            }
            let project = crate::author::Project::open(dir.path()).unwrap();
            assert_eq!(project.components.iter().map(|recipe| &*recipe.id).collect::<Vec<_>>(), ["hello-you"]);
            let error = new_component(dir.path(), "other", *language).unwrap_err();
            assert_eq!(error.code(), Code::PackBuild);
        }
    }
}
