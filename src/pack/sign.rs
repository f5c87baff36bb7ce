//! Signing an archive.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::error::{Code, Error, Result};
use crate::pack::archive::{Archive, is_zip};
use crate::pack::files::Files;
use crate::pack::model::{Digest, Pack};
use crate::pack::sbom::{self, Sbom};
use crate::pack::signature::{CHAIN, Envelope, FILE, message};
use crate::pack::{LoadOptions, build, load_bytes, manifest, read_file};
use crate::trust::{Certificate, PrivateKey, SbomState, Strictness, TrustPolicy};

/// What signing wrote.
#[derive(Debug)]
pub struct SignReport {
    /// The archive.
    pub path: PathBuf,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// What an index states as its `signature`.
    pub index_signature: String,
    /// The pack as it was read back from the archive.
    pub pack: Pack,
}

/// Writes the archive at `path` to `out` with a signature of `key`, in place of any that it has, as a whole or not at
/// all. `chain` are certificates in PEM to go with it, the first of them for this key. The same pack, key and time give
/// the same bytes.
///
/// # Errors
///
/// What reading the archive can fail with; `PackSign` if it is none, is not what its bill of materials says, or
/// `chain` is not for `key`; `PackBuild` if `out` cannot be written.
pub fn sign(
    path: &Path,
    key: &PrivateKey,
    chain: Option<&[u8]>,
    at: jiff::Timestamp,
    out: &Path,
) -> Result<SignReport> {
    let options = LoadOptions::default();
    let bytes = Bytes::from(archive(path, &options)?);
    let mut entries = entries(bytes, path, &options)?;
    let (manifest, bill) = (bytes_of(&entries, manifest::FILE)?, bill(&entries)?);
    let sbom = Sbom::decode(bill, &options.limits)?;
    let message = message(manifest, bill, &sbom);
    let fingerprint = key.public().fingerprint();
    let envelope = Envelope::new(&key.sign(&message), &message, fingerprint.clone(), at);
    let envelope = serde_json::to_vec(&envelope)
        .map_err(|error| Error::new(Code::Internal, format!("the signature is no JSON: {error}")))?;
    entries.insert(FILE.to_owned(), envelope);
    certify(&mut entries, chain, &fingerprint)?;
    let bytes = build::archive(&entries).map_err(|error| {
        Error::new(Code::Internal, format!("the archive of {} cannot be made: {error}", path.display()))
    })?;
    let pack = read_back(&bytes, key, out)?;
    build::write(&bytes, out)?;
    Ok(SignReport {
        path: out.to_owned(),
        digest: pack.digest,
        size: bytes.len() as u64,
        index_signature: key.sign_for_index(&pack.digest.0),
        pack,
    })
}

fn refuse(path: &Path, why: &str, hint: &str) -> Error {
    Error::new(Code::PackSign, format!("{} {why}", path.display())).hint(hint)
}

fn archive(path: &Path, options: &LoadOptions) -> Result<Vec<u8>> {
    let make_one = "`pack build` makes an archive of sources, `pack migrate` of a directory with manifest.cbor";
    if path.is_dir() {
        return Err(refuse(path, "is a directory, and only archives are signed", make_one));
    }
    let bytes = read_file(path, options.limits.archive)?;
    if is_zip(&bytes) { Ok(bytes) } else { Err(refuse(path, "is no archive of a pack", make_one)) }
}

/// The files of the archive, if they are what its bill of materials says.
fn entries(bytes: Bytes, path: &Path, options: &LoadOptions) -> Result<BTreeMap<String, Vec<u8>>> {
    let name = path.display().to_string();
    // What it lacks may lie elsewhere; whoever runs it is told.
    let looking = LoadOptions { keep_going: true, ..options.clone() };
    let pack = load_bytes(bytes.clone(), &name, &looking)?;
    let anew = "build the pack anew, or write it anew with `pack migrate`";
    match pack.sbom {
        SbomState::Matches => {}
        SbomState::Absent => return Err(refuse(path, "has no bill of materials to sign", anew)),
        SbomState::Differs(differs) => {
            return Err(refuse(path, "is not what its bill of materials says", anew).with_details(differs));
        }
    }
    let mut files = Archive::open(bytes, &name, &options.limits)?;
    files.list("")?.into_iter().map(|name| Ok((name.clone(), files.read(&name)?))).collect()
}

fn bytes_of<'a>(entries: &'a BTreeMap<String, Vec<u8>>, name: &str) -> Result<&'a [u8]> {
    let missing = || Error::new(Code::Internal, format!("{name} is gone from an archive that was just read"));
    entries.get(name).map(Vec::as_slice).ok_or_else(missing)
}

fn bill(entries: &BTreeMap<String, Vec<u8>>) -> Result<&[u8]> {
    let name = sbom::FILES.into_iter().find(|name| entries.contains_key(*name));
    bytes_of(entries, name.unwrap_or(sbom::FILE))
}

/// Puts the certificates beside the signature, and takes those away that are for another key.
fn certify(entries: &mut BTreeMap<String, Vec<u8>>, chain: Option<&[u8]>, fingerprint: &str) -> Result<()> {
    let fits =
        |pem: &[u8]| Certificate::first(pem).is_some_and(|it| it.key_fingerprint.as_deref() == Some(fingerprint));
    match chain {
        Some(pem) if fits(pem) => {
            entries.insert(CHAIN.to_owned(), pem.to_vec());
        }
        Some(_) => {
            return Err(Error::new(Code::PackSign, "the first certificate of the chain is not for the key that signs")
                .hint("give a chain in PEM that begins with the certificate of this Ed25519 key"));
        }
        None if entries.get(CHAIN).is_some_and(|pem| fits(pem)) => {}
        None => drop(entries.remove(CHAIN)),
    }
    Ok(())
}

/// The archive as hosts will read it, which have to accept it.
fn read_back(bytes: &[u8], key: &PrivateKey, out: &Path) -> Result<Pack> {
    let looking = LoadOptions { keep_going: true, ..LoadOptions::default() };
    let pack = load_bytes(bytes.to_vec(), &out.display().to_string(), &looking)?;
    let policy = TrustPolicy { keys: vec![key.public()], strictness: Strictness::Strict };
    match pack.judge(&policy, None).refusal {
        None => Ok(pack),
        Some(why) => Err(Error::new(Code::PackSign, "the signed pack would not verify").with_details(vec![why])),
    }
}
