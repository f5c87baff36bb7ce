//! Replays the corpora of the fuzz targets through the targets' own functions, on the stable compiler.
//!
//! What a fuzzer finds is added to the corpus of its target, so that it stays fixed.

// The lints' exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

// The targets are a crate of another workspace, which needs libFuzzer; their functions do not.
#[allow(unreachable_pub)]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(corpus().join(target)).unwrap_or_else(|error| panic!("corpus of {target}: {error}"));
    let mut seeds: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    seeds.sort_unstable();
    seeds.into_iter().map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

#[test]
fn every_corpus_replays() {
    for (name, target) in targets::TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 3, "the corpus of {name} holds {} seeds", seeds.len());
        for (path, bytes) in seeds {
            println!("{path}");
            target(&bytes);
        }
    }
}

/// What a fuzzer does first; without coverage, but every time the tests run.
#[test]
fn every_seed_survives_being_cut_and_changed() {
    for (name, target) in targets::TARGETS {
        for (path, bytes) in seeds(name) {
            println!("{path}");
            let step = bytes.len().div_ceil(64).max(1);
            for at in (0..bytes.len()).step_by(step) {
                target(&bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] ^= 0x55;
                target(&changed);
            }
        }
    }
}

#[test]
fn targets_corpora_and_binaries_have_the_same_names() {
    let names: BTreeSet<_> = targets::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let listed = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(corpus().parent().unwrap().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(listed("corpus"), names);
    assert_eq!(listed("fuzz_targets"), names);
    let manifest = fs::read_to_string(corpus().parent().unwrap().join("Cargo.toml")).unwrap();
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is a binary");
    }
}
