//! Archives and manifests that nobody should send, and what is said about them.

use crate::util::{Entry, archive, cbor, end_record, entry, manifest, pack as sound};
use greentic_runner_host::error::Code::{
    self, ArchiveBounds, ArchiveEntry, ArchiveInvalid, ManifestGeneration, ManifestInvalid, ManifestMissing, TooLarge,
};
use greentic_runner_host::pack::{self, Limits, LoadOptions, Pack};
use greentic_runner_host::{Error, Result};
use serde_json::{Value, json};

fn load(bytes: impl Into<Vec<u8>>) -> Result<Pack> {
    pack::load_bytes(bytes.into(), "demo.gtpack", &LoadOptions::default())
}

fn with(more: impl IntoIterator<Item = Entry>) -> Vec<u8> {
    let mut entries = vec![entry("manifest.cbor", cbor(&manifest(&[])))];
    entries.extend(more);
    archive(&entries)
}

/// The error must have the code, name the archive, and hold the text.
#[track_caller]
fn refused(bytes: impl Into<Vec<u8>>, code: Code, text: &str) {
    check(load(bytes), code, text);
}

#[track_caller]
fn check(result: Result<Pack>, code: Code, text: &str) {
    let error: Error = result.expect_err("is refused");
    assert_eq!(error.code(), code, "{error}");
    let shown = error.to_string();
    assert!(shown.contains(text), "{text:?} in {shown}");
    assert!(shown.contains("demo.gtpack"), "the archive is named in {shown}");
}

#[test]
fn the_sound_pack_loads() {
    let pack = load(sound()).unwrap();
    assert_eq!((&*pack.id, &*pack.components["echo"].wasm), ("acme.demo", b"\0asm echo".as_slice()));
    assert_eq!(pack.assets.get("assets/hello.txt").unwrap(), "hello");
    assert!(pack.notes.is_empty(), "{:?}", pack.notes);
}

#[test]
fn what_is_no_archive_is_named() {
    for (bytes, text) in [
        (b"".as_slice(), "the file is empty"),
        (b" \n{\"pack_id\": \"x\"}", "the file is a JSON text"),
        (b"[1]", "the file is a JSON text"),
        (b"<html>Not found</html>", "an HTML or XML text"),
        (b"\0asm\x0d\0\x01\0", "the file is WebAssembly"),
        (b"\x1f\x8b\x08", "not a ZIP archive"),
        (b"PK\x03\x04", "cut off"),
        (b"PK\x05\x06", "cut off"),
    ] {
        refused(bytes, ArchiveInvalid, text);
    }
}

#[test]
fn unsafe_names_are_refused_and_shown() {
    for (name, text) in [
        (b"/etc/passwd".as_slice(), "entry \"/etc/passwd\" has an absolute name"),
        (b"../up", "entry \"../up\" leads out"),
        (b"assets/../../up", "leads out"),
        (b"assets/./x", "leads out"),
        (b"..", "leads out"),
        (b"C:/x", "names a drive"),
        (b"assets/c:x", "names a drive"),
        (b"assets\\x", "backslash"),
        (b"assets/x\0.txt", "control character"),
        (b"assets/\x1b[31m", "control character"),
        (b"assets//x", "empty part"),
        (b"//x", "absolute"),
        (b"", "empty part"),
        (b"assets/\xff\xfe", "not UTF-8"),
    ] {
        refused(with([entry(name, "x")]), ArchiveEntry, text);
    }
}

