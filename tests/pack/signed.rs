//! Signatures in packs, made here by hand as the format publishes them, and made by `pack::sign`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey, pkcs8::DecodePrivateKey as _};
use greentic_runner_host::error::Code;
use greentic_runner_host::pack::{self, LoadOptions, Pack};
use greentic_runner_host::trust::{Check, Judgement, PrivateKey, PublicKey, Signed, Strictness, TrustPolicy};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::util::{LegacyPack, archive, cbor, entry, manifest, put};

/// The key of RFC 8410, section 10.3, whose certificate is in the corpus of the fuzz target.
const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----";
const PUBLIC: &str = "ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
const CHAIN: &[u8] = include_bytes!("../../fuzz/corpus/signature/chain");
const SIG: &str = "signatures/pack.sig";

type Files = BTreeMap<String, Vec<u8>>;

/// The bill of `files`.
fn bill(files: &Files) -> Value {
    let listed = files.iter().filter(|(name, _)| !name.starts_with("signatures/") && !name.starts_with("sbom."));
    let listed: Vec<_> = listed
        .map(|(path, bytes)| {
            let hash = blake3::hash(bytes).to_hex().to_string();
            json!({ "path": path, "size": bytes.len(), "hash_blake3": hash, "media_type": "x/y" })
        })
        .collect();
    json!({ "format": "greentic-sbom-v1", "files": listed })
}

/// A pack of the current generation with a bill of materials.
fn current() -> Files {
    let mut files = Files::from([
        ("assets/hello.txt".to_owned(), b"hello".to_vec()),
        ("assets/a/b.txt".to_owned(), b"b".to_vec()),
        ("components/echo.wasm".to_owned(), b"\0asm echo".to_vec()),
        ("manifest.cbor".to_owned(), cbor(&manifest(&["echo"]))),
    ]);
    files.insert("sbom.cbor".to_owned(), cbor(&bill(&files)));
    files
}

/// A pack of the generation before.
fn legacy() -> Files {
    let mut files: Files = LegacyPack::new().files().collect();
    files.retain(|name, _| !name.starts_with("signatures/"));
    files
}

/// What a signature is over, as the format says it.
fn message(files: &Files) -> [u8; 32] {
    let name = if files.contains_key("sbom.cbor") { "sbom.cbor" } else { "sbom.json" };
    let bytes = &files[name];
    let bill: Value = match name {
        "sbom.cbor" => ciborium::from_reader(&bytes[..]).unwrap(),
        _ => serde_json::from_slice(bytes).unwrap(),
    };
    let mut text = [files["manifest.cbor"].as_slice(), bytes].concat();
    let mut lines: Vec<_> = bill["files"].as_array().unwrap().iter().collect();
    lines.sort_by_key(|entry| entry["path"].as_str().unwrap());
    for entry in lines {
        text.extend(format!("{}\n{}", entry["path"].as_str().unwrap(), entry["hash_blake3"].as_str().unwrap()).bytes());
    }
    blake3::hash(&text).into()
}

fn envelope(files: &Files) -> Value {
    let key = SigningKey::from_pkcs8_pem(PEM).unwrap();
    let message = message(files);
    json!({
        "alg": "ed25519",
        "sig": URL_SAFE_NO_PAD.encode(key.sign(&message).to_bytes()),
        "digest": hex::encode(message),
        "signed_at_utc": "2026-01-01T00:00:00Z",
        "key_fingerprint": blake3::hash(key.verifying_key().as_bytes()).to_hex().to_string(),
    })
}

fn signed(mut files: Files) -> Files {
    files.insert(SIG.to_owned(), envelope(&files).to_string().into());
    files
}

fn in_archive(files: &Files) -> Vec<u8> {
    archive(&files.iter().map(|(name, bytes)| entry(name, bytes)).collect::<Vec<_>>())
}

