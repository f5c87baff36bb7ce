//! The README's code is the quick start: the same text, compiled as it stands, run in its directory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The fenced blocks of a language in the README.
fn blocks(language: &str) -> Vec<String> {
    let readme = read("README.md");
    let mut found = Vec::new();
    let mut rest = readme.as_str();
    while let Some((_, after)) = rest.split_once(&format!("\n```{language}\n")) {
        let (block, after) = after.split_once("\n```").expect("a block that is not closed");
        found.push(format!("{block}\n"));
        rest = after;
    }
    found
}

#[test]
fn the_readme_shows_the_example() {
    let example = read("examples/quickstart/main.rs");
    let (_, code) = example.split_once("\n\n").unwrap();
    assert_eq!(blocks("rust"), [code]);
}

#[test]
fn the_example_prints_what_the_readme_says() {
    let data = tempfile::tempdir().unwrap();
    let example = build();
    for _ in 0..2 {
        // Once more in the same store: a new process, the same session, so the flow goes on where it waited.
        let output = Command::new(&example)
            .current_dir(root().join("examples/quickstart"))
            .env("GREENTIC_DATA_DIR", data.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(blocks("text").contains(&printed), "the README does not show what the quick start prints: {printed}");
    }
}

/// The commands of the README's terminal session, run one after another in an empty directory, print what it shows.
#[test]
fn the_first_minute_on_the_terminal_is_as_shown() {
    let session = blocks("console").into_iter().find(|block| block.contains("pack new")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut commands = session.split("$ greentic-runner ").skip(1).peekable();
    assert!(commands.peek().is_some());
    for command in commands {
        let (line, shown) = command.split_once('\n').unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_greentic-runner"))
            .args(words(line))
            .current_dir(dir.path())
            .env_remove("GREENTIC_DATA_DIR")
            .env_remove("RUST_LOG")
            .output()
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8(printed).unwrap();
        assert!(output.status.success(), "{line}: {printed}");
        // What a command that only makes files says is not shown.
        assert!(shown.is_empty() || printed == shown, "{line} prints {printed}, and the README shows {shown}");
    }
}

/// The words of a command line in which only single quotes are used.
fn words(line: &str) -> Vec<String> {
    let quoted = line.split('\'').enumerate();
    let words = quoted.flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

/// What the names begin with of variables that cargo sets for a test.
const OF_THE_TEST: [&str; 5] = ["CARGO_BIN_", "CARGO_CRATE_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PRIMARY_"];

/// Builds the example with the profile and into the directory that this test was built with; the whole workspace is
/// selected as the tests' own command does, for other features would compile the engine once more.
fn build() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let profile_dir = deps.parent().and_then(Path::parent).unwrap().to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--workspace", "--all-features", "--example", "quickstart"]).current_dir(root());
    if profile_dir.ends_with("release") {
        cargo.arg("--release");
    }
    // What cargo says to tests of their package is an environment in which build scripts would run again, and with them
    // much of what is compiled already.
    for (name, _) in std::env::vars().filter(|(name, _)| OF_THE_TEST.iter().any(|begin| name.starts_with(begin))) {
        cargo.env_remove(name);
    }
    let target = profile_dir.parent().unwrap();
    assert!(cargo.env("CARGO_TARGET_DIR", target).status().unwrap().success(), "the quick start does not compile");
    profile_dir.join("examples").join(format!("quickstart{}", std::env::consts::EXE_SUFFIX))
}