#[test]
fn names_that_collide_are_refused_and_shown() {
    let two = |a: &str, b: &str| with([entry(a, "1"), entry(b, "2")]);
    refused(two("assets/x", "assets/x"), ArchiveEntry, "\"assets/x\" occurs twice");
    refused(with([entry("manifest.cbor", "x")]), ArchiveEntry, "\"manifest.cbor\" occurs twice");
    refused(two("assets/x", "assets/X"), ArchiveEntry, "\"assets/X\" collides with \"assets/x\"");
    refused(two("assets/x", "Assets/y"), ArchiveEntry, "collides");
    refused(two("assets/ä", "assets/Ä"), ArchiveEntry, "collides");
    refused(two("assets/x", "assets/x/y"), ArchiveEntry, "both a file and a folder");
    refused(two("assets/x/y", "assets/x"), ArchiveEntry, "both a file and a folder");
    assert!(load(with([Entry { mode: 0o040_755, ..entry("assets/", "") }.stored(), entry("assets/x", "1")])).is_ok());
}

#[test]
fn special_entries_are_refused() {
    for (mode, text) in
        [(0o120_777, "symbolic link"), (0o010_644, "neither"), (0o060_644, "neither"), (0o040_755, "neither")]
    {
        refused(with([Entry { mode, ..entry("assets/x", "1") }]), ArchiveEntry, text);
    }
    refused(with([Entry { flags: 0x0801, ..entry("assets/x", "1") }]), ArchiveEntry, "\"assets/x\" is encrypted");
    for method in [1, 9, 12, 14, 93, 99, 500] {
        refused(with([Entry { method, ..entry("assets/x", "1") }]), ArchiveEntry, "\"assets/x\" is packed with");
    }
}

#[test]
fn bounds_hold_while_unpacking() {
    let limits = Limits { entries: 5, entry: 4096, total: 6000, ratio: 10, ratio_floor: 100, ..Limits::default() };
    let options = LoadOptions { limits, ..LoadOptions::default() };
    let load = |bytes: Vec<u8>| pack::load_bytes(bytes, "demo.gtpack", &options);
    let noise = |size: u32| (0..size).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>();

    check(load(with((0..6).map(|n| entry(format!("assets/{n}"), "x")))), ArchiveBounds, "7 entries, the limit is 5");
    check(load(with([entry("assets/x", noise(5000)).stored()])), ArchiveBounds, "\"assets/x\" is larger");
    let two = [entry("assets/x", noise(4000)).stored(), entry("assets/y", noise(4000)).stored()];
    check(load(with(two)), ArchiveBounds, "the content of the archive is larger");
    check(load(with([entry("assets/x", vec![0; 4000])])), ArchiveBounds, "\"assets/x\" unpacks to more than 10 times");
    assert!(load(with([entry("assets/x", vec![0; 90])])).is_ok(), "small files may pack well");

    let long = format!("assets/{}", "x".repeat(600));
    check(load(with([entry(long, "x")])), ArchiveBounds, "607 bytes, the limit is 512");
    check(load(with([entry("x/".repeat(40) + "x", "x")])), ArchiveBounds, "41 levels deep");
}

#[test]
fn declared_sizes_are_not_believed() {
    let lying = |declared| Entry { declared: Some(declared), ..entry("assets/x", vec![7; 3000]) };
    refused(with([lying(10)]), ArchiveInvalid, "\"assets/x\"");
    refused(with([lying(5000)]), ArchiveInvalid, "\"assets/x\"");
    refused(with([lying(u32::MAX)]), ArchiveBounds, "");

    let bomb = entry("assets/bomb", vec![0; 60 << 20]);
    refused(with([bomb.clone()]), ArchiveBounds, "\"assets/bomb\" unpacks to more than 200 times");
    refused(with([Entry { declared: Some(10), ..bomb }]), ArchiveInvalid, "\"assets/bomb\"");
}

