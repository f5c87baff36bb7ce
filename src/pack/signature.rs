//! The signature in a pack, and what it is over.
//!
//! It signs the manifest and the bill of materials, and through this every file. So it is worth something only if the
//! pack is what the bill says, which [`crate::pack::sbom`] tells, and no more than the key that made it, which [`crate::trust`] tells.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::pack::files::Files;
use crate::pack::manifest;
use crate::pack::sbom::{Compared, Sbom};
use crate::trust::{self, Certificate, PackSignature, SignedContent};

/// The name of its file.
pub const FILE: &str = "signatures/pack.sig";

/// The name of the file with the certificates of its key.
pub const CHAIN: &str = "signatures/chain.pem";

/// The one algorithm.
const ALGORITHM: &str = "ed25519";

/// The largest signature file and the largest chain of certificates that are read, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// A signature as its file has it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The algorithm.
    pub alg: String,
    /// The signature in Base64, of the alphabet for URLs.
    pub sig: String,
    /// BLAKE3 of what is signed, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// When it was made, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_at_utc: Option<String>,
    /// BLAKE3 of the public key, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_fingerprint: Option<String>,
}

impl Envelope {
    /// The envelope of a signature.
    pub(super) fn new(signature: &[u8; 64], message: &[u8; 32], key: String, at: jiff::Timestamp) -> Self {
        use base64::Engine as _;
        Self {
            alg: ALGORITHM.to_owned(),
            sig: base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature),
            digest: Some(hex::encode(message)),
            signed_at_utc: Some(at.to_string()),
            key_fingerprint: Some(key),
        }
    }

    /// Reads a signature file, and gives the signature's bytes with it.
    ///
    /// # Errors
    ///
    /// `SignatureInvalid`.
    pub fn read(bytes: &[u8]) -> Result<(Self, [u8; 64])> {
        let invalid =
            |why: &str| Error::new(Code::SignatureInvalid, format!("the signature file cannot be used: {why}"));
        if bytes.len() as u64 > MAX_BYTES {
            return Err(invalid(&format!("it is larger than {MAX_BYTES} bytes")));
        }
        let envelope: Self = serde_json::from_slice(bytes).map_err(|error| invalid(&clip(&error.to_string())))?;
        if !envelope.alg.eq_ignore_ascii_case(ALGORITHM) {
            return Err(invalid(&format!("its algorithm is {:?}, and not {ALGORITHM}", clip(&envelope.alg))));
        }
        let signature = trust::decode(&envelope.sig).ok_or_else(|| invalid("sig is not 64 bytes in Base64"))?;
        Ok((envelope, signature))
    }
}

/// What a signature is over: BLAKE3 of the manifest, the bill of materials, and its entries sorted by path.
pub(super) fn message(manifest: &[u8], bill: &[u8], sbom: &Sbom) -> [u8; 32] {
    let mut entries: Vec<_> = sbom.files.iter().map(|entry| (&entry.path, &entry.hash_blake3)).collect();
    entries.sort_by_key(|(path, _)| *path);
    let mut hasher = blake3::Hasher::new();
    hasher.update(manifest).update(bill);
    for (path, hash) in entries {
        hasher.update(path.as_bytes()).update(b"\n").update(hash.as_bytes());
    }
    hasher.finalize().into()
}

/// Reads the signature of a pack that was compared with its bill of materials.
pub(super) fn read(files: &mut dyn Files, compared: &Compared) -> PackSignature {
    if !files.has(FILE) {
        return PackSignature::Absent;
    }
    let place = files.place(FILE);
    match content(files, compared) {
        Ok(content) => PackSignature::Present(Box::new(content)),
        Err(error) => PackSignature::Unusable(error.in_file(place)),
    }
}

fn content(files: &mut dyn Files, compared: &Compared) -> Result<SignedContent> {
    let unusable = |why: &str| Error::new(Code::SignatureInvalid, why);
    let (envelope, signature) = Envelope::read(&small(files, FILE)?)?;
    let Some((bill, sbom)) = &compared.read else {
        return Err(unusable("the pack has no bill of materials that can be read, so nothing of it is signed"));
    };
    if let Some(uncovered) = &compared.uncovered {
        return Err(uncovered.clone());
    }
    // It is read once more, and has to be what was used.
    let used = files.measure(manifest::FILE)?.hash;
    let manifest = files.read(manifest::FILE)?;
    if blake3::hash(&manifest) != used {
        return Err(unusable("the manifest changed while it was read"));
    }
    let message = message(&manifest, bill, sbom);
    if envelope.digest.is_some_and(|stated| !stated.eq_ignore_ascii_case(&hex::encode(message))) {
        return Err(unusable("the signature is over other content than the pack's"));
    }
    let certificate = small(files, CHAIN).ok().and_then(|pem| Certificate::first(&pem));
    let certified = certificate.as_ref().and_then(|certificate| certificate.key_fingerprint.clone());
    Ok(SignedContent { signature, message, key: envelope.key_fingerprint.or(certified), certificate })
}

/// A file that is read only if it is small.
fn small(files: &mut dyn Files, name: &str) -> Result<Vec<u8>> {
    if files.measure(name)?.size > MAX_BYTES {
        return Err(Error::new(Code::TooLarge, format!("{name} is larger than {MAX_BYTES} bytes")));
    }
    files.read(name)
}