fn load_archive(files: &Files) -> Pack {
    let looking = LoadOptions { keep_going: true, ..LoadOptions::default() };
    pack::load_bytes(in_archive(files), "signed.gtpack", &looking).unwrap()
}

fn in_directory(files: &Files) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, bytes)| put(dir.path(), name, bytes));
    dir
}

fn load_directory(dir: &Path) -> Pack {
    pack::load(dir, &LoadOptions { keep_going: true, ..LoadOptions::default() }).unwrap()
}

fn policy(keys: &[&str]) -> TrustPolicy {
    let keys = keys.iter().map(|key| PublicKey::parse(key).unwrap()).collect();
    TrustPolicy { keys, strictness: Strictness::Strict }
}

fn judged(pack: &Pack) -> Judgement {
    pack.judge(&policy(&[PUBLIC]), None)
}

fn valid() -> Signed {
    Signed::Valid { key: PublicKey::parse(PUBLIC).unwrap().id().to_owned() }
}

#[test]
fn a_signature_made_by_hand_verifies() {
    for files in [current(), legacy()] {
        let files = signed(files);
        let dir = in_directory(&files);
        for pack in [load_archive(&files), load_directory(dir.path())] {
            let judgement = judged(&pack);
            assert!(judgement.refusal.is_none(), "{:?}", judgement.refusal);
            assert_eq!(judgement.verification.pack_signature, valid());
            assert_eq!(judgement.verification.sbom, Check::Matches);
        }
    }
}

#[test]
fn a_key_that_comes_with_the_pack_proves_nothing() {
    let mut files = current();
    files.insert("signatures/chain.pem".to_owned(), CHAIN.to_vec());
    let pack = load_archive(&signed(files));
    let stranger = PrivateKey::generate().unwrap().public().to_string();
    let judgement = pack.judge(&policy(&[&stranger]), None);
    assert_eq!(judgement.verification.pack_signature, Signed::UnknownKey);
    assert_eq!(judgement.refusal.unwrap().code(), Code::PackUntrusted);
    let certificate = judgement.verification.certificate.unwrap();
    let fingerprint = PublicKey::parse(PUBLIC).unwrap().fingerprint();
    assert_eq!(
        (certificate.subject.as_str(), certificate.key_fingerprint),
        ("CN=greentic-dev-local", Some(fingerprint))
    );
}

type Change = fn(&mut Files);

/// What somebody does to a signed pack, none of which may pass.
const CHANGES: [(&str, Change); 14] = [
    ("a changed asset", |files| drop(files.insert("assets/hello.txt".into(), b"bye".to_vec()))),
    ("a changed component", |files| drop(files.insert("components/echo.wasm".into(), b"\0asm evil".to_vec()))),
    ("a file that is not listed", |files| drop(files.insert("assets/new.txt".into(), b"new".to_vec()))),
    ("a file that is gone", |files| drop(files.remove("assets/a/b.txt"))),
    ("a lock file that is not listed", |files| drop(files.insert("pack.lock.json".into(), b"{}".to_vec()))),
    ("a changed file that is listed anew", |files| {
        files.insert("assets/hello.txt".into(), b"bye".to_vec());
        let bill = cbor(&bill(files));
        files.insert("sbom.cbor".into(), bill);
    }),
    ("a stale hash that was signed", |files| {
        files.insert("assets/hello.txt".into(), b"bye".to_vec());
        *files = signed(std::mem::take(files));
    }),
    ("another manifest that is listed anew", |files| {
        let mut other = manifest(&["echo"]);
        other["version"] = json!("9.9.9");
        files.insert("manifest.cbor".into(), cbor(&other));
        let bill = cbor(&bill(files));
        files.insert("sbom.cbor".into(), bill);
    }),
    ("no bill of materials", |files| drop(files.remove("sbom.cbor"))),
    ("a bill of materials that is no such thing", |files| drop(files.insert("sbom.cbor".into(), b"junk".to_vec()))),
    ("a signature that is no JSON", |files| drop(files.insert(SIG.into(), b"junk".to_vec()))),
    ("a signature file without end", |files| drop(files.insert(SIG.into(), vec![b' '; 1 << 20]))),
    ("another algorithm", |files| change_envelope(files, "alg", "none")),
    ("a signature over something else", |files| change_envelope(files, "digest", &"0".repeat(64))),
];