#[test]
fn archives_that_contradict_themselves_are_refused() {
    refused(with([Entry { local_name: Some(b"assets/y".to_vec()), ..entry("assets/x", "1") }]), ArchiveInvalid, "");
    refused([b"#!/bin/sh\n".to_vec(), sound()].concat(), ArchiveInvalid, "");
    refused([b"PK\x03\x04".to_vec(), sound()].concat(), ArchiveInvalid, "damaged");

    // Two names for the same bytes.
    let one = with([entry("assets/x", "1")]);
    let central = one.windows(4).position(|at| at == b"PK\x01\x02").unwrap();
    let end = one.windows(4).position(|at| at == b"PK\x05\x06").unwrap();
    let mut twin = one[central..end].to_vec();
    let name = twin.windows(8).position(|at| at == b"assets/x").unwrap();
    twin[name + 7] = b'y';
    let mut both = one[..end].to_vec();
    both.extend(&twin[twin.windows(4).rposition(|at| at == b"PK\x01\x02").unwrap()..]);
    let size = both.len() - central;
    end_record(&mut both, 3, size as u32, central as u32);
    refused(both, ArchiveInvalid, "");

    // The 64-bit form.
    let mut wide = one[..end].to_vec();
    wide.extend(b"PK\x06\x07");
    wide.extend([0; 16]);
    wide.extend(&one[end..]);
    refused(wide, ArchiveBounds, "64-bit");

    // A count that no directory holds.
    let mut many = one[..end].to_vec();
    end_record(&mut many, 60_000, 46, central as u32);
    refused(many, ArchiveBounds, "60000 entries");
}

#[test]
fn a_pack_cut_off_anywhere_is_a_coded_error() {
    let whole = sound();
    for end in 0..whole.len() {
        let error = load(&whole[..end]).expect_err("a cut pack does not load");
        assert_eq!(error.code(), ArchiveInvalid, "cut at {end}: {error}");
    }
}

#[test]
fn a_pack_changed_anywhere_loads_or_is_a_coded_error() {
    let whole = sound();
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            if let Err(error) = load(bytes) {
                assert!((200..300).contains(&error.code().number()), "byte {at} ^ {flip}: {error}");
            }
        }
    }
}

fn with_manifest(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    archive(&[entry("manifest.cbor", bytes)])
}

#[test]
fn packs_without_a_readable_manifest_are_refused() {
    refused(archive(&[entry("manifest.json", "{}")]), ManifestMissing, "no manifest.cbor");
    for (bytes, code, text) in [
        (b"".as_slice(), ManifestInvalid, "cut off"),
        (b"\xff", ManifestInvalid, "not valid CBOR"),
        (b"\x80", ManifestInvalid, "not a map"),
        (b"\xa0", ManifestInvalid, "no schema_version"),
        (b"\xa0\xa0", ManifestInvalid, "1 bytes follow"),
        (b"\xa1\x01\x02", ManifestInvalid, "not valid CBOR"),
        (b"\xa1\x61a\x41x", ManifestInvalid, "not valid CBOR"),
        (b"\xa1\x61a\xc0\x61x", ManifestInvalid, "not valid CBOR"),
        (b"\xa1\x61a\xf9\x7e\x00", ManifestInvalid, "not finite"),
        (b"\xa2\x61a\x01\x61a\x02", ManifestInvalid, "\"a\" occurs twice"),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", ManifestInvalid, "cut off"),
        (b"\x7b\xff\xff\xff\xff\xff\xff\xff\xff", ManifestInvalid, "cut off"),
        (b"\x62\xff\xff", ManifestInvalid, "not valid CBOR"),
    ] {
        refused(with_manifest(bytes), code, text);
    }
    refused(with_manifest([0x81].repeat(10_000)), ManifestInvalid, "nests deeper");
    let values = [vec![0x9a, 0, 9, 0, 0], vec![0; 0x9_0000]].concat();
    refused(archive(&[entry("manifest.cbor", values).stored()]), TooLarge, "more than 500000 values");
    let large = vec![0x58; (8 << 20) + 1];
    refused(archive(&[entry("manifest.cbor", large).stored()]), TooLarge, "larger than the limit");
}

