//! Replays the corpora of the fuzz targets through the targets' own functions, on the stable compiler, and does what a
//! fuzzer does first: without coverage, but the same every time, and within bounds of time and memory.
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
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use greentic_runner_host::check::Finding;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What an input may take beyond what is there anyway. Packs hold up to half a MiB here, of which a few copies are made; a
/// reader that believes a length, or multiplies what it reads, takes more.
const MOST: usize = 16 << 20;

/// Far more than any input takes in a build without optimisations, and far less than one that is not bounded.
const PATIENCE: Duration = Duration::from_secs(20);

/// Held by whoever takes much memory: what is measured is the whole process's.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives `bytes` to a target, alone in the process, and holds it to its bounds.
fn bounded(target: targets::Target, bytes: &[u8]) {
    let _alone = alone();
    MEMORY.reset_peak_usage();
    let (before, began) = (MEMORY.current_usage(), Instant::now());
    target(bytes);
    let (took, time) = (MEMORY.peak_usage().saturating_sub(before), began.elapsed());
    assert!(took <= MOST, "it took {took} bytes of memory, more than {MOST}");
    assert!(time <= PATIENCE, "it took {time:?}");
}

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(corpus().join(target)).unwrap_or_else(|error| panic!("corpus of {target}: {error}"));
    let mut seeds: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    seeds.sort_unstable();
    seeds.into_iter().map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

/// Bytes as from a source of chance, the same every time.
fn chance(seed: usize, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

#[test]
fn every_corpus_replays() {
    for (name, target) in targets::TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 3, "the corpus of {name} holds {} seeds", seeds.len());
        for (path, bytes) in seeds {
            println!("{path}");
            bounded(*target, &bytes);
        }
    }
}

#[test]
fn every_seed_survives_being_cut_and_changed() {
    for (name, target) in targets::TARGETS {
        for (path, bytes) in seeds(name) {
            println!("{path}");
            let step = bytes.len().div_ceil(64).max(1);
            for at in (0..bytes.len()).step_by(step) {
                bounded(*target, &bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] ^= 0x55;
                bounded(*target, &changed);
            }
        }
    }
}

#[test]
fn packs_that_are_changed_are_sound_before() {
    let _alone = alone();
    for report in targets::unchanged_packs() {
        let target = &report.targets[0];
        let of_pack = |finding: &&Finding| finding.component.is_none() && finding.counts();
        let refused: Vec<_> = target.findings.iter().filter(of_pack).collect();
        assert!(target.pack.is_some() && refused.is_empty(), "{refused:?}");
    }
}

#[test]
fn packs_with_changed_entries_are_read_to_the_end() {
    for seed in 0..600 {
        println!("seed {seed}");
        bounded(targets::pack_entries, &chance(seed, 700));
    }
}

#[test]
fn generated_components_are_checked_to_the_end() {
    for seed in 0..150 {
        println!("seed {seed}");
        bounded(targets::generated, &chance(seed, 64 + seed * 25));
    }
}

#[test]
fn payloads_with_changed_fields_are_normalized_to_the_end() {
    let of_fields = targets::TARGETS.iter().filter(|(name, _)| name.ends_with("_fields"));
    for (name, target) in of_fields {
        for seed in 0..1500 {
            println!("{name}: seed {seed}");
            bounded(*target, &chance(seed, 120));
        }
    }
}

/// The bound on memory is one that a reader without bounds would break.
#[test]
#[should_panic(expected = "of memory, more than")]
fn memory_is_measured() {
    bounded(|_| drop(std::hint::black_box(vec![1u8; MOST + 1])), &[]);
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