fn change_envelope(files: &mut Files, key: &str, value: &str) {
    let mut envelope = envelope(files);
    envelope[key] = json!(value);
    files.insert(SIG.into(), envelope.to_string().into());
}

#[test]
fn what_was_changed_after_it_was_signed_is_refused() {
    for (what, change) in CHANGES {
        let mut files = signed(current());
        change(&mut files);
        let dir = in_directory(&files);
        for pack in [load_archive(&files), load_directory(dir.path())] {
            let judgement = judged(&pack);
            assert_eq!(judgement.verification.pack_signature, Signed::Invalid, "{what}, {:?}", pack.form);
            let refusal = judgement.refusal.unwrap_or_else(|| panic!("{what} is accepted, {:?}", pack.form));
            let codes = [Code::SignatureInvalid, Code::PackUntrusted];
            assert!(codes.contains(&refusal.code()), "{what}: {refusal}");
            let report = TrustPolicy { strictness: Strictness::Report, ..policy(&[PUBLIC]) };
            let reported = pack.judge(&report, None);
            assert!(reported.refusal.is_none() && reported.note.is_some(), "{what}");
        }
    }
}

#[test]
fn what_lies_beside_a_signed_pack_is_not_signed() {
    let files = signed(current());
    let (dir, path) = written(&files);
    let read = || pack::load(&path, &LoadOptions::default()).unwrap();
    assert!(judged(&read()).refusal.is_none());
    // It could put one component of the pack, or one from elsewhere, in the place of another.
    let sha256 = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&files["components/echo.wasm"]));
    let entry = json!({ "name": "echo", "ref": "oci://example.org/echo:1", "sha256": sha256 });
    put(dir.path(), "pack.lock.json", json!({ "schema_version": 1, "components": [entry] }).to_string());
    let pack = read();
    let refusal = judged(&pack).refusal.unwrap();
    assert_eq!(refusal.code(), Code::PackUntrusted);
    assert!(refusal.message().contains("pack.lock.json"), "{refusal}");
    let report = TrustPolicy { strictness: Strictness::Report, ..policy(&[PUBLIC]) };
    assert!(pack.judge(&report, None).note.is_some());
    let nothing = pack.judge(&TrustPolicy::default(), None);
    assert!(nothing.refusal.is_none() && nothing.note.is_none());
    put(dir.path(), "pack.lock.json", json!({ "schema_version": 1, "components": [] }).to_string());
    assert!(judged(&read()).refusal.is_none(), "a lock file that says nothing changes nothing");
}

#[test]
fn a_directory_may_hold_what_nobody_reads() {
    let dir = in_directory(&signed(current()));
    put(dir.path(), "notes.txt", "mine");
    put(dir.path(), ".git/HEAD", "ref");
    assert_eq!(judged(&load_directory(dir.path())).verification.pack_signature, valid());
}

/// An archive in a directory of its own.
fn written(files: &Files) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.gtpack");
    std::fs::write(&path, in_archive(files)).unwrap();
    (dir, path)
}

fn unpacked(path: &Path) -> Files {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let names: Vec<_> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    let read = |name: String| {
        let mut bytes = Vec::new();
        std::io::copy(&mut zip.by_name(&name).unwrap(), &mut bytes).unwrap();
        (name, bytes)
    };
    names.into_iter().map(read).collect()
}

