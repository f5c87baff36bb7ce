//! Every error code has a page that says what it means, and the pages say nothing about codes that do not exist.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use greentic_runner_host::Code;

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors")
}

fn read(name: &str) -> String {
    let path = pages().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files() -> BTreeSet<String> {
    fs::read_dir(pages()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_code_has_a_page_with_its_title_and_an_example() {
    for code in Code::ALL {
        let page = read(&format!("{code}.md"));
        let mut lines = page.lines();
        assert_eq!(lines.next(), Some(format!("# {code}: {}", code.title()).as_str()));
        let example = lines.skip_while(|line| *line != "```text").nth(1).unwrap_or_default();
        let message = example.strip_prefix(&format!("{code}: ")).unwrap_or_default();
        assert!(!message.trim().is_empty(), "{code}.md: the example {example:?} is no message of that code");
        for part in ["## Causes", "## What to do"] {
            let list = page.split(part).nth(1).unwrap_or_default();
            assert!(list.trim_start().starts_with("- "), "{code}.md: nothing is listed below {part:?}");
        }
    }
}

#[test]
fn no_page_is_about_a_code_that_does_not_exist() {
    let known: BTreeSet<String> =
        Code::ALL.iter().map(|code| format!("{code}.md")).chain(["README.md".to_owned()]).collect();
    assert_eq!(files(), known);
}

#[test]
fn the_table_lists_every_code_once_in_order() {
    let readme = read("README.md");
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| [GRH-")).collect();
    let expected: Vec<String> =
        Code::ALL.iter().map(|code| format!("| [{code}]({code}.md) | {} |", code.title())).collect();
    assert_eq!(rows.len(), expected.len());
    for (row, start) in rows.iter().zip(&expected) {
        assert!(row.starts_with(start.as_str()), "the table says {row:?} where {start:?} belongs");
    }
}

#[test]
fn numbers_grow_and_are_used_once() {
    for pair in Code::ALL.windows(2) {
        assert!(pair[0].number() < pair[1].number(), "{} does not come before {}", pair[0], pair[1]);
    }
}
