//! Packs whose entries are changed and which are then put together again, soundly or not: what the checksums of archives
//! keep a fuzzer of raw bytes from reaching.
//!
//! The bytes of the fuzzer are a source of chance: they choose the pack, what is done to it, and in which form it is read.

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::{Component, Path};
use std::sync::LazyLock;

use arbitrary::Unstructured;
use greentic_runner_host::check::{self, Report};
use greentic_runner_host::pack::{self, Inspection, Limits, LoadOptions};

use super::{blames_input, sound};

#[path = "../../tests/pack/util.rs"]
#[allow(dead_code, reason = "the tests of packs use the rest")]
mod util;

mod changes;
mod tree;

/// The files of a pack. Names may occur twice.
type Files = Vec<(String, Vec<u8>)>;

/// Where choices come from. When the bytes run out, the first choice is taken.
struct Chance<'a>(Unstructured<'a>);

impl Chance<'_> {
    /// A number below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        self.0.int_in_range(0..=end - 1).unwrap_or(0)
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most).min(self.0.len());
        self.0.bytes(length).map(<[u8]>::to_vec).unwrap_or_default()
    }
}

/// The sound packs that are changed.
struct Bases {
    current: Files,
    legacy: Files,
    sources: Files,
}

static BASES: LazyLock<Bases> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a directory for the sources");
    util::sources(dir.path());
    util::put(dir.path(), "components/echo.wasm", EXPORTS);
    util::put(dir.path(), "components/other.wasm", IMPORTS);
    util::put(dir.path(), "after.ygtc", CARD);
    util::put(dir.path(), "assets/cards/hello.json", r#"{"type":"AdaptiveCard","body":[{"text":"{{i18n:hello}}"}]}"#);
    util::put(dir.path(), "assets/i18n/en.json", r#"{"hello":"Hello"}"#);
    let mut sources = Files::new();
    collect(dir.path(), dir.path(), &mut sources);
    let out = dir.path().join("built.gtpack");
    pack::build(dir.path(), &out).expect("the pack to change is sound");
    let mut current = unzipped(&fs::read(out).expect("what was built"));
    current.push(("pack.lock.cbor".to_owned(), util::cbor(&lock())));
    changes::repair(&mut current);
    let mut legacy = util::LegacyPack::new().files().collect();
    changes::set(&mut legacy, "components/echo@0.3.0/component.wasm", EXPORTS.to_vec());
    changes::repair(&mut legacy);
    Bases { current, legacy, sources }
});

/// A component that is called as a node and as a provider.
const EXPORTS: &[u8] = include_bytes!("../corpus/component/sound");
const IMPORTS: &[u8] = include_bytes!("../corpus/component/imports");

/// A flow with a card and texts, as JSON, which is YAML too: so its tree can be changed.
const CARD: &str = r#"{"id":"after","type":"messaging","nodes":{"show":{"echo":{"card_source":"asset","card_spec":
{"asset_path":"cards/hello.json","i18n_bundle_path":"i18n"}},"operation":"say","routing":"out"}}}"#;

fn lock() -> serde_json::Value {
    let digest = pack::model::Digest::of(EXPORTS).to_string();
    let entry = serde_json::json!({
        "component_id": "echo", "abi_version": "0.6.0", "resolved_digest": digest, "describe_hash": "00",
        "operations": [{ "operation_id": "say", "schema_hash": "00" }],
    });
    serde_json::json!({ "version": 1, "components": { "echo": entry } })
}

fn collect(root: &Path, folder: &Path, into: &mut Files) {
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort_unstable();
    for path in paths {
        match path.is_dir() {
            true => collect(root, &path, into),
            false => {
                let name = path.strip_prefix(root).expect("it lies there").display().to_string();
                into.push((name, fs::read(path).expect("a file")));
            }
        }
    }
}

fn unzipped(bytes: &[u8]) -> Files {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).expect("an archive");
    let entries = 0..zip.len();
    let file = |at| {
        let mut entry = zip.by_index(at).expect("an entry");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("its bytes");
        (entry.name().expect("a name in UTF-8").into_owned(), bytes)
    };
    entries.map(file).collect()
}

/// Bounds that what is made here reaches sometimes.
fn options() -> LoadOptions {
    const KIB: u64 = 1 << 10;
    let limits = Limits {
        archive: 512 * KIB,
        entry: 256 * KIB,
        total: 512 * KIB,
        entries: 64,
        ratio_floor: 16 * KIB,
        manifest_values: 10_000,
        ..Limits::default()
    };
    LoadOptions { limits, ..LoadOptions::default() }
}

/// Changes a pack and reads what comes of it.
pub(super) fn changed(bytes: &[u8]) {
    let mut chance = Chance(Unstructured::new(bytes));
    let bases = &*BASES;
    let mut files = chance.pick(&[&bases.current, &bases.legacy, &bases.sources]).to_vec();
    let changes = 1 + chance.below(4);
    (0..changes).for_each(|_| changes::one(&mut files, &mut chance));
    if chance.below(2) == 0 {
        changes::repair(&mut files);
    }
    let read = if chance.below(3) == 2 { read_directory } else { read_archive };
    read(&files);
}

/// The packs as they are before anything is changed: sound in every form, or changing them proves little.
pub(super) fn unchanged() -> Vec<Report> {
    let Bases { current, legacy, sources } = &*BASES;
    [
        read_archive(current),
        read_archive(legacy),
        read_directory(current),
        read_directory(legacy),
        read_directory(sources),
    ]
    .into()
}

fn read_archive(files: &Files) -> Report {
    let entries: Vec<_> = files.iter().map(|(name, bytes)| util::entry(name, bytes)).collect();
    let bytes = util::archive(&entries);
    if let Some(pack) = blames_input(pack::load_bytes(bytes.clone(), "fuzz.gtpack", &options())) {
        assert!(!Inspection::of(&pack).to_string().contains('\x1b'), "an inspection writes to a terminal");
        migrated(&bytes);
    }
    let options = check::Options { load: options(), ..check::Options::default() };
    sound(check::check_bytes("fuzz.gtpack", bytes, &options).expect("a report is made of anything"))
}

/// A pack that loads can be written in the current form, or it is said why not; and what is written loads.
fn migrated(bytes: &[u8]) {
    let dir = tempfile::tempdir().expect("a directory");
    let old = dir.path().join("old.gtpack");
    fs::write(&old, bytes).expect("it can be written");
    let new = dir.path().join("new.gtpack");
    if blames_input(pack::migrate(&old, &new, &options())).is_some() {
        pack::load(&new, &LoadOptions::default()).expect("what was migrated loads");
    }
}

fn read_directory(files: &Files) -> Report {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("pack");
    fs::create_dir(&root).expect("a directory");
    for (name, bytes) in files {
        let path = root.join(name);
        // Names that lead elsewhere are for archives; a name may also be taken by a directory, or be too long.
        let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if inside && path.parent().is_some_and(|parent| fs::create_dir_all(parent).is_ok()) {
            drop(fs::write(path, bytes));
        }
    }
    let options = check::Options { load: options(), ..check::Options::default() };
    sound(check::check(&[root], &options, None).expect("a report is made of anything"))
}