#[test]
fn a_manifest_cut_off_anywhere_is_a_coded_error() {
    let whole = cbor(&manifest(&["echo"]));
    for end in 0..whole.len() {
        let error = load(with_manifest(&whole[..end])).expect_err("a cut manifest does not load");
        assert_eq!(error.code(), ManifestInvalid, "cut at {end}: {error}");
    }
}

#[test]
fn other_generations_are_named() {
    let legacy = json!({ "meta": { "packVersion": 2, "pack_id": "old", "version": "1.0.0" }, "flows": [] });
    refused(with_manifest(cbor(&legacy)), ManifestGeneration, "packVersion 2");
    let next = json!({ "schema_version": "pack-v2" });
    refused(with_manifest(cbor(&next)), ManifestGeneration, "\"pack-v2\"");
}

#[test]
fn all_that_is_wrong_with_a_manifest_is_said_at_once() {
    let mut value = manifest(&["echo", "no such/id"]);
    value["version"] = json!("one");
    value["kind"] = json!("party");
    value["components"][1]["version"] = json!("1");
    value["symbols"]["node_ids"] = json!(["a"]);
    let node = |id: u32, routing: Value| json!({ "id": id, "component": { "id": 0 }, "routing": routing });
    let flow = |id: &str, kind: &str, nodes: Value| json!({ "id": id, "kind": kind, "flow": { "id": id, "kind": kind, "nodes": nodes } });
    value["flows"] = json!([
        flow(
            "one",
            "messaging",
            json!([node(0, json!("End")), node(0, json!("End")), node(0, json!({ "Next": { "node_id": 7 } }))])
        ),
        flow("one", "party", json!([node(4, json!("Nowhere"))])),
        flow("two", "job", json!([])),
    ]);
    value["extensions"] = json!({ "acme": { "kind": 1 } });
    let error = load(with_manifest(cbor(&value))).unwrap_err();
    assert_eq!(error.code(), ManifestInvalid);
    let text = error.to_string();
    for part in [
        "version: ",
        "kind: unknown variant `party`",
        "symbols.component_ids[1]: component id \"no such/id\"",
        "components[1].version",
        "flows[0] (one).nodes[2].routing: index 7 is outside of symbols.node_ids (1 names)",
        "flows[1] (one).kind",
        "unknown variant `Nowhere`",
        "the flow has two nodes \"a\"",
        "extensions[\"acme\"]",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn findings_are_bounded() {
    let mut value = manifest(&[]);
    value["flows"] = json!(vec![Value::Null; 5000]);
    let error = load(with_manifest(cbor(&value))).unwrap_err();
    assert_eq!(error.details().len(), 51);
    assert_eq!(error.details()[50].message(), "and 4950 more");
}

#[test]
fn a_bill_of_materials_that_does_not_fit_is_noted() {
    let file = |path: &str, data: &[u8]| {
        let hash = blake3::hash(data).to_hex().to_string();
        json!({ "path": path, "size": data.len(), "hash_blake3": hash, "media_type": "text/plain" })
    };
    let bill = json!({ "format": "greentic-sbom-v1", "files": [
        file("manifest.cbor", b"stale"), file("assets/x", b"1"), file("assets/gone", b"2"),
    ] });
    let pack = load(with([entry("assets/x", "1"), entry("assets/y", "2"), entry("sbom.cbor", cbor(&bill))])).unwrap();
    let notes: Vec<_> = pack.notes.iter().map(|note| (note.code(), note.message().to_owned())).collect();
    assert_eq!(
        notes,
        [
            (Code::SbomMismatch, "\"manifest.cbor\" differs from its listed hash".to_owned()),
            (Code::SbomMismatch, "\"assets/gone\" is listed and does not exist".to_owned()),
            (Code::SbomMismatch, "\"assets/y\" is not listed".to_owned()),
        ]
    );
    let pack = load(with([entry("sbom.cbor", "junk")])).unwrap();
    assert!(pack.notes[0].message().contains("cannot be read"), "{:?}", pack.notes);
}