#[test]
fn signing_adds_a_signature_and_changes_nothing_else() {
    let key = PrivateKey::from_pem(PEM).unwrap();
    for files in [current(), legacy()] {
        let (dir, path) = written(&files);
        let (one, two) = (dir.path().join("one.gtpack"), dir.path().join("two.gtpack"));
        let at = jiff::Timestamp::from_second(1_767_225_600).unwrap();
        let report = pack::sign(&path, &key, Some(CHAIN), at, &one).unwrap();
        let bytes = std::fs::read(&one).unwrap();
        assert_eq!(report.size, bytes.len() as u64);
        assert_eq!(
            report.digest.to_string(),
            format!("sha256:{}", hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes)))
        );
        let mut expected = files.clone();
        expected.insert(SIG.to_owned(), envelope(&files).to_string().into());
        expected.insert("signatures/chain.pem".to_owned(), CHAIN.to_vec());
        assert_eq!(unpacked(&one), expected, "the signature is the one that was made by hand");

        pack::sign(&one, &key, None, at, &two).unwrap();
        assert_eq!(std::fs::read(&two).unwrap(), bytes, "the same pack, key and time give the same bytes");

        let other = PrivateKey::generate().unwrap();
        pack::sign(&one, &other, None, at, &two).unwrap();
        assert!(!unpacked(&two).contains_key("signatures/chain.pem"), "the certificate is for another key");
        let again = pack::load(&two, &LoadOptions::default()).unwrap();
        assert!(again.judge(&policy(&[&other.public().to_string()]), None).refusal.is_none());
        assert!(judged(&again).refusal.is_some());
    }
}

#[test]
fn what_an_index_states_of_a_signed_pack_verifies() {
    use greentic_runner_host::trust::StatedOrigin;
    let (dir, path) = written(&current());
    let out = dir.path().join("out.gtpack");
    let key = PrivateKey::from_pem(PEM).unwrap();
    let report = pack::sign(&path, &key, None, jiff::Timestamp::UNIX_EPOCH, &out).unwrap();
    let pack = pack::load(&out, &LoadOptions::default()).unwrap();
    let stated = StatedOrigin { digest: Some(report.digest.to_string()), signature: Some(report.index_signature) };
    let judgement = pack.judge(&policy(&[PUBLIC]), Some(&stated));
    assert_eq!(judgement.verification.digest, Check::Matches);
    assert_eq!(judgement.verification.index_signature, valid());
    // The unsigned pack has another digest, which refuses it however lenient the host is.
    let old = pack::load(&path, &LoadOptions::default()).unwrap();
    let refusal = old.judge(&TrustPolicy::default(), Some(&stated)).refusal.unwrap();
    assert_eq!(refusal.code(), Code::DigestMismatch);
}

#[test]
fn what_cannot_be_signed_is_left_alone() {
    let key = PrivateKey::from_pem(PEM).unwrap();
    let refused = |path: &Path, chain: Option<&[u8]>, told: &str| {
        let out = path.parent().unwrap().join("out.gtpack");
        let error = pack::sign(path, &key, chain, jiff::Timestamp::UNIX_EPOCH, &out).unwrap_err();
        assert_eq!(error.code(), Code::PackSign, "{error}");
        assert!(error.to_string().contains(told), "{error}");
        assert!(error.hint_text().is_some(), "{error}");
        assert!(!out.exists());
    };
    let directory = in_directory(&current());
    refused(directory.path(), None, "is a directory");
    let (_dir, path) = written(&current());
    refused(&path, Some(b"no certificate"), "the first certificate");
    let text = path.with_file_name("text.gtpack");
    std::fs::write(&text, "{}").unwrap();
    refused(&text, None, "no archive");
    for (what, told) in
        [("sbom.cbor", "has no bill of materials"), ("assets/hello.txt", "is not what its bill of materials says")]
    {
        let mut files = current();
        files.remove(what);
        let (_dir, path) = written(&files);
        refused(&path, None, told);
    }
    let mut stale = legacy();
    stale.insert("assets/cards/hello.json".to_owned(), b"[]".to_vec());
    let (_dir, path) = written(&stale);
    refused(&path, None, "differs from its listed hash");
}
