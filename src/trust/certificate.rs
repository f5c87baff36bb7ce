//! Certificates that travel with packs: told about, never believed.

use serde::Serialize;
use x509_parser::pem::parse_x509_pem;

use crate::id::clip;
use crate::trust::key::fingerprint;

/// The object identifier of Ed25519 keys.
const ED25519: &str = "1.3.101.112";

/// What a certificate says that came with a pack. Whoever changes a pack can change it, so it proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Certificate {
    /// Whom it names.
    pub subject: String,
    /// The fingerprint of its key, if that is one of Ed25519.
    pub key_fingerprint: Option<String>,
}

impl Certificate {
    /// The first certificate of a chain in PEM; none if there is none that can be read.
    pub fn first(pem: &[u8]) -> Option<Self> {
        let (_, block) = parse_x509_pem(pem).ok()?;
        let certificate = block.parse_x509().ok()?;
        let key = certificate.public_key();
        let is_ours = key.algorithm.algorithm.to_id_string() == ED25519 && key.subject_public_key.data.len() == 32;
        let subject: String = certificate.subject().to_string().chars().filter(|c| !c.is_control()).collect();
        Some(Self {
            subject: clip(&subject),
            key_fingerprint: is_ours.then(|| fingerprint(&key.subject_public_key.data)),
        })
    }
}
